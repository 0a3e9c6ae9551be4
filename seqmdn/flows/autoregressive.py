"""Autoregressive maps: each feature moves, given those before it."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Transform
from zuko.flows import MaskedAutoregressiveTransform

from seqmdn.flows.flow import Flow, VectorTransform, require_sizes
from seqmdn.flows.networks import Parameters, frames_last
from seqmdn.flows.rational_quadratic import RationalQuadratic
from seqmdn.flows.univariate import Affine, Univariate

__all__ = ["InverseAutoregressive", "MaskedAutoregressive"]


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
        require_sizes(
            context, features=features, transforms=transforms, hidden=hidden, layers=layers
        )
        maps: Univariate = Affine() if univariate == "affine" else RationalQuadratic(bins, bound)
        forward = torch.arange(features)
        super().__init__(
            features,
            context,
            [
                _Autoregressive(
                    features,
                    context,
                    order=forward if i % 2 == 0 else forward.flip(0),
                    univariate=maps.reference,
                    shapes=maps.sizes,
                    hidden_features=[hidden] * (layers - 1),
                    activation=nn.LeakyReLU,
                    maps=maps,
                )
                for i in range(transforms)
            ],
        )


class InverseAutoregressive(MaskedAutoregressive):
    r"""Autoregressive maps the other way round: each feature of y given those of z before it.

    .. math:: y_i = g(z_i; \theta_i(z_{<i}, h))

    A draw costs one pass; the density of a frame, and a step of training, cost D passes, one
    after the other: it is for models that draw more often than they score. The two directions of
    :class:`MaskedAutoregressive` changed places, with its arguments; the box of splines is in units
    of z.

    Raises:
        ValueError: As :class:`MaskedAutoregressive`.

    References:
        Improved Variational Inference with Inverse Autoregressive Flow (Kingma, Salimans,
        Jozefowicz, Chen, Sutskever, Welling, 2016).

    Example:
        >>> flow = InverseAutoregressive(features=3)
        >>> y = torch.tensor([0.5, -1.0, 2.0])
        >>> torch.equal(flow()(y), y)  # begins as the identity
        True
    """

    def _transform(self, context: Tensor | None) -> Transform:
        return super()._transform(context).inv


class _Autoregressive(MaskedAutoregressiveTransform):
    """zuko's autoregressive map, its masked network, evaluated by our transform.

    For one feature zuko makes an elementwise map instead, which stays as it is.
    """

    def __new__(cls, features: int, context: int, *, maps: Univariate, **options: Any) -> Any:
        return super().__new__(cls, features, context, **options)

    def __init__(self, features: int, context: int, *, maps: Univariate, **options: Any) -> None:
        super().__init__(features, context, **options)
        self.maps = maps
        self.turns: list[int] = self.order.argsort().tolist()  # feature after feature

    def forward(self, c: Tensor | None = None) -> Transform:
        return _AutoregressiveTransform(self, c)


class _AutoregressiveTransform(VectorTransform):
    def __init__(self, owner: _Autoregressive, context: Tensor | None) -> None:
        super().__init__()
        self.maps, self.turns = owner.maps, owner.turns
        layers = [layer for layer in owner.hyper if hasattr(layer, "weight")]
        weights = [layer.mask * layer.weight for layer in layers]
        self.parameters = Parameters(owner.hyper, weights, owner.total, context)

    def call_and_ladj(self, x: Tensor) -> tuple[Tensor, Tensor]:
        def forward(given: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
            z, ladj = self.maps.call_and_ladj(x, self.parameters(given, x))
            return z, ladj.sum(0)

        frames, lead = frames_last(x, self.parameters.batch)
        z, ladj = self.parameters.each(forward, lead, frames)
        return z.mT.reshape(*lead, -1), ladj.view(lead)

    def _inverse(self, y: Tensor) -> Tensor:
        # What moves a feature depends on those before it alone: each pass shows the network one
        # feature more, and asks its last layer for the parameters of the next one.
        def inverse(given: Tensor, z: Tensor) -> tuple[Tensor]:
            found: dict[int, Tensor] = {}
            seen = given.expand(-1, z.shape[1])
            for feature in self.turns:
                one = z[feature : feature + 1]
                found[feature] = self.maps.inverse(one, self.parameters.of(seen, feature))
                seen = self.parameters.see(seen, found[feature], feature)
            return (torch.cat([found[feature] for feature in range(len(z))]),)

        frames, lead = frames_last(y, self.parameters.batch)
        (x,) = self.parameters.each(inverse, lead, frames)
        return x.mT.reshape(*lead, -1)
