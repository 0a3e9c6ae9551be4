"""A store of frames as an autoencoder sees it: the store of latents that a memory learns."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from numpy.typing import NDArray

from seqmdn.data import SPLITS, Store, StoreWriter
from seqmdn.models import FrameVAE, encoder_sha256
from seqmdn.models.convolutions import CHANNELS, SIDE
from seqmdn.runs.frames import require_vae
from seqmdn.runs.run import Run, origin_of_checkpoint

__all__ = ["BEHIND", "encode_frames"]

#: Columns of the context of frames that are columns of the latents: what a world answers.
BEHIND = ("reward", "end")

_FORM = {"height": SIDE, "width": SIDE, "channels": CHANNELS}
# What a store of frames says of itself, and not of the world that they are of.
_OWN = {"format", "version", "name", "unit", "features", "context", "source", "command"}
_OF_FRAMES = {*_OWN, *_FORM, "kind", "levels", "step", "licence", "latent_mean", "latent_std"}

Encoded = Callable[[int, int], None]


def encode_frames(
    run: Run,
    out: Path,
    batch_size: int = 256,
    command: str = "",
    encoded: Encoded | None = None,
) -> None:
    r"""Write the latents of all frames of a store, its sequences and splits as they are.

    The columns are ``mu 0`` ... and ``logvar 0`` ... with :math:`\mu' = (\mu - m) / s` and
    :math:`\log \sigma'^2 = \log \sigma^2 - 2 \log s`, where m and s are mean and standard deviation
    (population) of :math:`\mu` over the frames of the split "train", a number a latent: a draw of
    :class:`seqmdn.data.GaussianLatents` is z in units of s, and ``z * latent_std + latent_mean``
    (attributes of the store) is what the autoencoder decodes. Behind them stand ``reward`` and
    ``end`` where they are in the context of the frames; what else is in it, the actions, is the
    context of the latents. The attribute ``encoder`` is the model's
    :func:`seqmdn.models.encoder_sha256`.

    Frames are read and encoded ``batch_size`` at a time. What the encoder says of them waits in a
    nameless file beside ``out``, since m and s are known only at the end.

    Args:
        run: The run of a :class:`seqmdn.models.FrameVAE`; its store is encoded.
        out: The store to write, there whole or not at all.
        batch_size: Frames that are encoded together.
        command: The command that does it, for the record.
        encoded: Called after each of them with the frames done and all frames.

    Raises:
        ValueError: If the run's model is another, the store is not one of frames, or has only one
            of reward and end, no sequences to standardise by, or a latent does not vary over them.
    """
    model = require_vae(run)
    if batch_size < 1:
        raise ValueError(f"expected a batch of 1 frame or more, found {batch_size}")
    with Store(run.data.path) as frames:
        _check(frames, out)
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out.parent) as waiting:
            mean, std = _encode(model, frames, waiting, batch_size, encoded)
            waiting.seek(0)
            _write(run, model, frames, waiting, out, mean, std, command)


def _check(frames: Store, out: Path) -> None:
    form = {key: frames.attributes.get(key) for key in _FORM}
    if form != _FORM or frames.missing:
        raise ValueError(
            f"{frames.path}: expected a store of frames with the attributes {_FORM}, none missing, "
            f"found {form}: prepare one (python -m data_prep.car_racing_record)"
        )
    behind = [name for name in BEHIND if name in frames.context_names]
    if len(behind) == 1:
        raise ValueError(
            f"{frames.path}: expected reward and end in the context, or neither, found {behind[0]} "
            "alone: collect the frames again"
        )
    if not len(frames.indices("train")):
        raise ValueError(
            f"{frames.path}: expected sequences of split 'train' to standardise latents by, found "
            "none: encode a store that has some"
        )
    if out.exists() and out.samefile(frames.path):
        raise ValueError(f"{out}: expected another file than that of the frames: choose --out")


def _encode(
    model: FrameVAE, frames: Store, waiting: IO[bytes], batch_size: int, encoded: Encoded | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:  # (Z,), (Z,)
    """Write mu, logvar and context as they are; return mean and deviation of mu in training."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = model.to(device)
    moments, done = _Moments(model.latent), 0
    for index, length in enumerate(frames.lengths.tolist()):
        for start in range(0, length, batch_size):
            levels, context = frames.read(index, start, min(start + batch_size, length))
            with torch.inference_mode():
                both = torch.cat(model.encode(torch.from_numpy(levels).to(device)), dim=1)
            rows = both.float().cpu().numpy()
            beside = rows if context is None else np.concatenate([rows, context], axis=1)
            waiting.write(beside.astype(np.float32).tobytes())
            if frames.splits[index] == SPLITS.index("train"):
                moments.update(rows[:, : model.latent])
            done += len(rows)
            if encoded is not None:
                encoded(done, frames.frames)
    mean, std = moments.mean, np.sqrt(moments.squares / moments.count)
    if not (std > 0).all():
        raise ValueError(
            f"{frames.path}: expected every latent to vary over the training frames, found latent "
            f"{int(std.argmin())} constant: train the autoencoder on frames such as these, or "
            "longer"
        )
    return mean, std


