"""Strokes of a pen small enough to train on in a second: what they say, and where they end."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from seqmdn.backbones import LSTMBackbone, WindowBackbone
from seqmdn.data import Partial, StoreWriter
from seqmdn.heads import MixtureHead, StrokeHead
from seqmdn.models import SequenceModel
from tests.contracts import perturbed

SPLITS = {"train": 12, "valid": 4, "test": 5}
ALPHABET = "abé"


def write_pens(path: Path, text: bool = True, seed: int = 3) -> Path:
    """21 drawings of 3 to 8 points on a grid; each says as many letters as every two points."""
    rng = np.random.default_rng(seed)
    attributes = {"kind": "strokes", "sequence": "word", "y_axis": "up", "resolution": 1.0}
    with StoreWriter(
        path, ["dx", "dy", "eos"], "pens", "pixel", step="pen point", attributes=attributes
    ) as writer:
        for split, count in SPLITS.items():
            for _ in range(count):
                length = int(rng.integers(3, 9))
                offsets = rng.integers(-6, 7, size=(length, 2))
                ends = rng.random(length) < 0.3
                ends[-1] = True
                said = "".join(rng.choice(list(ALPHABET), size=(length + 1) // 2))
                values = np.concatenate([offsets, ends[:, None]], axis=1)
                writer.append(values, split, text=said if text else None)
    return path


def write_pen_recipe(folder: Path, store: Path, reads: bool = True, **data: Any) -> Path:
    """A recipe of strokes that says where drawings end, and reads their texts if asked to."""
    folder.mkdir(parents=True, exist_ok=True)
    backbone = {
        "class_path": f"seqmdn.backbones.{'Window' if reads else 'LSTM'}Backbone",
        "init_args": {"hidden": 8} | ({"alphabet": ALPHABET, "windows": 2} if reads else {}),
    }
    noise = {"centred": True, "columns": 2}
    base = {
        "data": {
            "class_path": "seqmdn.data.SequenceDataModule",
            "init_args": {
                "path": str(store),
                "noise": {"class_path": "seqmdn.data.UniformDequantise", "init_args": noise},
                "batch_size": 4,
                "per": "sequence",
                "mark_end": True,
                "text": reads,
                **data,
            },
        },
        "model": {
            "class_path": "seqmdn.models.SequenceModel",
            "init_args": {"backbone": backbone, "transform": "seqmdn.data.Partial"},
        },
        "training": {"optimizer": {"class_path": "torch.optim.AdamW", "init_args": {"lr": 0.01}}},
        "trainer": {"max_steps": 4, "val_check_interval": 4},
    }
    offsets = {"class_path": "seqmdn.heads.MixtureHead", "init_args": {"components": 2}}
    head = {"class_path": "seqmdn.heads.StrokeHead", "init_args": {"offsets": offsets}}
    (folder / "base.yaml").write_text(yaml.safe_dump(base))
    (folder / "rmdn.yaml").write_text(yaml.safe_dump({"model": {"init_args": {"head": head}}}))
    return folder


def build(
    reads: bool = True, bits: int = 2, strength: float = 0.4, **options: Any
) -> SequenceModel:
    """A model of strokes whose density depends on all that it may depend on."""
    torch.manual_seed(0)
    window = partial(WindowBackbone, alphabet=ALPHABET, hidden=8, windows=2, pace=0.4)
    model = SequenceModel(
        2 + bits,
        backbone=window if reads else partial(LSTMBackbone, hidden=8),
        head=partial(StrokeHead, offsets=partial(MixtureHead, components=3)),
        transform=Partial,
        **options,
    )
    offsets = torch.tensor([3.0, -1.0]) + 5 * torch.randn(300, 2)
    model.initialise(torch.cat((offsets, (torch.rand(300, bits) < 0.2).float()), dim=1))
    perturbed(model.backbone, strength)
    perturbed(model.head, 0.2)
    with torch.no_grad():
        model.start.add_(0.3)
    return model.eval()
