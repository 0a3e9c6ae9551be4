"""Draws that a seed decides, and where among them an observation stands."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution

from seqmdn.metrics.frames import FrameMean, counted_frames

__all__ = ["DrawnMean", "check_samples", "randomised_rank", "seeded"]


@contextmanager
def seeded(device: torch.device, *key: int) -> Iterator[None]:
    """Gives the block random numbers that the key decides and leaves torch's own as they were.

    Args:
        device: where the numbers are drawn; those of the CPU are seeded, too.
        key: whole numbers. With several processes, each has numbers of its own.

    Example:
        >>> with seeded(torch.device("cpu"), 1, 2):
        ...     first = torch.rand(3)
        >>> with seeded(torch.device("cpu"), 1, 2):
        ...     bool((torch.rand(3) == first).all())
        True
    """
    distributed = torch.distributed.is_available() and torch.distributed.is_initialized()
    seed = hash((*key, torch.distributed.get_rank() if distributed else 0)) % 2**63
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        # torch.manual_seed would seed devices that are not in use as well.
        torch.default_generator.manual_seed(seed)
        for each in devices:
            with torch.cuda.device(each):
                torch.cuda.manual_seed(seed)
        yield


def check_samples(samples: Tensor, value: Tensor, least: int = 2) -> int:
    """Returns S of draws (S, *value.shape).

    Raises:
        ValueError: If shapes do not fit or there are fewer than `least` draws.
    """
    count = samples.shape[0] if samples.dim() else 0
    if count < least or samples.shape[1:] != value.shape:
        raise ValueError(
            f"expected samples (S, *batch) with S >= {least} and value (*batch);"
            f" found {tuple(samples.shape)} and {tuple(value.shape)}."
        )
    return count


def randomised_rank(below: Tensor, count: int) -> Tensor:
    r"""Returns :math:`(k + U) / (S + 1)`, U uniform on (0, 1), of k draws below out of S.

    Uniform on (0, 1), exactly and for every S, where the observation is one more draw from the
    same distribution. As an estimate of a distribution function F its error is of the order of
    :math:`\sqrt{F (1 - F) / S}`. U comes from torch's own random numbers; see `seeded`.

    Args:
        below: k, whole numbers of any shape.
        count: S.

    Example:
        >>> rank = randomised_rank(torch.tensor([0, 3]), 3)
        >>> bool((rank[0] < 0.25) & (rank[1] > 0.75))
        True
    """
    below = below.to(torch.get_default_dtype())
    return (below + torch.rand_like(below)) / (count + 1)


class DrawnMean(FrameMean):
    """Averages a score that may need draws from the scored density.

    Args:
        columns: as of :class:`FrameMean`.
        draws: S, the draws of each frame, where none are handed over.
        seed: decides them, together with the number of the update and of the process.

    Raises:
        ValueError: If `draws` is below 2.
    """

    higher_is_better = False

    def __init__(
        self, columns: int | None = None, draws: int = 200, seed: int = 0, **kwargs: Any
    ) -> None:
        super().__init__(columns, **kwargs)
        if draws < 2:
            raise ValueError(f"expected draws of 2 or more; found {draws}.")
        self.draws = draws
        self.seed = seed

    def _prepare(
        self,
        distribution: Distribution,
        value: Tensor,
        mask: Tensor | None,
        samples: Tensor | None,
        observed: Tensor | None,
        needed: bool,
    ) -> tuple[Tensor, Tensor, Tensor | None, Tensor | None]:
        """Returns frames, mask, draws (S, *batch, D) where they are needed, and what was observed.

        The last one is None where everything was.
        """
        value, mask, observed = counted_frames(distribution, value, mask, observed)
        if samples is not None:
            check_samples(samples, value)
        elif needed:
            with seeded(value.device, self.seed, self.update_count):
                samples = distribution.sample(torch.Size([self.draws]))
        return value, mask, samples, observed
