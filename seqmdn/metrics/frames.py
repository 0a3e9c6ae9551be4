"""Means over the frames that count, sequence by sequence."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from seqmdn import linalg

__all__ = ["FrameMean", "counted_frames", "observed_mean"]


class FrameMean(Metric):
    r"""Averages a score over frames and keeps every sequence's own mean.

    .. math:: \bar s = \frac{\sum_n \sum_t w_{nt} s_{nt}}{\sum_n T_n}, \qquad
        \text{stderr}^2 = \frac{N}{N - 1}
        \frac{\sum_n \left(\sum_t w_{nt} (s_{nt} - \bar s)\right)^2}{\left(\sum_n T_n\right)^2}

    Every frame that counts weighs the same, or with the weights w that it is given, of which
    :math:`T_n` is then the sum. Frames of one sequence need not be independent, so the error is
    that of a ratio of sums over sequences; where all are of one length it is the standard error of
    the sequences' means. A NaN stays: the mean is NaN, and no frame is dropped.

    Args:
        columns: C, where each frame has so many scores, each averaged by itself; None for scores
            without that dimension. Of one column, results have none either.

    Raises:
        ValueError: If shapes do not fit, or a sequence has no frame that counts.

    References:
        Sampling Techniques, William G. Cochran, 3rd edition, 1977, chapter 6, for the ratio.

    Example:
        >>> mean = FrameMean()
        >>> score = torch.tensor([[1.0, 3.0], [5.0, math.nan]])
        >>> mean.update(score, torch.tensor([[True, True], [True, False]]))
        >>> mean.compute(), mean.values()
        (tensor(3.), tensor([2., 5.]))
    """

    is_differentiable = False
    full_state_update = False
    sums: list[Tensor]
    counts: list[Tensor]

    def __init__(self, columns: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.columns = columns
        self.add_state("sums", default=[], dist_reduce_fx="cat")
        self.add_state("counts", default=[], dist_reduce_fx="cat")

    def update(
        self, score: Tensor, mask: Tensor | None = None, weight: Tensor | None = None
    ) -> None:
        """Adds a batch of sequences.

        Args:
            score: (B, *time), or (B, *time, C) of several columns. Without a time dimension every
                frame is a sequence of its own.
            mask: boolean (B, *time), True where a frame counts; every frame by default. Where it
                is False the score may be anything, NaN included.
            weight: of each frame, (B, *time), not negative; 1 by default. Where it is 0 the score
                may be anything, too, and a sequence of no weight at all has the mean NaN and counts
                for nothing.
        """
        if self.columns is None:
            score = score.unsqueeze(-1)
        frames, columns = score.shape[:-1], self.columns or 1
        if score.dim() < 2 or score.shape[-1] != columns:
            wanted = "(B, *time)" if self.columns is None else f"(B, *time, {columns})"
            found = score.shape[:-1] if self.columns is None else score.shape
            raise ValueError(f"expected score {wanted}; found {tuple(found)}.")
        mask = _check_mask(mask, frames, score.device)
        counts = mask.unsqueeze(1).flatten(1).sum(-1)
        if not bool((counts > 0).all()):
            raise ValueError(
                "expected at least one frame that counts in every sequence; found none in sequence"
                f" {int((counts == 0).nonzero()[0])}. Leave such sequences out."
            )
        if weight is not None and weight.shape != frames:
            raise ValueError(
                f"expected weight {tuple(frames)}, one a frame; found {tuple(weight.shape)}."
            )
        score = linalg.widen(score)
        weight = mask.to(score) if weight is None else weight.to(score).where(mask, 0)
        score = score.where(weight.unsqueeze(-1) > 0, 0) * weight.unsqueeze(-1)
        self.sums.append(score.unsqueeze(1).flatten(1, -2).sum(1))  # (B, C)
        self.counts.append(weight.unsqueeze(1).flatten(1).sum(-1))

    def compute(self) -> Tensor:
        """Returns the mean over all frames, () or (C,)."""
        sums, counts = self._all()
        return self._squeezed((sums.sum(0) / counts.sum()).float())

    def stderr(self) -> Tensor:
        """Returns the standard error of the mean, () or (C,); NaN of fewer than two sequences.

        Like `compute`, it gathers from every process, so every process must call it.
        """
        sums, counts = self._gathered()
        sums, counts = sums[counts > 0], counts[counts > 0]
        if len(sums) < 2:
            return self._squeezed(sums.new_full(sums.shape[1:], math.nan).float())
        residual = sums - counts.unsqueeze(-1) * (sums.sum(0) / counts.sum())  # (N, C)
        error = (residual.square().sum(0) * len(sums) / (len(sums) - 1)).sqrt() / counts.sum()
        return self._squeezed(error.float())

    def values(self) -> Tensor:
        """Returns each sequence's mean, (N,) or (N, C), in the order in which they came.

        Like `compute`, it gathers from every process, so every process must call it.
        """
        sums, counts = self._gathered()
        return self._squeezed((sums / counts.unsqueeze(-1)).float())

    def _gathered(self) -> tuple[Tensor, Tensor]:
        with self.sync_context(should_sync=not self._is_synced, should_unsync=not self._is_synced):
            return self._all()

    def _all(self) -> tuple[Tensor, Tensor]:
        if len(self.sums) == 0:
            raise ValueError("no frames to average: call update before compute.")
        return dim_zero_cat(self.sums).double(), dim_zero_cat(self.counts).double()

    def _squeezed(self, result: Tensor) -> Tensor:
        # As torchmetrics does with what compute returns.
        return result.squeeze(-1) if self.columns in (None, 1) else result


def counted_frames(
    distribution: Distribution,
    value: Tensor,
    mask: Tensor | None,
    observed: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Returns the frames (*batch, D) to score, the mask (*batch) of those that count, and what was
    observed of them, (*batch, D), or None.

    A frame that does not count, which may hold anything, is replaced by the first one that does:
    it lies in the support of every density. What was not observed is NaN, so that no score can
    depend on it unseen.

    Raises:
        ValueError: If shapes do not fit, no frame counts or one that counts holds NaN where it was
            observed.

    Example:
        >>> from seqmdn.distributions import LowRankPrecisionNormal
        >>> normal = LowRankPrecisionNormal(torch.zeros(2, 1), torch.ones(2, 1))
        >>> counted_frames(normal, torch.tensor([[7.0], [math.nan]]), torch.tensor([True, False]))
        (tensor([[7.], [7.]]), tensor([ True, False]), None)
    """
    expected = (*distribution.batch_shape, *distribution.event_shape)
    if len(expected) < 2 or value.shape != expected:
        raise ValueError(
            "expected value (*batch, D) of the distribution's own shape (B, *time, D),"
            f" {tuple(expected)}; found {tuple(value.shape)}."
        )
    mask = _check_mask(mask, value.shape[:-1], value.device)
    if not bool(mask.any()):
        raise ValueError("expected at least one frame that counts; found none. Leave it out.")
    if observed is not None:
        if observed.dtype != torch.bool or observed.shape != value.shape:
            raise ValueError(
                f"expected observed boolean {tuple(value.shape)}, one a feature; found"
                f" {observed.dtype} of shape {tuple(observed.shape)}."
            )
        observed = observed.where(mask.unsqueeze(-1), observed[mask][0])
    missing = value.isnan() & mask.unsqueeze(-1)
    if observed is not None:
        missing = missing & observed
    if bool(missing.any()):
        *frame, feature = missing.nonzero()[0].tolist()
        raise ValueError(
            f"expected frames without NaN; found one in frame {tuple(frame)}, feature {feature}"
            f" ({int(missing.sum())} in all). Leave such frames out by the mask, or say by observed"
            " which features are missing."
        )
    value = value.where(mask.unsqueeze(-1), value[mask][0])
    return value if observed is None else value.where(observed, math.nan), mask, observed


