"""A store of small images, and a run on it."""

from pathlib import Path
from typing import Any

import numpy as np
import yaml
from jsonargparse import Namespace

from seqmdn.configuration import fit_parser
from seqmdn.data import StoreWriter
from seqmdn.runs import Run, fit

SPLITS = {"train": 24, "valid": 6, "test": 8}
HEIGHT, WIDTH = 4, 6


def write_images(
    path: Path, channels: int = 1, labels: bool = False, levels: int = 256, missing: bool = False
) -> Path:
    """Images of 4 x 6 pixels, with runs of one level and an edge; their label is their text."""
    colours = ["red", "green", "blue"][:channels]
    rng = np.random.default_rng([channels, levels])
    with StoreWriter(
        path,
        [f"{colour} {column}" for column in range(WIDTH) for colour in colours],
        name="images",
        unit="pixel level",
        step="row",
        context=["digit 0", "digit 1", "row"] if labels else [],
        missing=missing,
        attributes={
            "kind": "image",
            "sequence": "image",
            "height": HEIGHT,
            "width": WIDTH,
            "channels": channels,
            "levels": levels,
        },
    ) as writer:
        for split, count in SPLITS.items():
            for number in range(count):
                label = number % 2
                image = rng.integers(0, levels, (HEIGHT, WIDTH, channels))
                image[:, : 2 + label] = 0
                known = np.tile([1 - label, label, 0], (HEIGHT, 1))
                known[:, 2] = np.arange(HEIGHT)
                values = image.reshape(HEIGHT, -1)
                writer.append(
                    values,
                    split,
                    context=known if labels else None,
                    text=str(label),
                    observed=values % 3 > 0 if missing else None,
                )
    return path


def train_images(
    folder: Path,
    store: Path,
    head: dict[str, Any] | None = None,
    transform: dict[str, Any] | None = None,
    noise: str | None = "seqmdn.data.UniformDequantise",
    **data: Any,
) -> Run:
    """Train for a few steps; borders of the logit are not those of the levels."""
    folder.mkdir(parents=True, exist_ok=True)
    logit = {"class_path": "seqmdn.data.Logit", "init_args": {"low": -1.0, "high": 257.0}}
    config = {
        "data": {
            "class_path": "seqmdn.data.SequenceDataModule",
            "init_args": {
                "path": str(store),
                "noise": noise,
                "batch_size": 8,
                "per": "sequence",
                **data,
            },
        },
        "model": {
            "class_path": "seqmdn.models.SequenceModel",
            "init_args": {
                "backbone": {
                    "class_path": "seqmdn.backbones.LSTMBackbone",
                    "init_args": {"hidden": 8},
                },
                "head": head
                or {"class_path": "seqmdn.heads.MixtureHead", "init_args": {"components": 2}},
                "transform": transform or logit,
            },
        },
        "trainer": {"max_steps": 4, "val_check_interval": 2, "accelerator": "cpu"},
    }
    file = folder / "config.yaml"
    file.write_text(yaml.safe_dump(config))
    parsed: Namespace = fit_parser().parse_args(["-c", str(file)])
    return fit(parsed, folder / "run")
