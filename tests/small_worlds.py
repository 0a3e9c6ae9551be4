"""Worlds small enough to learn in a second: latents of an encoder, actions, rewards and ends."""

from pathlib import Path
from typing import Any

import numpy as np
import yaml

from seqmdn.data import StoreWriter

SPLITS = {"train": 10, "valid": 3, "test": 4}
LATENTS = 2


def write_worlds(
    path: Path, rewards: bool = True, length: int = 9, seed: int = 3, latents: int = LATENTS
) -> Path:
    """17 rollouts of at most ``length`` frames; an action moves the latents of the next frame.

    Latents and actions are the same with and without rewards.
    """
    rng = np.random.default_rng(seed)
    names = [f"{name} {place}" for name in ("mu", "logvar") for place in range(latents)]
    with StoreWriter(
        path,
        [*names, "reward", "end"] if rewards else names,
        "worlds",
        "1",
        step="environment step",
        context=["previous steer"],
        attributes={"kind": "series", "sequence": "rollout"},
    ) as writer:
        for split, count in SPLITS.items():
            for _ in range(count):
                time = int(rng.integers(length // 2, length + 1))
                action = rng.standard_normal((time, 1))
                action[0] = 0
                mu = (action + 0.2 * rng.standard_normal((time, latents))).cumsum(axis=0)
                logvar = rng.uniform(-4, -3, (time, latents))
                reward = np.rint(mu[:, :1]) / 2
                end = np.zeros((time, 1))
                end[-1] = time < length  # the others were cut by a limit of time
                parts = [mu, logvar, reward, end] if rewards else [mu, logvar]
                writer.append(np.concatenate(parts, axis=1), split, context=action)
    return path


def write_world_recipe(folder: Path, store: Path, latents: int = LATENTS, **data: Any) -> Path:
    """One recipe for stores with and without rewards."""
    folder.mkdir(parents=True, exist_ok=True)
    noise = {"latents": latents, "reward": 0.5}
    base = {
        "data": {
            "class_path": "seqmdn.data.SequenceDataModule",
            "init_args": {
                "path": str(store),
                "noise": {"class_path": "seqmdn.data.GaussianLatents", "init_args": noise},
                "batch_size": 4,
                **data,
            },
        },
        "model": {
            "class_path": "seqmdn.models.WorldModel",
            "init_args": {
                "latents": latents,
                "backbone": {
                    "class_path": "seqmdn.backbones.LSTMBackbone",
                    "init_args": {"hidden": 8},
                },
            },
        },
        "training": {"optimizer": {"class_path": "torch.optim.AdamW", "init_args": {"lr": 0.01}}},
        "trainer": {"max_steps": 4, "val_check_interval": 4},
    }
    heads = {
        "rmdn": {"components": 2, "factorised": True},
        "frmdn": {"components": 2, "conditional": True},
    }
    (folder / "base.yaml").write_text(yaml.safe_dump(base))
    for name, options in heads.items():
        kind = "FlowMixtureHead" if name == "frmdn" else "MixtureHead"
        head = {"class_path": f"seqmdn.heads.{kind}", "init_args": options}
        content = {"model": {"init_args": {"head": head}}}
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(content))
    return folder
