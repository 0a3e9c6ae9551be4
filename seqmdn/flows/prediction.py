"""Linear prediction: each sample less what the samples right before it say of it."""

import torch
from torch import Tensor, nn
from torch.distributions import Transform
from torch.nn import functional as F

from seqmdn import linalg
from seqmdn.flows.flow import Flow, VectorTransform, require_sizes

__all__ = ["LinearPrediction", "predictor"]


class LinearPrediction(Flow):
    r"""Takes from each sample of a frame what a filter predicts of it from those before.

    .. math::
        z_d = e^s \left(y_d - \sum_{l=1}^L a_l \, y_{d-l}\right), \quad \log |\det| = D s

    The same filter and gain go along the whole frame, as the resonances of a vocal tract do along a
    few milliseconds of speech: L + 1 numbers where a general triangular map has D (D + 1) / 2. The
    filter is given by reflection coefficients :math:`k_l = \tanh(\cdot)`, so that the way back,
    which is a recursion, is stable whatever is learnt. All are learned numbers or, with a context,
    what a network of two layers makes of h; the flow begins as the identity, k = 0 and s = 0.

    Samples before the frame count as 0, so that the first L are predicted from fewer. Where the
    context holds the frame before (a backbone's ``bypass`` hands it on), ``history`` says where,
    and the filter goes over the border as if there were none.

    The way there costs L products a sample, the way back a triangular solution, D^2 a frame.

    Args:
        features: Number of features D: successive samples of one signal.
        context: Number of context features H, 0 for none.
        order: Number L of samples that are looked back at, at most D.
        hidden: Units of the network.
        history: Column of the context at which the D samples of the frame before begin, in the
            units of y; a negative one counts from the end. None where they are not there.

    Raises:
        ValueError: If a size is below 1, the order exceeds D, or the frame before is not in the
            context.

    References:
        Linear Prediction: A Tutorial Review (Makhoul, 1975).

    Example:
        >>> flow = LinearPrediction(features=4, order=1)
        >>> flow.raw.data = torch.tensor([0.549306, 0.693147])  # whose tanh and exp are 0.5 and 2
        >>> z, ladj = flow().call_and_ladj(torch.tensor([1.0, 1.0, 1.0, 0.0]))
        >>> z, ladj
        (tensor([ 2.0000,  1.0000,  1.0000, -1.0000], grad_fn=...), tensor(2.7726, grad_fn=...))
    """

    def __init__(
        self,
        features: int,
        context: int = 0,
        order: int = 16,
        hidden: int = 64,
        history: int | None = None,
    ) -> None:
        require_sizes(context, features=features, order=order, hidden=hidden)
        if order > features:
            raise ValueError(f"order must be at most the {features} features, found {order}")
        first = context + history if history is not None and history < 0 else history
        if first is not None and not 0 <= first <= context - features:
            raise ValueError(
                f"history must be the column, of {context}, at which {features} of the frame before"
                f" begin, found {history}: give the flow such a context (bypass of the backbone)"
            )
        super().__init__(features, context, [])
        self.order = order
        self.history = first
        if context:
            last = nn.Linear(hidden, order + 1)
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)
            self.network = nn.Sequential(nn.Linear(context, hidden), nn.SiLU(), last)
        else:
            self.raw = nn.Parameter(torch.zeros(order + 1))

    def extra_repr(self) -> str:
        return f"features={self.features}, context={self.context}, order={self.order}"

    def _transform(self, context: Tensor | None) -> Transform:
        raw = self.raw if context is None else self.network(context)
        before = None
        if context is not None and self.history is not None:
            end = self.history + self.features
            before = context[..., end - self.order : end]
        return _Prediction(predictor(raw[..., :-1].tanh()), raw[..., -1:], before)


def predictor(reflection: Tensor) -> Tensor:
    r"""Return the filter of some reflection coefficients, by Levinson's recursion.

    .. math:: a^{(m)}_l = a^{(m-1)}_l - k_m a^{(m-1)}_{m-l}, \quad a^{(m)}_m = k_m

    Args:
        reflection: k ``(*batch, L)``, each between -1 and 1: then the filter's recursion is stable.

    Returns:
        a ``(*batch, L)``, that of the sample right before first.

    Example:
        >>> predictor(torch.tensor([0.5, 0.5])).tolist()
        [0.25, 0.5]
    """
    filter_ = reflection[..., :1]
    for m in range(1, reflection.shape[-1]):
        k = reflection[..., m : m + 1]
        filter_ = torch.cat((filter_ - k * filter_.flip(-1), k), dim=-1)
    return filter_


class _Prediction(VectorTransform):
    def __init__(self, filter_: Tensor, gain: Tensor, before: Tensor | None) -> None:
        super().__init__()
        self.filter = filter_  # (*batch, L), and so is what was before
        self.gain = gain  # (*batch, 1)
        self.before = before

    def call_and_ladj(self, x: Tensor) -> tuple[Tensor, Tensor]:
        z = self._left(x)
        ladj = (x.shape[-1] * self.gain).squeeze(-1).expand(z.shape[:-1])
        return z * self.gain.exp(), ladj

    def _inverse(self, y: Tensor) -> Tensor:
        L, D = self.filter.shape[-1], y.shape[-1]
        left = y * (-self.gain).exp()
        if self.before is not None:
            # What the frame before says of the first samples is known: it comes off beforehand.
            left = left - self._left(torch.zeros_like(left))
        # Row d of the matrix holds the filter, the other way round, up to its diagonal.
        band = torch.cat((-self.filter.flip(-1), torch.ones_like(self.gain)), dim=-1)
        rows = F.pad(band.unsqueeze(-2).expand(*band.shape[:-1], D, L + 1), (0, D))
        matrix = rows.flatten(-2)[..., : D * (D + L)].unflatten(-1, (D, D + L))[..., L:]
        if matrix.ndim == 2:  # all frames are columns of one right-hand side
            return _solve(matrix, left.reshape(-1, D).mT).mT.reshape(left.shape)
        return _solve(matrix, left.unsqueeze(-1)).squeeze(-1)

    def _left(self, x: Tensor) -> Tensor:  # (*batch, D)
        """Return what the filter leaves."""
        L, D = self.filter.shape[-1], x.shape[-1]
        batch = torch.broadcast_shapes(x.shape[:-1], self.filter.shape[:-1])
        padded = self._behind(x.expand(*batch, D))
        left = padded[..., L:]
        for lag, weight in enumerate(self.filter.split(1, dim=-1), start=1):
            left = torch.addcmul(left, weight, padded[..., L - lag : L - lag + D], value=-1)
        return left

    def _behind(self, x: Tensor) -> Tensor:  # (*batch, L + D)
        """Put what lies before the frame before it."""
        L = self.filter.shape[-1]
        if self.before is None:
            return F.pad(x, (L, 0))
        return torch.cat((self.before.expand(*x.shape[:-1], L), x), dim=-1)


def _solve(matrix: Tensor, columns: Tensor) -> Tensor:  # (*batch, D, N)
    return linalg.solve_triangular(matrix, columns, upper=False, unitriangular=True)
