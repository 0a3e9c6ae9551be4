"""Invertible maps f(y | h) with tractable Jacobians: the only door to the flow library.

A flow is a module whose ``forward(context)`` returns a :class:`torch.distributions.Transform`
with ``call_and_ladj(y) -> (z, ladj)``; without context it is the same map at every time step.
Any zuko ``LazyTransform`` is such a module and can be named in a configuration as it is.
Ours add three things to zuko's: they begin as the identity, so that a flow before a mixture starts
as that mixture; they say what is wrong with their arguments; and they keep torch's validation on.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
import zuko
from torch import Tensor, nn
from torch.distributions import Distribution, Transform
from zuko.flows import GeneralCouplingTransform, MaskedAutoregressiveTransform
from zuko.transforms import ComposedTransform, MonotonicAffineTransform, MonotonicRQSTransform

from seqmdn import linalg

__all__ = ["AffineCoupling", "Flow", "MaskedAutoregressive", "SplineCoupling"]

# Importing zuko turns argument validation off for every distribution of the process.
Distribution.set_default_validate_args(__debug__)


class Flow(nn.Module):
    r"""Composes lazy transforms :math:`f = f_n \circ \dots \circ f_1`, starting as the identity.

    .. math:: \log p_Y(y) = \log p_Z(f(y)) + \log |\det \partial f / \partial y|

    Args:
        features: Number of features D of y and of z.
        context: Number of context features H, 0 for a map that is the same at every step.
        transforms: The lazy transforms, the one that y meets first at the front.

    Raises:
        ValueError: If a context does not have H features, or is missing.

    Example:
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
        return ComposedTransform(*(transform(context) for transform in self.transforms))


class AffineCoupling(Flow):
    r"""Affine couplings: one half of the features scales and shifts the other, in turn.

    .. math:: z_a = y_a, \quad z_b = y_b \exp(s(y_a, h)) + t(y_a, h)

    The default is the form of the FRMDN paper: two couplings, networks of four linear layers with
    LeakyReLU between them. Both directions cost one pass.

    Args:
        features: Number of features D, at least 2.
        context: Number of context features H, 0 for none.
        transforms: Number of couplings.
        hidden: Width of the networks.
        layers: Linear layers in each network.

    Raises:
        ValueError: If D < 2 (nothing to couple) or a size is below 1.

    References:
        Density estimation using Real NVP (Dinh, Sohl-Dickstein, Bengio, 2017).

    Example:
        >>> flow = AffineCoupling(features=4)
        >>> y = torch.randn(10, 4)
        >>> z, ladj = flow().call_and_ladj(y)
        >>> torch.equal(z, y), ladj.shape  # begins as the identity
        (True, torch.Size([10]))
    """

    def __init__(
        self,
        features: int,
        context: int = 0,
        transforms: int = 2,
        hidden: int = 64,
        layers: int = 4,
    ) -> None:
        super().__init__(
            features,
            context,
            _couplings(features, context, transforms, hidden, layers),
        )


class SplineCoupling(Flow):
    r"""Couplings whose halves pass through monotonic rational-quadratic splines.

    .. math:: z_a = y_a, \quad z_b = g(y_b; \theta(y_a, h))

    Inside ``[-bound, bound]`` each transformed feature follows a spline of ``bins`` pieces; outside
    it is left as it is, so that far tails stay those of the mixture. Both directions cost one pass.

    Args:
        features: Number of features D, at least 2.
        context: Number of context features H, 0 for none.
        transforms: Number of couplings.
        hidden: Width of the networks.
        layers: Linear layers in each network.
        bins: Pieces of each spline, at least 2.
        bound: Half width of the splines' box, in units of y.

    Raises:
        ValueError: If D < 2, bins < 2, bound <= 0 or a size is below 1.

    References:
        Neural Spline Flows (Durkan, Bekasov, Murray, Papamakarios, 2019).

    Example:
        >>> flow = SplineCoupling(features=2, context=3, bound=4.0)
        >>> z, ladj = flow(torch.zeros(3)).call_and_ladj(torch.tensor([1.0, 100.0]))
        >>> z.tolist(), ladj.abs() < 1e-5  # begins as the identity
        ([1.0, 100.0], tensor(True))
    """

    def __init__(
        self,
        features: int,
        context: int = 0,
        transforms: int = 2,
        hidden: int = 64,
        layers: int = 3,
        bins: int = 8,
        bound: float = 5.0,
    ) -> None:
        spline = _spline(bins, bound)
        super().__init__(
            features,
            context,
            _couplings(features, context, transforms, hidden, layers, **spline),
        )


