"""Linear maps that mix all features."""

import torch
from torch import Tensor, nn
from torch.distributions import Transform

from seqmdn import linalg
from seqmdn.flows.flow import Flow, VectorTransform, require_sizes

__all__ = ["LULinear"]


class LULinear(Flow):
    r"""Mixes the features by an invertible matrix, kept as its triangular factors.

    .. math:: z = L U y + b, \quad \log |\det| = \sum_d s_d

    L is lower triangular with ones on its diagonal, U upper triangular with :math:`e^{s_d}` on
    its own: no step of training makes it singular. It begins as the identity, L = U = I. Between
    couplings it lets each see all features. Forward costs a product with a D x D matrix, the
    inverse two triangular solves. With a context, the factors are affine in h: D (D + 1) H more
    parameters, and a D x D matrix for each frame; where that is too much,
    :class:`seqmdn.flows.Conditioned` with no columns keeps the matrix shared.

    Args:
        features: Number of features D.
        context: Number of context features H, 0 for none.

    Raises:
        ValueError: If D is below 1 or the context below 0.

    References:
        Glow: Generative Flow with Invertible 1x1 Convolutions (Kingma, Dhariwal, 2018).
        Transformation Autoregressive Networks (Oliva, Dubey, Zaheer, Poczos, Salakhutdinov, Xing,
        Schneider, 2018).

    Example:
        >>> flow = LULinear(2)
        >>> _ = nn.init.constant_(flow.factors, 1.0)  # L = [[1, 0], [1, 1]], U = [[e, 1], [0, e]]
        >>> z, ladj = flow().call_and_ladj(torch.tensor([0.0, 1.0]))
        >>> z, ladj
        (tensor([1.0000, 3.7183], grad_fn=...), tensor(2., grad_fn=...))
    """

    def __init__(self, features: int, context: int = 0) -> None:
        require_sizes(context, features=features)
        super().__init__(features, context, [])
        # Below the diagonal L, above it U, on it the logarithms s.
        self.factors = nn.Parameter(torch.zeros(features, features))
        self.bias = nn.Parameter(torch.zeros(features))
        if context:
            self.projection = nn.Linear(context, features * (features + 1), bias=False)
            nn.init.zeros_(self.projection.weight)

    def extra_repr(self) -> str:
        return f"features={self.features}, context={self.context}"

    def _transform(self, context: Tensor | None) -> Transform:
        if context is None:
            return _LUTransform(self.factors, self.bias)
        D = self.features
        moved = self.projection(context)
        factors = self.factors + moved[..., D:].unflatten(-1, (D, D))
        return _LUTransform(factors, self.bias + moved[..., :D])


class _LUTransform(VectorTransform):
    def __init__(self, factors: Tensor, bias: Tensor) -> None:  # (*batch, D, D), (*batch, D)
        super().__init__()
        self.log_diagonal = factors.diagonal(dim1=-2, dim2=-1)  # (*batch, D)
        identity = torch.eye(factors.shape[-1], dtype=factors.dtype, device=factors.device)
        self.lower = factors.tril(-1) + identity
        self.upper = factors.triu(1) + torch.diag_embed(self.log_diagonal.exp())
        self.bias = bias

    def call_and_ladj(self, x: Tensor) -> tuple[Tensor, Tensor]:
        if self.lower.ndim == 2:
            z = x @ (self.lower @ self.upper).mT + self.bias
        else:
            z = (self.lower @ (self.upper @ x.unsqueeze(-1))).squeeze(-1) + self.bias
        return z, self.log_diagonal.sum(-1).expand(z.shape[:-1])

    def _inverse(self, y: Tensor) -> Tensor:
        centred = y - self.bias
        if self.lower.ndim == 2:  # all frames are columns of one right-hand side
            columns = centred.reshape(-1, centred.shape[-1]).mT
            return self._solve(columns).mT.reshape(centred.shape)
        return self._solve(centred.unsqueeze(-1)).squeeze(-1)

    def _solve(self, columns: Tensor) -> Tensor:  # (*batch, D, N)
        half = linalg.solve_triangular(self.lower, columns, upper=False, unitriangular=True)
        return linalg.solve_triangular(self.upper, half, upper=True)
