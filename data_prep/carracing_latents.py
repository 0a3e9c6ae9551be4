"""Writes what a VAE sees of CarRacing rollouts: latent means, log-variances and the actions between
them.

Reads ``series.npz`` as the World Models code writes it: ``mu`` and ``logvar`` (rollouts, steps, 32)
and ``action`` (rollouts, steps, 3), float16. Of the 45 rollouts, the last five are for the test,
the two before them for validation.

The rows are ``[mu', logvar']`` with ``mu' = (mu - mean) / std`` and ``logvar' = logvar - 2 log
std``, where mean and std (population) are those of mu over the first 40 rollouts: a draw of
``GaussianLatents`` is then z in units of that std. ``z * latent_std + latent_mean`` (attributes of
the store) is what the VAE decodes.

The action of a step is taken after its frame is seen, so that it says something about the next
frame: the context of frame t is action t - 1, and zeros for the first frame.

    python -m data_prep.carracing_latents --source FOLDER --out data/carracing_latents.h5

World Models (Ha, Schmidhuber, 2018), https://github.com/hardmaru/WorldModelsExperiments
"""

from __future__ import annotations

__all__ = ["prepare"]

from pathlib import Path

import numpy as np

from data_prep.sources import command_line, origin, read_arrays, require_file, run
from seqmdn.data import StoreWriter

TEST, VALID = 5, 2
ACTIONS = ("steer", "gas", "brake")


def prepare(source: Path, out: Path) -> None:
    """Writes the store from the folder that holds ``series.npz``."""
    path = source / "series.npz"
    arrays = _load(path)
    mu, logvar = arrays["mu"].astype(np.float64), arrays["logvar"].astype(np.float64)
    rollouts, _, latents = mu.shape
    seen = mu[: rollouts - TEST].reshape(-1, latents)
    mean, std = seen.mean(0), seen.std(0)
    if not (std > 0).all():
        raise ValueError(
            f"{path}: expected every latent to vary, found latent {int(std.argmin())} constant: "
            "the VAE has not been trained on these rollouts"
        )
    values = np.concatenate([(mu - mean) / std, logvar - 2 * np.log(std)], axis=-1)
    action = arrays["action"].astype(np.float32)
    context = np.concatenate([np.zeros_like(action[:, :1]), action[:, :-1]], axis=1)
    splits = ["train"] * (rollouts - TEST - VALID) + ["valid"] * VALID + ["test"] * TEST
    with StoreWriter(
        out,
        features=[f"{name} {latent}" for name in ("mu", "logvar") for latent in range(latents)],
        context=[f"previous {name}" for name in ACTIONS],
        name="carracing latents",
        unit="standard deviations of mu (first 40 rollouts)",
        step="environment step",
        source=[origin(path)],
        licence="MIT (World Models)",
        command="python -m data_prep.carracing_latents --source $SEQMDN_DATA/carracing",
        attributes={
            "kind": "series",
            "sequence": "rollout",
            "latent_mean": mean,
            "latent_std": std,
        },
    ) as writer:
        for rollout, split in enumerate(splits):
            writer.append(values[rollout], split, context=context[rollout])


def main(arguments: list[str] | None = None) -> None:
    """Runs the command line."""
    what, layout = "the latents of CarRacing rollouts", "series.npz"
    parser = command_line("carracing_latents", what, layout, folder="carracing")
    run(parser, prepare, arguments)


def _load(path: Path) -> dict[str, np.ndarray]:
    remedy = (
        "record rollouts and encode them with github.com/hardmaru/WorldModelsExperiments "
        "(carracing: extract.py, vae_train.py, series.py), then give the folder of series.npz as "
        "--source"
    )
    require_file(path, "the World Models series", remedy)
    names = ("mu", "logvar", "action")
    arrays = dict(zip(names, read_arrays(path, names, "download or record it again"), strict=True))
    steps = arrays["mu"].shape[:2]
    shapes = {name: array.shape for name, array in arrays.items()}
    if (
        arrays["mu"].ndim != 3
        or arrays["logvar"].shape != arrays["mu"].shape
        or arrays["action"].shape != (*steps, len(ACTIONS))
        or steps[0] <= TEST + VALID
    ):
        raise ValueError(
            f"{path}: expected mu and logvar of shape (rollouts, steps, latents) and action "
            f"(rollouts, steps, 3), more than {TEST + VALID} rollouts, found {shapes}"
        )
    return arrays


if __name__ == "__main__":
    main()
