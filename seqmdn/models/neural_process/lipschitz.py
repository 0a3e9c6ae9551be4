"""A map that keeps distances within bounds."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seqmdn.models.neural_process.encoder import check_sizes

__all__ = ["BiLipschitzMap"]


class BiLipschitzMap(nn.Module):
    r"""A residual network u(x) between whose bounds the distance of any two inputs is kept.

    .. math:: u_0 = (x, 0, \ldots, 0), \qquad u_{k+1} = u_k + g_k(u_k), \qquad
        (1 - c)^L \, \|x - x'\| \le \|u_L(x) - u_L(x')\| \le (1 + c)^L \, \|x - x'\|

    Each g is a network of one hidden layer whose Lipschitz constant is at most c: both its matrices
    are scaled by what the product of their largest singular values has above c. These are computed,
    not estimated: a power iteration finds them too small, and the bounds would not hold.

    Args:
        inputs: X.
        features: U, at least X.
        layers: L.
        hidden: Width of each g.
        contraction: c, above 0 and below 1.

    Attributes:
        bounds: :math:`((1 - c)^L, (1 + c)^L)`.

    Raises:
        ValueError: If a size is out of range.

    References:
        Simple and Principled Uncertainty Estimation with Deterministic Deep Learning via Distance
        Awareness (Liu, Lin, Padhy, Tran, Bedrax-Weiss, Lakshminarayanan, 2020).
        Invertible Residual Networks (Behrmann, Grathwohl, Chen, Duvenaud, Jacobsen, 2019).

    Example:
        >>> places = BiLipschitzMap(inputs=1, features=8, layers=2, hidden=16, contraction=0.5)
        >>> places.bounds
        (0.25, 2.25)
        >>> u = places(torch.tensor([[0.0], [4.0]]))
        >>> bool(1.0 <= (u[0] - u[1]).norm() <= 9.0)
        True
    """

    def __init__(
        self,
        inputs: int,
        features: int,
        layers: int = 3,
        hidden: int = 64,
        contraction: float = 0.9,
    ) -> None:
        super().__init__()
        check_sizes(inputs=inputs, features=features, layers=layers, hidden=hidden)
        if features < inputs:
            raise ValueError(f"features must be at least the {inputs} inputs, found {features}")
        if not 0 < contraction < 1:
            raise ValueError(f"contraction must be above 0 and below 1, found {contraction}")
        self.features = features
        self.layers = nn.ModuleList(
            _Contraction(features, hidden, contraction) for _ in range(layers)
        )
        self.bounds = ((1 - contraction) ** layers, (1 + contraction) ** layers)

    def forward(self, x: Tensor) -> Tensor:
        """Return u ``(*batch, U)`` of x ``(*batch, X)``."""
        u = F.pad(x, (0, self.features - x.shape[-1]))
        for layer in self.layers:
            u = u + layer(u)
        return u


class _Contraction(nn.Module):
    """A network of one hidden layer that moves any two points at most c times as far apart."""

    def __init__(self, features: int, hidden: int, contraction: float) -> None:
        super().__init__()
        self.contraction = contraction
        self.inner = nn.Linear(features, hidden)
        # A shift of all places changes no distance.
        self.outer = nn.Linear(hidden, features, bias=False)

    def forward(self, u: Tensor) -> Tensor:
        sizes = [torch.linalg.matrix_norm(part.weight, 2) for part in (self.inner, self.outer)]
        scale = self.contraction / (sizes[0] * sizes[1]).clamp(min=self.contraction)
        # The slope of tanh is at most 1, that of SiLU is not.
        moved: Tensor = self.outer(self.inner(u).tanh()) * scale
        return moved
