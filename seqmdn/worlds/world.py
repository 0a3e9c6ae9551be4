"""What a world model is made of: eyes and a memory that belong together."""

from __future__ import annotations

__all__ = ["World", "load_world"]

from pathlib import Path

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from seqmdn.models import FrameVAE, WorldModel, encoder_sha256
from seqmdn.models.convolutions import CHANNELS, SIDE
from seqmdn.runs import load_run

_SHAPE = (SIDE, SIDE, CHANNELS)


class World:
    """The memory of a world, the eyes whose latents it remembers, and the actions it knows.

    Args:
        memory: The density of the next latents, reward and end.
        low: The least of each action ``(X,)``.
        high: The greatest of each action ``(X,)``.
        eyes: The autoencoder, or None where frames are neither seen nor shown.
        mean: What 0 stands for in the memory's latents, in the eyes' units ``(L,)``; 0 by default.
        std: What 1 stands for in them ``(L,)``; 1 by default.

    Raises:
        ValueError: If the parts do not fit each other.

    Example:
        >>> memory = WorldModel(features=34, context=3, latents=32)
        >>> world = World(memory, [-1, 0, 0], [1, 1, 1], FrameVAE(width=1))
        >>> frame = np.zeros((1, 64, 64, 3), np.uint8)
        >>> world.encode(frame, torch.zeros(1, 32)).shape, world.decode(torch.zeros(7, 32)).shape
        (torch.Size([1, 32]), (7, 64, 64, 3))
    """

    def __init__(
        self,
        memory: WorldModel,
        low: ArrayLike,
        high: ArrayLike,
        eyes: FrameVAE | None = None,
        mean: Tensor | None = None,
        std: Tensor | None = None,
    ) -> None:
        latents = memory.columns
        self.memory = memory
        self.eyes = eyes
        self.low = np.asarray(low, np.float32)
        self.high = np.asarray(high, np.float32)
        self.mean = torch.zeros(latents) if mean is None else mean
        self.std = torch.ones(latents) if std is None else std
        actions = (memory.context,)
        if self.low.shape != actions or self.high.shape != actions or (self.low > self.high).any():
            raise ValueError(
                f"expected bounds of {actions[0]} actions, the lower below the higher, found "
                f"{self.low.tolist()} and {self.high.tolist()}"
            )
        scale = [tuple(part.shape) for part in (self.mean, self.std)]
        seen = latents if eyes is None else eyes.latent
        if seen != latents or scale != [(latents,)] * 2:
            raise ValueError(
                f"expected eyes, means and deviations of {latents} latents, found eyes of {seen} "
                f"and shapes {scale}"
            )

    @property
    def observation(self) -> int:
        """The number of features of an observation [z, h]."""
        return self.memory.columns + self.memory.backbone.features

    def encode(self, frames: NDArray[np.uint8], noise: Tensor) -> Tensor:
        """Give what the eyes see, drawn from what they say of it, in the memory's units.

        Args:
            frames: Levels ``(..., 64, 64, 3)``.
            noise: Of a standard normal ``(..., L)``.

        Returns:
            ``(..., L)``.
        """
        eyes = self.require_eyes()
        levels = torch.tensor(frames.reshape(*frames.shape[:-3], -1))  # copied: it may be read-only
        with torch.no_grad():
            mu, logvar = eyes.encode(levels)
        return (mu + (0.5 * logvar).exp() * noise - self.mean) / self.std

    def decode(self, latents: Tensor) -> NDArray[np.uint8]:
        """Give the frames of latents ``(..., L)`` in the memory's units: ``(..., 64, 64, 3)``."""
        eyes = self.require_eyes()
        with torch.inference_mode():
            levels = eyes.decode(latents * self.std + self.mean)
        frames: NDArray[np.uint8] = levels.round().to(torch.uint8).numpy()
        return frames.reshape(*frames.shape[:-1], *_SHAPE)

    def require_eyes(self) -> FrameVAE:
        """Give the eyes, or raise ValueError where there are none."""
        if self.eyes is None:
            raise ValueError(
                "expected a world with eyes, found one of latents alone: give the run of the "
                "autoencoder that encoded them (load_world(memory, eyes=RUN))"
            )
        return self.eyes


def load_world(memory: Path, eyes: Path | None = None) -> World:
    """Load the memory of a world and the eyes that belong to it from their runs.

    Args:
        memory: The run of a :class:`seqmdn.models.WorldModel`.
        eyes: The run of the :class:`seqmdn.models.FrameVAE` that encoded its latents.

    Raises:
        FileNotFoundError: If there is no run.
        ValueError: If a run is of another kind of model, or the memory's latents were encoded by
            other eyes.
    """
    run = load_run(memory)
    if not isinstance(run.model, WorldModel) or not run.model.context:
        raise ValueError(
            f"{memory}: expected the run of a WorldModel that is given actions, found a "
            f"{type(run.model).__name__} with {run.description['context']} of them: train one by "
            "the recipe world_model/car_racing"
        )
    about = run.data.store.attributes
    actions = run.model.context
    # Data need not say what is possible: then it is the space that gymnasium recommends.
    low = about.get("action_low", np.full(actions, -1.0))
    high = about.get("action_high", np.full(actions, 1.0))
    if eyes is None:
        return World(run.model, low, high)
    seen = load_run(eyes)
    if not isinstance(seen.model, FrameVAE):
        raise ValueError(
            f"{eyes}: expected the run of a FrameVAE, found a {type(seen.model).__name__}: give "
            "the run that `seqmdn encode` was given"
        )
    found = encoder_sha256(seen.model)
    if about.get("encoder") != found:
        raise ValueError(
            f"{memory} remembers latents of the encoder {str(about.get('encoder'))[:12]}, {eyes} "
            f"is {found[:12]}: give the run that encoded {run.data.path}, or encode the frames by "
            "this one and train the memory anew"
        )
    scale = [torch.as_tensor(about[name]).float() for name in ("latent_mean", "latent_std")]
    return World(run.model, low, high, seen.model, *scale)
