"""Bits of one frame: each a Bernoulli given those before it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Size, Tensor
from torch.distributions import Distribution, constraints
from torch.nn import functional as F

from seqmdn import linalg
from seqmdn.distributions.features import check_event

__all__ = ["Bits", "draw_bits"]


class Bits(Distribution):
    r"""Defines the probability of E bits, taken in turn.

    .. math:: \log P(b) = \sum_e \log \sigma\left((2 b_e - 1)
        \left(a_e + \sum_{j < e} w_{ej} b_j\right)\right)

    With the couplings w any joint distribution of two bits can be expressed; without them the bits
    are independent.

    Args:
        logits: a, (*batch, E).
        couplings: w, (*batch, E (E - 1) / 2), row after row of the lower triangle; None is 0.
        validate_args: checks values; None follows torch's setting.

    Raises:
        ValueError: If the shapes do not fit, or the parameters are NaN.

    Example:
        >>> bits = Bits(torch.zeros(2), couplings=torch.tensor([100.0]))  # the second follows
        >>> bits.log_prob(torch.tensor([1.0, 1.0])), bits.log_prob(torch.tensor([1.0, 0.0]))
        (tensor(-0.6931), tensor(-100.6931))
    """

    arg_constraints: dict[str, constraints.Constraint] = {}
    support = constraints.independent(constraints.boolean, 1)

    def __init__(
        self, logits: Tensor, couplings: Tensor | None = None, validate_args: bool | None = None
    ) -> None:
        count = logits.shape[-1] if logits.dim() else 0
        pairs = count * (count - 1) // 2
        if not count or (couplings is not None and couplings.shape[-1:] != (pairs,)):
            found = None if couplings is None else tuple(couplings.shape)
            raise ValueError(
                f"expected logits (*batch, E) and couplings (*batch, E (E - 1) / 2); found logits"
                f" {tuple(logits.shape)} and couplings {found}."
            )
        self.logits = linalg.widen(logits)
        self.couplings = None if couplings is None or not pairs else linalg.widen(couplings)
        batch = logits.shape[:-1]
        if couplings is not None:
            batch = torch.broadcast_shapes(batch, couplings.shape[:-1])
        super().__init__(batch, Size([count]), validate_args=validate_args)
        if self._validate_args:
            for name, tensor in (("logits", self.logits), ("couplings", self.couplings)):
                if tensor is not None and bool(torch.isnan(tensor.detach()).any()):
                    raise ValueError(
                        f"{name} hold NaN, shape {tuple(tensor.shape)}. Look for a diverged step"
                        " or NaN in the data before it."
                    )

    def log_prob(self, value: Tensor) -> Tensor:
        """Returns the log-probability in nats (*sample, *batch) of bits (*sample, *batch, E).

        Raises:
            ValueError: If the shape does not fit, or a value is neither 0 nor 1.
        """
        check_event(value, self.event_shape[0], batch=self.batch_shape)
        if self._validate_args and not bool(((value == 0) | (value == 1)).all()):
            wrong = value[(value != 0) & (value != 1)]
            raise ValueError(
                f"bits must be 0 or 1; found {float(wrong.flatten()[0]):g} in a value of shape"
                f" {tuple(value.shape)}. Leave noise and scaling out of their columns."
            )
        # In log space, no probability is ever rounded to 0.
        return F.logsigmoid((2 * value - 1) * self._given(value)).sum(-1)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Returns draws (*sample, *batch, E), of the logits' dtype."""
        shape = self._extended_shape(Size(sample_shape))
        return draw_bits(self.logits.expand(shape), self.couplings)

    def tempered(self, temperature: float = 1.0) -> Bits:
        """Returns the bits with all logits divided by the temperature.

        Raises:
            ValueError: If it is not positive.
        """
        if not temperature > 0:
            raise ValueError(f"temperature must be positive; found {temperature}.")
        couplings = None if self.couplings is None else self.couplings / temperature
        return Bits(self.logits / temperature, couplings, validate_args=self._validate_args)

    def expand(self, batch_shape: Sequence[int], _instance: Bits | None = None) -> Bits:
        new = self._get_checked_instance(Bits, _instance)
        new.logits = self.logits.expand(*batch_shape, -1)
        new.couplings = None if self.couplings is None else self.couplings.expand(*batch_shape, -1)
        super(Bits, new).__init__(Size(batch_shape), self.event_shape, validate_args=False)
        new._validate_args = self._validate_args
        return new

    def __repr__(self) -> str:
        return f"Bits(batch_shape={tuple(self.batch_shape)}, event_shape={tuple(self.event_shape)})"

    def _given(self, value: Tensor) -> Tensor:
        """Returns the logit of each bit given those before it, (*sample, *batch, E)."""
        if self.couplings is None:
            return self.logits
        given: list[Tensor] = []
        place = 0
        for e, logit in enumerate(self.logits.unbind(-1)):
            for before in value.unbind(-1)[:e]:
                logit = logit + self.couplings[..., place] * before
                place += 1
            given.append(logit)
        return torch.stack(torch.broadcast_tensors(*given), dim=-1)


def draw_bits(logits: Tensor, couplings: Tensor | None = None) -> Tensor:
    """Returns draws (*batch, E) of bits of these logits (*batch, E) and couplings; see `Bits`.

    Example:
        >>> draw_bits(torch.tensor([-100.0, 100.0]))
        tensor([0., 1.])
    """
    # Logistic noise lies below the logit as often as the bit is 1.
    noise = torch.rand_like(logits).logit_()
    if couplings is None:
        return (noise < logits).to(logits.dtype)
    drawn: list[Tensor] = []
    place = 0
    for threshold, logit in zip(noise.unbind(-1), logits.unbind(-1), strict=True):
        for before in drawn:
            logit = logit + couplings[..., place] * before
            place += 1
        drawn.append((threshold < logit).to(logits.dtype))
    return torch.stack(drawn, dim=-1)
