"""The log score: likelihoods with their units and errors."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from seqmdn import linalg

__all__ = ["NegativeLogLikelihood", "bits_per_dim", "paired_difference"]


class NegativeLogLikelihood(Metric):
    r"""Averages the negative log-likelihood over sequences and keeps every sequence's own.

    .. math:: \frac1N \sum_n -\log p(y^{(n)}) / s_n

    The divisor s makes the unit: nats/frame where it is the number of frames that count,
    nats/sequence where it is 1. Every sequence weighs the same, however long. The value may be
    negative, as densities exceed 1. A NaN stays: the mean is NaN, and no sequence is dropped.

    Example:
        >>> nll = NegativeLogLikelihood()
        >>> nll.update(torch.tensor([-4.0, -9.0]), torch.tensor([2, 3]))
        >>> nll.compute(), nll.stderr()
        (tensor(2.5000), tensor(0.5000))
    """

    is_differentiable = False
    higher_is_better = False
    full_state_update = False
    sequences: list[Tensor]

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.add_state("sequences", default=[], dist_reduce_fx="cat")

    def update(self, log_prob: Tensor, size: Tensor | float = 1.0) -> None:
        """Adds a batch of sequences.

        Args:
            log_prob: log-likelihoods in nats, (B,), each of a whole sequence.
            size: the divisor, (B,) or one number, positive.

        Raises:
            ValueError: If shapes do not fit or a divisor is not positive.
        """
        size = torch.as_tensor(size, device=log_prob.device)
        if log_prob.dim() != 1 or size.shape not in ((), log_prob.shape):
            raise ValueError(
                "expected log_prob (B,) and size (B,) or one number;"
                f" found {tuple(log_prob.shape)} and {tuple(size.shape)}."
            )
        if not bool((size > 0).all()):
            raise ValueError(
                f"size must be positive; found a minimum of {float(size.min()):g}."
                " Leave out sequences of which no frame counts."
            )
        self.sequences.append(-linalg.widen(log_prob) / size)

    def compute(self) -> Tensor:
        """Returns the mean over all sequences, ()."""
        return self._all().double().mean().float()

    def stderr(self) -> Tensor:
        """Returns the standard error of the mean, (); NaN of fewer than two sequences.

        Like `compute`, it gathers from every process, so every process must call it.
        """
        values = self.values().double()
        if len(values) < 2:
            return torch.full((), math.nan, device=values.device)
        return (values.std() / math.sqrt(len(values))).float()

    def values(self) -> Tensor:
        """Returns the value of every sequence, (N,), in the order in which they came.

        Like `compute`, it gathers from every process, so every process must call it.
        """
        with self.sync_context(should_sync=not self._is_synced, should_unsync=not self._is_synced):
            return self._all()

    def _all(self) -> Tensor:
        if len(self.sequences) == 0:
            raise ValueError("no sequences to average: call update before compute.")
        return dim_zero_cat(self.sequences)


def bits_per_dim(
    nats_per_sequence: Tensor | float, dims_per_sequence: Tensor | float
) -> Tensor | float:
    r"""Returns bits per dimension, :math:`\text{nats} / (\text{dims} \log 2)`.

    Args:
        nats_per_sequence: negative log-likelihood of a sequence.
        dims_per_sequence: its number of values, frames times features.

    Example:
        >>> round(bits_per_dim(math.log(256) * 10, 10), 6)
        8.0
    """
    return nats_per_sequence / (dims_per_sequence * math.log(2))


def paired_difference(first: Tensor, second: Tensor) -> dict[str, float]:
    """Compares two models sequence by sequence; a negative `delta` says that the first is better.

    Args:
        first: negative log-likelihoods of the first model, (N,).
        second: those of the second on the same sequences in the same order, (N,).

    Returns:
        `delta`, the mean of first - second; `stderr`, the sample standard deviation of the
        differences over sqrt(N); `share_of_sequences_better`, where the first is better, ties
        counted half.

    Raises:
        ValueError: If the shapes differ or N is below 2.

    Example:
        >>> paired_difference(torch.tensor([1.0, 2.0]), torch.tensor([2.0, 5.0]))
        {'delta': -2.0, 'stderr': 1.0, 'share_of_sequences_better': 1.0}
    """
    if first.dim() != 1 or first.shape != second.shape or len(first) < 2:
        raise ValueError(
            "expected two tensors (N,) of the same sequences, N >= 2;"
            f" found {tuple(first.shape)} and {tuple(second.shape)}."
        )
    difference = first.double() - second.double()
    better = (difference < 0).double() + 0.5 * (difference == 0).double()
    # A NaN is neither below nor equal to 0; the share of an unknown comparison is unknown.
    better = torch.where(difference.isnan(), math.nan, better)
    return {
        "delta": difference.mean().item(),
        "stderr": (difference.std() / math.sqrt(len(difference))).item(),
        "share_of_sequences_better": better.mean().item(),
    }