class MaskedAutoregressive(Flow):
    r"""Masked autoregressive maps: each feature is moved given the features before it.

    .. math:: z_i = g(y_i; \theta_i(y_{<i}, h))

    The density costs one pass, a draw costs D of them. The order of the features is reversed from
    one transform to the next. A single feature is moved given the context alone.

    Args:
        features: Number of features D.
        context: Number of context features H, 0 for none.
        transforms: Number of autoregressive maps.
        hidden: Width of the networks.
        layers: Linear layers in each network.
        univariate: What moves a feature: ``"affine"`` or ``"spline"``.
        bins: Pieces of each spline, at least 2.
        bound: Half width of the splines' box, in units of y.

    Raises:
        ValueError: If univariate is unknown, bins < 2, bound <= 0 or a size is below 1.

    References:
        Masked Autoregressive Flow for Density Estimation (Papamakarios, Pavlakou, Murray, 2017).

    Example:
        >>> flow = MaskedAutoregressive(features=3, univariate="spline")
        >>> y = torch.tensor([0.5, -1.0, 2.0])
        >>> torch.allclose(flow().inv(flow()(y)), y)
        True
    """

    def __init__(
        self,
        features: int,
        context: int = 0,
        transforms: int = 2,
        hidden: int = 64,
        layers: int = 3,
        univariate: str = "affine",
        bins: int = 8,
        bound: float = 5.0,
    ) -> None:
        if univariate not in ("affine", "spline"):
            raise ValueError(f"univariate must be 'affine' or 'spline', found {univariate!r}")
        _require_sizes(
            context, features=features, transforms=transforms, hidden=hidden, layers=layers
        )
        options: dict[str, Any] = {
            "hidden_features": [hidden] * (layers - 1),
            "activation": nn.LeakyReLU,
            **(_spline(bins, bound) if univariate == "spline" else _AFFINE),
        }
        forward = torch.arange(features)
        super().__init__(
            features,
            context,
            [
                MaskedAutoregressiveTransform(
                    features, context, order=forward if i % 2 == 0 else forward.flip(0), **options
                )
                for i in range(transforms)
            ],
        )


_AFFINE: dict[str, Any] = {"univariate": MonotonicAffineTransform, "shapes": [(), ()]}


def _spline(bins: int, bound: float) -> dict[str, Any]:
    if bins < 2:
        raise ValueError(f"a spline needs at least 2 bins, found {bins}")
    if not bound > 0:
        raise ValueError(f"a spline's bound must be positive, found {bound}")
    return {
        "univariate": partial(MonotonicRQSTransform, bound=bound),
        "shapes": [(bins,), (bins,), (bins - 1,)],
    }


def _couplings(
    features: int,
    context: int,
    transforms: int,
    hidden: int,
    layers: int,
    univariate: Callable[..., Transform] = MonotonicAffineTransform,
    shapes: Sequence[tuple[int, ...]] = ((), ()),
) -> list[nn.Module]:
    _require_sizes(context, features=features, transforms=transforms, hidden=hidden, layers=layers)
    if features < 2:
        raise ValueError(
            f"a coupling needs at least 2 features, found {features}: "
            "use MaskedAutoregressive for one feature"
        )
    return [
        GeneralCouplingTransform(
            features,
            context,
            mask=torch.arange(features) % 2 == i % 2,
            univariate=univariate,
            shapes=shapes,
            hidden_features=[hidden] * (layers - 1),
            activation=nn.LeakyReLU,
        )
        for i in range(transforms)
    ]


def _require_sizes(context: int, **sizes: int) -> None:
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
