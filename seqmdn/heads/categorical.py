"""The head of a classifier: the probabilities of classes."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from seqmdn import linalg
from seqmdn.distributions import Classes

__all__ = ["CategoricalHead"]


class CategoricalHead(nn.Module):
    r"""Probabilities of C classes of each feature, given h.

    .. math:: P(y | h) = \prod_d \text{softmax}(\text{layer}(h)_d)_{y_d}

    With :class:`seqmdn.models.MDN` it makes a classifier: rows of a store whose values are numbers
    of classes, 0 to C - 1, and whose context is what they are told from. Values are taken as they
    are, so that the model's transform is :class:`seqmdn.data.Identity`. The NLL is the
    cross-entropy in nats a row.

    Args:
        features: Number of features D of a frame, one for a single label.
        context: Number of features H of h.
        classes: C, the same for every feature.
        layer: Makes the layer from its numbers of inputs and outputs: ``nn.Linear`` by default, or
            :class:`seqmdn.backbones.UGMMLinear`, whose outputs are log-densities.

    Raises:
        ValueError: If a size is below 1, or there are fewer than 2 classes.

    Example:
        >>> head = CategoricalHead(features=1, context=16, classes=10)
        >>> density = head(torch.zeros(4, 16))
        >>> density
        Classes(classes=10, batch_shape=(4,), event_shape=(1,))
        >>> density.log_prob(torch.zeros(4, 1)).shape
        torch.Size([4])
    """

    def __init__(
        self,
        features: int,
        context: int,
        classes: int = 10,
        layer: Callable[[int, int], nn.Module] = nn.Linear,
    ) -> None:
        super().__init__()
        least = {"features": (features, 1), "context": (context, 1), "classes": (classes, 2)}
        for name, (size, bound) in least.items():
            if size < bound:
                raise ValueError(f"{name} must be at least {bound}, found {size}")
        self.features = features
        self.context = context
        self.classes = classes
        self.projection = layer(context, features * classes)

    def forward(self, h: Tensor) -> Classes:
        """Return the probabilities of the next frame's classes.

        Args:
            h: Features ``(*batch, H)``.

        Returns:
            A distribution with batch shape ``batch`` and event shape ``(D,)``, in float32 or wider
            even under autocast.

        Raises:
            ValueError: If h does not have H features.
        """
        if h.shape[-1] != self.context:
            raise ValueError(f"h must have {self.context} features, found shape {tuple(h.shape)}")
        logits = linalg.widen(self.projection(h))
        return Classes(logits.unflatten(-1, (self.features, self.classes)))

    @torch.no_grad()
    def initialise(self, values: Tensor) -> None:
        """Begin with the classes' shares of the data, where the layer has a bias.

        Args:
            values: Frames ``(N, D)``, NaN where one is missing.

        Raises:
            ValueError: If the frames have other features than the head, or hold no classes.
        """
        if values.ndim != 2 or values.shape[1] != self.features or not len(values):
            raise ValueError(
                f"values must have shape (N, {self.features}), found {tuple(values.shape)}"
            )
        seen = values[~values.isnan()]
        if bool(((seen != seen.round()) | (seen < 0) | (seen >= self.classes)).any()):
            raise ValueError(
                f"expected classes 0 to {self.classes - 1} as whole numbers, found values from "
                f"{float(seen.min()):g} to {float(seen.max()):g}: number the classes from 0 (the "
                "head's argument classes says how many there are), and leave values as they are "
                "(--model.transform seqmdn.data.Identity)"
            )
        bias = getattr(self.projection, "bias", None)
        if isinstance(bias, Tensor):
            shares = torch.nn.functional.one_hot(values.nan_to_num(0).long(), self.classes)
            count = (shares * ~values.isnan().unsqueeze(-1)).sum(0).to(bias)  # (D, C)
            # One more of each: a class that is not in the data is rare, not impossible.
            bias.copy_(((count + 1) / (count + 1).sum(-1, keepdim=True)).log().flatten())

    def extra_repr(self) -> str:
        return f"features={self.features}, classes={self.classes}"
