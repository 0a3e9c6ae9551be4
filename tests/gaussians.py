"""Rows that three Gaussians were drawn for, and regressions of them by networks of any number."""

from pathlib import Path

import numpy as np
import yaml

from seqmdn.data import StoreWriter

ROWS = {"train": 400, "valid": 100, "test": 400}


def write_rows(path: Path) -> Path:
    """Rows around -3, 0 and 3, whatever their input says."""
    rng = np.random.default_rng(0)
    with StoreWriter(path, ["y"], "gaussians", "m", ["x"]) as writer:
        for split, count in ROWS.items():
            for _ in range(count):
                y = 3 * rng.integers(-1, 2) + 0.3 * rng.standard_normal()
                writer.append([[y]], split, context=[[rng.uniform(-1, 1)]])
    return path


def write_recipe(folder: Path, store: Path, steps: int) -> Path:
    """A mixture density network, and two of them."""
    folder.mkdir(parents=True)
    base = {
        "data": {
            "class_path": "seqmdn.data.SequenceDataModule",
            "init_args": {"path": str(store), "batch_size": 100, "eval_batch_size": 1000},
        },
        "training": {"optimizer": {"class_path": "torch.optim.AdamW", "init_args": {"lr": 0.02}}},
        "trainer": {"max_steps": steps, "val_check_interval": min(20, steps)},
    }
    network = {"class_path": "seqmdn.backbones.MLPBackbone", "init_args": {"hidden": [4]}}
    head = {"class_path": "seqmdn.heads.MixtureHead", "init_args": {"components": 2}}
    arguments = {"backbone": network, "head": head}
    mdn = {"class_path": "seqmdn.models.MDN", "init_args": arguments}
    members = {"members": 2, "model": mdn}
    ensemble = {"class_path": "seqmdn.models.Ensemble", "init_args": members}
    (folder / "base.yaml").write_text(yaml.safe_dump(base))
    for name, model in {"mdn": mdn, "ensemble": ensemble}.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump({"model": model}))
    return folder
