"""Single frames of a run's autoencoder beside real ones."""

import numpy as np
import torch
from torch import Tensor

from seqmdn.models import FrameVAE
from seqmdn.runs.run import Run

__all__ = ["draw_frames", "reconstruct_frames", "require_vae"]

_REAL = 0  # seed of which real frames are shown


def draw_frames(
    run: Run, num: int, split: str = "test", seed: int = 0
) -> tuple[Tensor, Tensor]:  # (num, D), (num, D)
    """Decode latents that are drawn from their prior: mean frames, without the noise of a pixel.

    Args:
        run: The run of a :class:`seqmdn.models.FrameVAE`.
        num: Number of frames S.
        split: Where the real frames come from.
        seed: Seed of the draws; the state of torch's global generators is not touched.

    Returns:
        Drawn and real frames ``(S, D)``, levels from 0 to 255. The real ones are some of the
        split, always the same.

    Raises:
        ValueError: If the run's model is another, or there is no frame to draw.
    """
    model = require_vae(run)
    real = _real(run, num, split)
    z = torch.randn(num, model.latent, generator=torch.Generator().manual_seed(seed))
    with torch.inference_mode():
        return model.decode(z.to(model.log_scale)).cpu(), real


def reconstruct_frames(
    run: Run, num: int, split: str = "test"
) -> tuple[Tensor, Tensor]:  # (num, D), (num, D)
    """Encode real frames and decode the means of their latents.

    Arguments and errors are those of :func:`draw_frames`.

    Returns:
        Reconstructed and real frames ``(S, D)``, levels from 0 to 255.
    """
    model = require_vae(run)
    real = _real(run, num, split)
    with torch.inference_mode():
        return model.reconstruct(real.to(model.log_scale)).cpu(), real


def require_vae(run: Run) -> FrameVAE:
    """Return the model of a run of frames.

    Raises:
        ValueError: If it is another one.
    """
    if not isinstance(run.model, FrameVAE):
        raise ValueError(
            f"expected the run of a FrameVAE, found one of a {type(run.model).__name__}: train one "
            "on frames (recipes/world_model/car_racing_frames)"
        )
    return run.model


def _real(run: Run, num: int, split: str) -> Tensor:  # (num, D)
    """Read frames as they are stored, without noise: some of a split, always the same ones."""
    if num < 1:
        raise ValueError(f"expected 1 frame or more, found {num}")
    store = run.data.store
    indices = store.indices(split)
    if not len(indices):
        raise ValueError(
            f"{store.path}: expected sequences of split {split!r}, found none: name another split"
        )
    ends = np.cumsum(store.lengths[indices])
    frames = []
    # At random, since every so many-th frame may be the first of its episode.
    total = int(ends[-1])
    places = np.random.default_rng(_REAL).choice(total, num, replace=num > total)
    for place in np.sort(places):
        row = int(np.searchsorted(ends, place, side="right"))
        time = int(place - ends[row] + store.lengths[indices[row]])
        frames.append(store.read(int(indices[row]), time, time + 1)[0])
    return torch.from_numpy(np.concatenate(frames))