def _write(
    run: Run,
    model: FrameVAE,
    frames: Store,
    waiting: IO[bytes],
    out: Path,
    mean: NDArray[np.float64],
    std: NDArray[np.float64],
    command: str,
) -> None:
    """Write the store of what waits, standardised."""
    Z = model.latent
    names = frames.context_names
    behind = [names.index(name) for name in BEHIND if name in names]
    known = [column for column in range(len(names)) if column not in behind]
    kept = {
        key: value
        for key, value in frames.attributes.items()
        if key not in _OF_FRAMES and _is_plain(value)
    }
    with StoreWriter(
        out,
        features=[f"{name} {latent}" for name in ("mu", "logvar") for latent in range(Z)]
        + [names[column] for column in behind],
        context=[names[column] for column in known],
        name=f"{frames.name} latents",
        unit="standard deviations of mu (training sequences)",
        step=frames.attributes["step"],
        source=[
            origin_of_checkpoint(run.checkpoint),
            {"file": frames.path.name, "sha256": frames.sha256},
        ],
        licence=frames.attributes["licence"],
        command=command,
        attributes={
            **kept,
            "kind": "series",
            "latent_mean": mean,
            "latent_std": std,
            "encoder": encoder_sha256(model),
        },
    ) as writer:
        for index, length in enumerate(frames.lengths.tolist()):
            content = waiting.read(length * (2 * Z + len(names)) * 4)
            rows = np.frombuffer(content, np.float32).reshape(length, -1).astype(np.float64)
            mu, logvar, context = np.split(rows, [Z, 2 * Z], axis=1)
            values = [(mu - mean) / std, logvar - 2 * np.log(std), context[:, behind]]
            writer.append(
                np.concatenate(values, axis=1),
                SPLITS[frames.splits[index]],
                context=context[:, known] if known else None,
            )


def _is_plain(value: Any) -> bool:
    return isinstance(value, str) or np.asarray(value).dtype.kind in "biuf"


class _Moments:
    """Mean and sum of squared deviations of rows that come a few at a time.

    References:
        Updating Formulae and a Pairwise Algorithm for Computing Sample Variances (Chan, Golub,
        LeVeque, 1979).
    """

    def __init__(self, features: int) -> None:
        self.count = 0
        self.mean, self.squares = np.zeros(features), np.zeros(features)

    def update(self, rows: NDArray[np.float32]) -> None:
        values = rows.astype(np.float64)
        mean, count = values.mean(0), self.count + len(values)
        apart = mean - self.mean
        self.squares += np.square(values - mean).sum(0)
        self.squares += np.square(apart) * self.count * len(values) / count
        self.mean = self.mean + apart * len(values) / count
        self.count = count
