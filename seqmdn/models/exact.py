"""Models that know the density of every frame, and not only a bound on it."""

from abc import abstractmethod
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution

from seqmdn.data import Batch
from seqmdn.models.frames import FrameModel, Seen, State

__all__ = ["ExactModel", "weighted_mean"]


class ExactModel(FrameModel):
    r"""A frame model whose density of a frame is exact, given the frames before it and the context.

    .. math:: \log p(y_{1:T} | x_{1:T}) = \sum_t \log p(y_t | y_{<t}, x_{\le t})

    Its arguments are those of :class:`FrameModel`. What is asked of densities beside their
    likelihood (CRPS, calibration, component use) works with every such model.
    """

    @abstractmethod
    def _predict(self, batch: Batch) -> tuple[Any, Seen]:
        """Return the densities of a batch's frames, and the batch as the model sees it."""

    def frame_log_prob(self, batch: Batch) -> Tensor:
        """Return the log-density of every frame given the frames before it, in nats.

        Args:
            batch: B sequences of at most T frames.

        Returns:
            ``(B, T)``, 0 at frames that do not count (padding and burn-in).
        """
        density, (z, ladj, *_, observed) = self._predict(batch)
        log_prob = density.log_prob(z) if observed is None else density.log_prob(z, observed)
        return (log_prob + ladj).where(batch.mask(), 0)

    def distributions(self, batch: Batch) -> tuple[Distribution, Tensor]:
        """Return the density of every frame given the real ones before it.

        Args:
            batch: B sequences of at most T frames.

        Returns:
            The distribution, of batch shape ``(B, T)`` and *in the transform's units*, and the mask
            ``(B, T)`` of the frames that count. ``Flowed(distribution, model.transform)`` is in the
            data's own units.
        """
        return self._predict(batch)[0], batch.mask()

    def log_prob(self, batch: Batch) -> Tensor:
        """Return each sequence's log-density ``(B,)`` in nats, a sum over the frames that count."""
        return self.frame_log_prob(batch).sum(dim=1)

    def loss(self, batch: Batch) -> Tensor:
        """Return the negative log-likelihood in nats a frame, a mean over all that count.

        Where the batch has weights, each frame counts as often as its sequence's weight says.
        """
        return -weighted_mean(self.frame_log_prob(batch), batch)

    def step(
        self,
        previous: Tensor | None,
        context: Tensor | None = None,
        state: State | None = None,
        batch_size: int = 1,
        observed: Tensor | None = None,
    ) -> tuple[Distribution, State]:
        """Go one step on and return the density of the next frame, *in the transform's units*.

        Args:
            previous: The frame before ``(B, D)`` in the transform's units, None before the first
                frame.
            context: Context of this step ``(B, X)``, where the model has one.
            state: State of the backbone after the step before, None before the first.
            batch_size: Number of sequences B, where previous is None.
            observed: Which features of the frame before were observed, boolean ``(B, D)``, where
                the model was made for missing ones; those that were not must be 0. None is all.

        Returns:
            The distribution (batch shape ``(B,)``) and the state.
        """
        h, state = self.advance(previous, context, state, batch_size, observed)
        return self.head(h), state


def weighted_mean(scores: Tensor, batch: Batch) -> Tensor:
    """Return the mean over frames that count of what is 0 at the others, by the batch's weights.

    Args:
        scores: ``(B, T)``.
        batch: The batch that they are of.

    Example:
        >>> batch = Batch(torch.zeros(2, 1, 1), torch.ones(2), weights=torch.tensor([3.0, 1.0]))
        >>> weighted_mean(torch.tensor([[1.0], [5.0]]), batch)
        tensor(2.)
    """
    if batch.weights is None:
        return scores.sum() / batch.frames().sum()
    weights = batch.weights.to(scores)
    # A batch of weights that are all 0 teaches nothing.
    total = (weights * batch.frames()).sum().clamp(min=torch.finfo(scores.dtype).tiny)
    return (weights * scores.sum(dim=1)).sum() / total
