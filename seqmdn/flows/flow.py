"""What all flows share: a chain of maps, their context, and how they begin."""

from collections.abc import Sequence

import torch
import zuko
from torch import Tensor, nn
from torch.distributions import Transform, constraints
from zuko.transforms import ComposedTransform

from seqmdn import linalg

__all__ = ["Flow", "VectorTransform", "require_sizes"]


class Flow(nn.Module):
    r"""Composes lazy transforms :math:`f = f_n \circ \dots \circ f_1`, starting as the identity.

    .. math:: \log p_Y(y) = \log p_Z(f(y)) + \log |\det \partial f / \partial y|

    Args:
        features: Number of features D of y and of z.
        context: Number of context features H, 0 for a map that is the same at every step.
        transforms: The lazy transforms, the one that y meets first at the front; zuko's couplings,
            autoregressive and elementwise maps are set to the identity.

    Raises:
        ValueError: If a context does not have H features, or is missing.

    Example:
        >>> from zuko.flows import MaskedAutoregressiveTransform
        >>> parts = [MaskedAutoregressiveTransform(3, 5) for _ in range(2)]
        >>> z, ladj = Flow(3, 5, parts)(torch.randn(10, 5)).call_and_ladj(torch.randn(10, 3))
        >>> z.shape, ladj.shape
        (torch.Size([10, 3]), torch.Size([10]))
    """

    def __init__(self, features: int, context: int, transforms: Sequence[nn.Module]) -> None:
        super().__init__()
        self.features = features
        self.context = context
        self.transforms = nn.ModuleList(transforms)
        for transform in self.transforms:
            if not isinstance(transform, Flow):
                _start_as_identity(transform)

    @linalg.full_precision
    def forward(self, context: Tensor | None = None) -> Transform:
        """Return the map for these contexts.

        Args:
            context: ``(*batch, H)``, or None where the flow has no context.

        Returns:
            A transform from y ``(*batch, D)`` to z ``(*batch, D)``; ``call_and_ladj`` gives z and
            the log-determinant ``(*batch,)``, ``inv`` the way back.
        """
        if self.context == 0:
            context = None
        elif context is None or context.shape[-1] != self.context:
            found = "none" if context is None else f"shape {tuple(context.shape)}"
            raise ValueError(f"this flow needs a context of {self.context} features, found {found}")
        return self._transform(context)

    @torch.no_grad()
    def initialise(self, values: Tensor, context: Tensor | None = None) -> None:
        """Set what a flow takes from data, part by part; most take nothing.

        Args:
            values: Frames ``(N, D)`` as the flow will meet them.
            context: Their contexts ``(N, H)``, or None where the flow has none.
        """
        context = None if self.context == 0 else context
        for transform in self.transforms:
            place = getattr(transform, "initialise", None)
            if place is not None:
                place(values, context)
            values = transform(context)(values)

    def _transform(self, context: Tensor | None) -> Transform:
        """Return the map for a context that fits."""
        return ComposedTransform(*(transform(context) for transform in self.transforms))


class VectorTransform(Transform):
    """A map of frames that gives its value and its log-determinant at once.

    A kind of it defines ``call_and_ladj``, (*batch, D) to (*batch, D) and (*batch,), and
    ``_inverse``.
    """

    domain = constraints.real_vector
    codomain = constraints.real_vector
    bijective = True

    def call_and_ladj(self, x: Tensor) -> tuple[Tensor, Tensor]:
        raise NotImplementedError

    def _call(self, x: Tensor) -> Tensor:
        return self.call_and_ladj(x)[0]

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return self.call_and_ladj(x)[1]


def require_sizes(context: int, **sizes: int) -> None:
    """Raise ValueError unless the context is at least 0 and every other size at least 1."""
    if context < 0:
        raise ValueError(f"context must be at least 0, found {context}")
    for name, size in sizes.items():
        if size < 1:
            raise ValueError(f"{name} must be at least 1, found {size}")


def _start_as_identity(transform: nn.Module) -> None:
    """Zero what makes zuko's univariate maps: with all their parameters at 0 they do nothing."""
    makers = list(getattr(transform, "phi", ()))  # a map that looks at nothing has no network
    if not makers:
        last = [m for m in transform.modules() if isinstance(m, nn.Linear | zuko.nn.Linear)][-1]
        makers = [last.weight, last.bias]
    for parameter in makers:
        nn.init.zeros_(parameter)
