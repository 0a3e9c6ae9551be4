"""What training asks of a model."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Protocol

from torch import Tensor, nn

__all__ = ["DensityBatch", "DensityModel"]


class DensityBatch(Protocol):
    """What training asks of a batch: how many frames of each example count."""

    def frames(self) -> Tensor:  # (B,)
        """Count the frames of each example."""
        ...


class DensityModel(nn.Module, ABC):
    """A model of a density: something to minimise in training, and the log-density itself.

    The two differ where the density is only bounded, or where training weighs frames otherwise.
    """

    @abstractmethod
    def loss(self, batch: Any) -> Tensor:
        """Return what training minimises, a scalar."""

    def loss_weight(self, batch: Any) -> Tensor:  # ()
        """Return how much a batch counts in the loss of a larger one that it is a part of.

        Losses are means over the frames that count, each as often as its sequence's weight says.
        """
        frames: Tensor = batch.frames()
        weights: Tensor | None = getattr(batch, "weights", None)
        return frames.sum() if weights is None else (weights * frames).sum()

    @abstractmethod
    def log_prob(self, batch: Any) -> Tensor:  # (B,)
        """Return the log-density of each example, or its bound, in nats of the data's own units."""

    def validation_log_prob(self, batch: Any) -> Tensor:  # (B,)
        """Return what chooses the best step of a training: ``log_prob``, or a cheaper bound."""
        return self.log_prob(batch)

    @property
    def bound(self) -> str:
        """Say which lower bound ``log_prob`` returns, nothing where it is the log-density."""
        return ""

    def bounds(self) -> dict[str, Callable[[Any], Tensor]]:
        """Return what gives other lower bounds ``(B,)`` of a batch, in nats, by their names."""
        return {}

    def parts(self) -> dict[str, Callable[[Any], Tensor]]:
        """Return what gives parts that add up to ``log_prob``, of sequences or of their frames.

        By their names, in nats; none where the density is one whole.
        """
        return {}

    def logged(self) -> dict[str, Tensor]:
        """Return scalars of the last loss that are worth a curve, by their names."""
        return {}

    def initialise(self, values: Tensor, context: Tensor | None = None) -> None:
        """Look at training frames ``(N, D)``, in the data's units, before training begins.

        And at the context of each ``(N, X)``, where there is one.
        """
