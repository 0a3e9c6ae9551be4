"""Couplings: some features move, given the others."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Transform
from zuko.flows import GeneralCouplingTransform

from seqmdn.flows.flow import Flow, VectorTransform, require_sizes
from seqmdn.flows.linear import LULinear
from seqmdn.flows.masks import Mask, coupling_masks
from seqmdn.flows.networks import Parameters, frames_last
from seqmdn.flows.rational_quadratic import RationalQuadratic
from seqmdn.flows.univariate import Affine, Univariate

__all__ = ["AffineCoupling", "SplineCoupling"]


class _CouplingFlow(Flow):
    """A chain of couplings of one kind."""

    def __init__(
        self,
        features: int,
        context: int,
        univariate: Univariate,
        transforms: int,
        hidden: int,
        layers: int,
        mask: Mask | list[list[int]],
        shape: list[int] | None,
        seed: int,
        mixing: bool,
    ) -> None:
        require_sizes(
            context, features=features, transforms=transforms, hidden=hidden, layers=layers
        )
        parts: list[nn.Module] = []
        for kept in coupling_masks(features, transforms, mask, shape, seed):
            if mixing and parts:
                parts.append(LULinear(features))
            parts.append(_Coupling(features, context, kept, univariate, [hidden] * (layers - 1)))
        super().__init__(features, context, parts)


class AffineCoupling(_CouplingFlow):
    r"""Affine couplings: one half of the features scales and shifts the other, in turn.

    .. math:: z_a = y_a, \quad z_b = y_b \exp(s(y_a, h)) + t(y_a, h)

    The default is the form of the FRMDN paper: two couplings, networks of four linear layers with
    LeakyReLU between them. Both directions cost one pass.

    Args:
        features: Number of features D, at least 2.
        context: Number of context features H, 0 for none.
        transforms: Number of couplings. One alone leaves what it keeps as it is.
        hidden: Width of the networks.
        layers: Linear layers in each network.
        mask: Which features are kept and which are moved: ``"alternating"``, ``"half"``,
            ``"random"``, ``"checkerboard"`` or lists of what each coupling moves; see
            :func:`seqmdn.flows.masks.coupling_masks`. It is saved with the weights.
        shape: Sizes of the axes of a frame, for ``"checkerboard"``.
        seed: Of ``"random"``.
        mixing: Place a :class:`seqmdn.flows.LULinear`, without context, between couplings.

    Raises:
        ValueError: If D < 2 (nothing to couple), a size is below 1 or the mask does not fit.

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
        mask: Mask | list[list[int]] = "alternating",
        shape: list[int] | None = None,
        seed: int = 0,
        mixing: bool = False,
    ) -> None:
        super().__init__(
            features, context, Affine(), transforms, hidden, layers, mask, shape, seed, mixing
        )


class SplineCoupling(_CouplingFlow):
    r"""Couplings whose halves pass through monotonic rational-quadratic splines.

    .. math:: z_a = y_a, \quad z_b = g(y_b; \theta(y_a, h))

    Inside ``[-bound, bound]`` each transformed feature follows a spline of ``bins`` pieces; outside
    it is left as it is, so that far tails stay those of the mixture. Both directions cost one pass.

    Args:
        bins: Pieces of each spline, at least 2.
        bound: Half width of the splines' box, in units of y.

    The other arguments are those of :class:`AffineCoupling`.

    Raises:
        ValueError: If D < 2, bins < 2, bound <= 0, a size is below 1 or the mask does not fit.

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
        mask: Mask | list[list[int]] = "alternating",
        shape: list[int] | None = None,
        seed: int = 0,
        mixing: bool = False,
    ) -> None:
        spline = RationalQuadratic(bins, bound)
        super().__init__(
            features, context, spline, transforms, hidden, layers, mask, shape, seed, mixing
        )


class _Coupling(GeneralCouplingTransform):
    """zuko's coupling, its network and its mask, evaluated by our transform."""

    kept: Tensor  # (A,)
    moved: Tensor  # (M,)

    def __init__(
        self, features: int, context: int, mask: Tensor, univariate: Univariate, hidden: list[int]
    ) -> None:
        super().__init__(
            features,
            context,
            mask=mask,
            univariate=univariate.reference,
            shapes=univariate.sizes,
            hidden_features=hidden,
            activation=nn.LeakyReLU,
        )
        self.maps = univariate
        self.register_buffer("kept", mask.nonzero().flatten(), persistent=False)
        self.register_buffer("moved", (~mask).nonzero().flatten(), persistent=False)

    def forward(self, c: Tensor | None = None) -> Transform:
        return _CouplingTransform(self, c)

    def _load_from_state_dict(self, state_dict: Mapping[str, Any], prefix: str, *rest: Any) -> None:
        super()._load_from_state_dict(state_dict, prefix, *rest)
        # A checkpoint brings its own mask.
        for name, mask in (("kept", self.mask), ("moved", ~self.mask)):
            setattr(self, name, mask.nonzero().flatten())


class _CouplingTransform(VectorTransform):
    def __init__(self, coupling: _Coupling, context: Tensor | None) -> None:
        super().__init__()
        self.kept, self.moved, self.maps = coupling.kept, coupling.moved, coupling.maps
        weights = [layer.weight for layer in coupling.hyper if hasattr(layer, "weight")]
        self.parameters = Parameters(coupling.hyper, weights, coupling.total, context)

    def call_and_ladj(self, x: Tensor) -> tuple[Tensor, Tensor]:
        def forward(given: Tensor, seen: Tensor, moved: Tensor) -> tuple[Tensor, Tensor]:
            z, ladj = self.maps.call_and_ladj(moved, self.parameters(given, seen))
            return z, ladj.sum(0)

        frames, lead = frames_last(x, self.parameters.batch)
        z, ladj = self.parameters.each(forward, lead, *self._split(frames))
        return self._merged(frames, z, lead), ladj.view(lead)

    def _inverse(self, y: Tensor) -> Tensor:
        def inverse(given: Tensor, seen: Tensor, moved: Tensor) -> tuple[Tensor]:
            return (self.maps.inverse(moved, self.parameters(given, seen)),)

        frames, lead = frames_last(y, self.parameters.batch)
        (x,) = self.parameters.each(inverse, lead, *self._split(frames))
        return self._merged(frames, x, lead)

    def _split(self, frames: Tensor) -> tuple[Tensor, Tensor]:  # (A, N), (M, N)
        return frames.index_select(0, self.kept), frames.index_select(0, self.moved)

    def _merged(self, frames: Tensor, moved: Tensor, lead: torch.Size) -> Tensor:
        return frames.index_copy(0, self.moved, moved).mT.reshape(*lead, -1)
