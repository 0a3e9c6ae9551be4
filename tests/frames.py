"""Frames of a world of one square, and an autoencoder of them that trains in seconds."""

from pathlib import Path
from typing import Any

import numpy as np
import yaml

from seqmdn.configuration import fit_parser
from seqmdn.data import StoreWriter
from seqmdn.runs import fit

EPISODES = {"train": 3, "valid": 1, "test": 2}
ACTIONS = ["previous steer", "previous gas", "previous brake"]
PIXELS = 64 * 64 * 3


def write_frames(
    path: Path,
    answers: tuple[str, ...] = ("reward", "end"),
    episodes: dict[str, int] = EPISODES,
    length: int = 5,
    **attributes: Any,
) -> Path:
    """A store of episodes in which a bright square wanders; ``answers`` stand behind actions."""
    rng = np.random.default_rng(3)
    names = [f"{c} {y} {x}" for y in range(64) for x in range(64) for c in ("red", "green", "blue")]
    form: dict[str, Any] = {"height": 64, "width": 64, "channels": 3}
    with StoreWriter(
        path,
        names,
        context=[*ACTIONS, *answers],
        name="squares",
        unit="pixel level",
        step="environment step",
        licence="none",
        attributes={"kind": "frames", "sequence": "episode", **form, "world": "flat", **attributes},
    ) as writer:
        for split, count in episodes.items():
            for episode in range(count):
                frames = np.full((length + episode, 64, 64, 3), 30)
                for frame in frames:
                    y, x = rng.integers(0, 40, size=2)
                    frame[y : y + 24, x : x + 24] = rng.integers(100, 256, size=3)
                known = rng.standard_normal((len(frames), 3 + len(answers)))
                if "end" in answers:
                    known[:, 3 + answers.index("end")] = np.arange(len(frames)) == len(frames) - 1
                writer.append(frames.reshape(len(frames), -1), split, context=known)
    return path


def write_vae_recipe(folder: Path, store: Path, **model: Any) -> list[str]:
    """Write a recipe; return the arguments of ``seqmdn fit`` for it."""
    folder.mkdir(parents=True, exist_ok=True)
    content = {
        "data": {
            "class_path": "seqmdn.data.SequenceDataModule",
            "init_args": {
                "path": str(store),
                "noise": "seqmdn.data.UniformDequantise",
                "batch_size": 4,
                "window": 1,
                "eval_batch_size": 1,
            },
        },
        "model": {
            "class_path": "seqmdn.models.FrameVAE",
            "init_args": {"width": 2, "latent": 3, "samples": 2, **model},
        },
        "trainer": {"max_steps": 3, "val_check_interval": 3},
    }
    (folder / "base.yaml").write_text(yaml.safe_dump(content))
    (folder / "vae.yaml").write_text("model: {class_path: seqmdn.models.FrameVAE}\n")
    return ["-c", f"{folder}/base.yaml"]


def train_vae(folder: Path, **model: Any) -> Path:
    """Train on frames that are written beside the run; return the run's folder."""
    words = write_vae_recipe(folder / "recipe", write_frames(folder / "frames.h5"), **model)
    fit(fit_parser().parse_args(words), folder / "run")
    return folder / "run"
