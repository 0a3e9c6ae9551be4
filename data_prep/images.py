"""What the preparations of labelled images have in common: images in, sequences of rows out.

An image is a sequence of its rows, from the top; a frame holds a row's pixels from the left, the
channels of a pixel beside each other. Values are levels from 0 to 255; their density is unbounded,
so train with ``UniformDequantise`` or with a head of levels. How else an image is scanned (pixel by
pixel, block by block) is an option of the data module, not of the store.

- **Split.** The owner's training images are for training and, a share of them that follows from the
  seed, for validation; the owner's test images are the test. All keep their order.
- **Labels** are the texts of the sequences and, with ``--labels``, a context of every frame, a
  column a class: what a model draws can be asked for.
"""

from __future__ import annotations

__all__ = ["VALID", "ImageSet", "add_options", "write_images"]

from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from data_prep.sources import advance
from seqmdn.data import StoreWriter

VALID = 0.05  # share of the training images
_CHANNELS = {1: ("column",), 3: ("red", "green", "blue")}


class ImageSet(NamedTuple):
    """Images of the owner's training or test part.

    Attributes:
        images: (N, height, width, channels) uint8.
        labels: (N,), whole numbers.
        count: How many there are of them, as their owner says.
    """

    images: NDArray[np.uint8]
    labels: NDArray[Any]
    count: int


def write_images(
    out: Path,
    train: ImageSet,
    test: ImageSet,
    classes: Sequence[str],
    word: str,
    seed: int,
    valid: float,
    labels: bool,
    levels: int = 256,
    attributes: Mapping[str, str | int] | None = None,
    **description: Any,
) -> list[str]:
    """Writes the store (``description`` goes to its writer); says how many images were found.

    Args:
        out: The file to write.
        train: The owner's training images.
        test: The owner's test images.
        classes: What the labels 0, 1, ... stand for.
        word: What a label is called: columns of the context are ``"digit 7"``, say.
        seed: Of the validation part.
        valid: Its share of the training images.
        labels: Whether the labels are a context.
        levels: How many levels a pixel has.
        attributes: More of them.
        description: What else ``StoreWriter`` is told.

    Raises:
        ValueError: If the share is out of range or leaves a part empty, or a label is none of the
            classes'.
    """
    if not 0 < valid < 1:
        raise ValueError(f"expected a share of validation above 0 and below 1, found {valid:g}")
    parts = {"train": train, "test": test}
    for name, part in parts.items():
        outside = (part.labels < 0) | (part.labels >= len(classes))
        if outside.any():
            raise ValueError(
                f"{name}: expected labels from 0 to {len(classes) - 1}, found "
                f"{int(part.labels[outside][0])} at image {int(np.argmax(outside))}: download the "
                "files again"
            )
    count = round(valid * len(train.images))
    if not count or count == len(train.images) or not len(test.images):
        raise ValueError(
            f"expected enough images for training, validation and test, found {len(train.images)} "
            f"for the first two (validation {valid:g} of them) and {len(test.images)}"
        )
    of_valid = set(np.random.default_rng(seed).permutation(len(train.images))[:count].tolist())
    _, height, width, channels = train.images.shape
    rows = np.eye(len(classes), dtype=np.float32)
    with StoreWriter(
        out,
        features=[f"{of} {x}" for x in range(width) for of in _CHANNELS[channels]],
        unit="pixel level" if levels > 2 else "bit",
        step="row",
        context=[f"{word} {each}" for each in classes] if labels else [],
        attributes={
            "kind": "image",
            "sequence": "image",
            "height": height,
            "width": width,
            "channels": channels,
            "levels": levels,
            "seed": seed,
            "complete": all(len(part.images) == part.count for part in parts.values()),
            **(attributes or {}),
        },
        **description,
    ) as writer:
        for name, part in parts.items():
            images = part.images.reshape(len(part.images), height, width * channels)
            for number in advance(range(len(images)), f"{name} images"):
                label = int(part.labels[number])
                split = "valid" if name == "train" and number in of_valid else name
                context = np.tile(rows[label], (height, 1)) if labels else None
                writer.append(images[number], split, context=context, text=classes[label])
    return [f"{name}: {len(part.images)} of {part.count} images" for name, part in parts.items()]


def add_options(parser: ArgumentParser) -> None:
    """Adds the options that these preparations share."""
    parser.add_argument(
        "--labels", action="store_true", help="keep the label as a context of every frame"
    )
    parser.add_argument(
        "--valid",
        type=float,
        default=VALID,
        help="share of the training images for validation, default: %(default)s",
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="seed of what is drawn, default: %(default)s"
    )
