"""What the families that are not closed refuse, and what to do instead."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, NoReturn

from torch import Tensor
from torch.distributions import Distribution, constraints

__all__ = ["OpenDistribution"]


class OpenDistribution(Distribution):
    """Defines frames whose density is exact, while what is an integral over it has no formula.

    The counterpart of :class:`seqmdn.distributions.ClosedDistribution`: the names of that class
    which such a density cannot serve raise NotImplementedError and say what to do.

    A family gives two messages: `without_formula`, which a name is put into, and `tied`, why the
    distribution cannot move to another device.

    Example:
        >>> class Lonely(OpenDistribution):
        ...     without_formula = "{} of it has no formula. Ask sample()."
        >>> Lonely(validate_args=False).mode
        Traceback (most recent call last):
            ...
        NotImplementedError: mode of it has no formula. Ask sample().
    """

    arg_constraints: dict[str, constraints.Constraint] = {}
    support = constraints.real_vector

    without_formula: ClassVar[str]
    tied: ClassVar[str]

    @property
    def mean(self) -> NoReturn:
        """Raises NotImplementedError: an integral over all features."""
        raise NotImplementedError(self.without_formula.format("mean"))

    @property
    def variance(self) -> NoReturn:
        """Raises NotImplementedError: an integral over all features."""
        raise NotImplementedError(self.without_formula.format("variance"))

    @property
    def mode(self) -> NoReturn:
        """Raises NotImplementedError: what is likeliest in parts need not be as a whole."""
        raise NotImplementedError(self.without_formula.format("mode"))

    def modes(self) -> NoReturn:
        """Raises NotImplementedError: what is likeliest in parts need not be as a whole."""
        raise NotImplementedError(self.without_formula.format("modes"))

    def entropy_bounds(self) -> NoReturn:
        """Raises NotImplementedError: an integral over all features."""
        raise NotImplementedError(self.without_formula.format("entropy_bounds"))

    def cdf(self, value: Tensor) -> NoReturn:
        """Raises NotImplementedError: an integral over the other features."""
        raise NotImplementedError(self.without_formula.format("cdf"))

    def icdf(self, q: Tensor) -> NoReturn:
        """Raises NotImplementedError: the inverse of an integral over the other features."""
        raise NotImplementedError(self.without_formula.format("icdf"))

    def marginal(self, features: Sequence[int]) -> NoReturn:
        """Raises NotImplementedError: an integral over the other features."""
        raise NotImplementedError(self.without_formula.format("marginal"))

    def to(self, target: Any) -> NoReturn:
        """Raises NotImplementedError: the tensors belong to the module that made them."""
        raise NotImplementedError(self.tied)