def observed_mean(
    score: Tensor,  # (*batch, D, C)
    observed: Tensor | None,  # (*batch, D)
) -> tuple[Tensor, Tensor | None]:  # (*batch, C), (*batch,)
    """Returns the mean score of the observed features of each frame, and the share that they are.

    With the share as the frame's weight in a :class:`FrameMean`, every observed value weighs the
    same. Both are 0 where nothing was observed. The share is None where every feature was.

    Example:
        >>> score = torch.tensor([[[1.0], [5.0]], [[math.nan], [3.0]]])
        >>> observed_mean(score, torch.tensor([[True, True], [False, True]]))
        (tensor([[3.],
                [3.]]), tensor([1.0000, 0.5000]))
    """
    if observed is None:
        return score.mean(-2), None
    total = score.where(observed.unsqueeze(-1), 0).sum(-2)
    count = observed.sum(-1)
    return total / count.clamp(min=1).unsqueeze(-1), count.to(score) / observed.shape[-1]


def _check_mask(mask: Tensor | None, frames: torch.Size, device: torch.device) -> Tensor:
    if mask is None:
        return torch.ones(frames, dtype=torch.bool, device=device)
    if mask.dtype != torch.bool or mask.shape != frames:
        raise ValueError(
            f"expected a boolean mask {tuple(frames)}, one a frame; found {mask.dtype} of shape"
            f" {tuple(mask.shape)}."
        )
    return mask
