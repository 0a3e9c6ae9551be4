"""Writes MNIST, handwritten digits of 28 x 28 pixels, as sequences of their rows.

Reads the owner's four idx files, compressed or not: 60,000 images for training, of which a share is
for validation, and 10,000 for the test. Where a file was cut short between two images, those before
the cut are taken, and counted. Split, labels and frames: ``data_prep.images``.

    python -m data_prep.mnist --source FOLDER --out data/mnist.h5
    python -m data_prep.mnist --source FOLDER --labels --out data/mnist_labels.h5
    python -m data_prep.mnist --source FOLDER --binarise --out data/mnist_binarised.h5

With ``--binarise``, each pixel is 1 with the probability level / 255 and 0 otherwise, drawn once by
the seed: levels 0 and 1, whose likelihood is a probability in nats an image. Figures of other draws
(such as the published file of a binarised MNIST) are comparable up to that draw.

Gradient-Based Learning Applied to Document Recognition (LeCun, Bottou, Bengio, Haffner, 1998).
"""

from __future__ import annotations

__all__ = ["prepare"]

from pathlib import Path

import numpy as np

from data_prep.idx import find_idx, read_idx
from data_prep.images import VALID, ImageSet, add_options, write_images
from data_prep.sources import command_line, origin, run

SIZE = 28
FILES = {
    part: (f"{prefix}-images-idx3-ubyte", f"{prefix}-labels-idx1-ubyte")
    for part, prefix in (("train", "train"), ("test", "t10k"))
}


def prepare(
    source: Path,
    out: Path,
    seed: int = 0,
    valid: float = VALID,
    labels: bool = False,
    binarise: bool = False,
) -> list[str]:
    """Writes the store from the folder of the four files; says how many images were found.

    Raises:
        FileNotFoundError: If one of them is missing.
        ValueError: If one of them is damaged or of other data, or they do not belong together.
    """
    parts, sources = {}, []
    for number, (part, names) in enumerate(FILES.items()):
        paths = [find_idx(source, name) for name in names]
        sources += [origin(path) for path in paths]
        found = _read(*paths)
        parts[part] = _binarised(found, [seed, number]) if binarise else found
    return write_images(
        out,
        parts["train"],
        parts["test"],
        classes=[str(digit) for digit in range(10)],
        word="digit",
        seed=seed,
        valid=valid,
        labels=labels,
        levels=2 if binarise else 256,
        name="_".join(["mnist", *["binarised"] * binarise, *["labels"] * labels]),
        source=sources,
        licence="CC BY-SA 3.0 (MNIST, LeCun, Cortes, Burges)",
        command=f"python -m data_prep.mnist --source $SEQMDN_DATA/mnist --seed {seed} "
        f"--valid {valid:g}{' --labels' if labels else ''}{' --binarise' if binarise else ''}",
    )


def main(arguments: list[str] | None = None) -> None:
    """Runs the command line."""
    parser = command_line("mnist", "MNIST, row by row,", "the four idx files")
    add_options(parser)
    parser.add_argument(
        "--binarise", action="store_true", help="draw each pixel as a bit, by the seed"
    )
    run(parser, prepare, arguments)


def _read(images: Path, labels: Path) -> ImageSet:
    found, said = read_idx(images, (SIZE, SIZE)), read_idx(labels)
    if found.count != said.count:
        raise ValueError(
            f"{images}: expected as many images as {labels.name} has labels, {said.count}, found "
            f"{found.count}: give files that belong together"
        )
    both = min(len(found.records), len(said.records))
    return ImageSet(found.records[:both, :, :, None], said.records[:both], found.count)


def _binarised(part: ImageSet, seed: list[int]) -> ImageSet:
    rng = np.random.default_rng(seed)
    bits = np.empty_like(part.images)
    for image, drawn in zip(part.images, bits, strict=True):
        # A level of 255 is always above, one of 0 never.
        drawn[:] = rng.integers(0, 255, image.shape) < image
    return part._replace(images=bits)


if __name__ == "__main__":
    main()
