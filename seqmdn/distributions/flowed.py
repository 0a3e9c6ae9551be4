"""A distribution seen through an invertible map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

import torch
from torch import Size, Tensor
from torch.distributions import Categorical, Distribution

from seqmdn import linalg
from seqmdn.data import Transform
from seqmdn.distributions.features import check_event
from seqmdn.distributions.gaussian import LowRankPrecisionNormal
from seqmdn.distributions.missing import check_mask
from seqmdn.distributions.open import OpenDistribution

__all__ = ["Flowed"]


class Flowed(OpenDistribution):
    r"""Defines the density of y where :math:`z = f(y)` has the density of `base`.

    .. math:: \log p(y) = \log p_{\text{base}}(f(y))
        + \log \left|\det \frac{\partial f}{\partial y}\right|

    Args:
        base: the distribution of z, of event shape (D,): a Gaussian or a mixture.
        transform: f, from y to z: `call_and_ladj(y) -> (z, ladj)`, y and z (*batch, D) and ladj
            (*batch,), summed over the features; and `inv`, from z to y. zuko's are of this form.
        validate_args: checks values; None follows torch's setting.

    A draw is the inverse of a draw from `base`, so it costs what the inverse of the flow costs.
    Conditionals, marginals, moments, modes, the entropy and quantiles are known of z only: take
    them from `base`.

    Raises:
        TypeError: If the transform lacks `call_and_ladj` or `inv`.
        ValueError: If the transform's log-determinant is not of one value a frame.

    References:
        Variational Inference with Normalizing Flows, Danilo J. Rezende and Shakir Mohamed, 2015.

    Example:
        >>> from torch.distributions import AffineTransform
        >>> class Halve(AffineTransform):
        ...     def call_and_ladj(self, y):
        ...         return self(y), self.log_abs_det_jacobian(y, y)
        >>> base = LowRankPrecisionNormal(torch.zeros(2), torch.ones(2))
        >>> flowed = Flowed(base, Halve(0.0, 0.5, event_dim=1))
        >>> flowed.log_prob(torch.zeros(2))  # -log(2 pi) - 2 log(2)
        tensor(-3.2242)
    """

    without_formula = (
        "{} of a flow has no formula: the map changes the density from place to place. Take it of"
        " the base for z = f(y), or estimate it from draws of sample() and their log_prob."
    )
    tied = (
        "a flow's map holds the tensors of the module that made it. Move that module (the head)"
        " and its input, and make the distribution again."
    )

    def __init__(
        self,
        base: Distribution,
        transform: Any,
        validate_args: bool | None = None,
    ) -> None:
        missing = [name for name in ("call_and_ladj", "inv") if not hasattr(transform, name)]
        if missing:
            raise TypeError(
                "transform must have call_and_ladj(y) -> (z, ladj) and inv, as those of zuko do;"
                f" {type(transform).__name__} lacks {' and '.join(missing)}."
            )
        self.base: Any = base
        self.transform = transform
        super().__init__(base.batch_shape, base.event_shape, validate_args=validate_args)

    @property
    def has_rsample(self) -> bool:  # type: ignore[override]  # torch: one of a class
        """Whether the base has reparametrised draws."""
        return self.base.has_rsample

    @property
    def mixture_distribution(self) -> Categorical:
        """The weights of the base."""
        return self.base.mixture_distribution

    @property
    def component_distribution(self) -> Distribution:
        """The components of the base, Gaussians of z, not of y."""
        return self.base.component_distribution

    def log_prob(self, value: Tensor, mask: Tensor | None = None) -> Tensor:
        """Returns the log-density in nats (*sample, *batch) of values (*sample, *batch, D).

        Args:
            value: (*sample, *batch, D).
            mask: as of :meth:`ClosedDistribution.log_prob`, where the map takes every feature by
                itself, as the reversible transforms of data do (:class:`seqmdn.data.Transform`).

        Raises:
            NotImplementedError: If there is a mask and a map that mixes what was observed with the
                rest.
        """
        latent, log_det, mask = self._forward(value, mask)
        if mask is None:
            return self.base.log_prob(latent) + log_det
        return self.base.log_prob(latent, mask) + log_det

    def responsibilities(self, value: Tensor) -> Tensor:
        """Returns the responsibilities of the base for f(y), of values (*sample, *batch, D)."""
        return self.base.responsibilities(self._forward(value)[0])

    @linalg.full_precision
    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Returns draws (*sample, *batch, D)."""
        with torch.no_grad():
            return self.transform.inv(self.base.sample(Size(sample_shape)))

    @linalg.full_precision
    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Returns differentiable draws (*sample, *batch, D), where the base has them."""
        return self.transform.inv(self.base.rsample(Size(sample_shape)))

    def tempered(self, mixing: float | Tensor = 1.0, scale: float | Tensor = 1.0) -> Flowed:
        """Returns the flow of the tempered base; a base of one Gaussian has no use for `mixing`."""
        if isinstance(self.base, LowRankPrecisionNormal):
            base = self.base.tempered(scale)
        else:
            base = self.base.tempered(mixing, scale)
        return Flowed(base, self.transform, validate_args=self._validate_args)

    def rosenblatt(self, value: Tensor, mask: Tensor | None = None) -> Tensor:
        """Returns the base's u of z = f(y), (*sample, *batch, D), of values of that shape.

        Independent and uniform for draws, as calibration asks. They are the conditional
        probabilities of the features of z, not of y.

        Args:
            value: (*sample, *batch, D).
            mask: as of `log_prob`; the u of a missing feature is NaN.

        Raises:
            NotImplementedError: As of `log_prob`.
        """
        latent, _, mask = self._forward(value, mask)
        return self.base.rosenblatt(latent) if mask is None else self.base.rosenblatt(latent, mask)

    @linalg.full_precision
    def inverse_rosenblatt(self, u: Tensor) -> Tensor:
        """Returns the value, (*sample, *batch, D), of which `rosenblatt` gives u.

        Raises:
            ValueError: If a u is not inside (0, 1).
        """
        return self.transform.inv(self.base.inverse_rosenblatt(u))

    def condition(self, values: Tensor, observed: Tensor) -> NoReturn:
        """Raises NotImplementedError: a flow mixes the features."""
        raise NotImplementedError(_NOT_CLOSED.format("condition"))

    def marginal(self, features: Sequence[int]) -> NoReturn:
        """Raises NotImplementedError: a flow mixes the features."""
        raise NotImplementedError(_NOT_CLOSED.format("marginal"))

    def expand(self, batch_shape: Sequence[int], _instance: Flowed | None = None) -> Flowed:
        new = self._get_checked_instance(Flowed, _instance)
        new.base = self.base.expand(Size(batch_shape))
        new.transform = self.transform
        super(Flowed, new).__init__(Size(batch_shape), self.event_shape, validate_args=False)
        new._validate_args = self._validate_args
        return new

    def __repr__(self) -> str:
        return f"Flowed({self.base!r}, {self.transform!r})"

    @linalg.full_precision
    def _forward(
        self, value: Tensor, mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Returns z = f(y), the log-determinant, one value a frame, and the mask of z's shape."""
        check_event(value, self.event_shape[0], batch=self.batch_shape)
        if mask is not None:
            if not isinstance(self.transform, Transform):
                raise NotImplementedError(
                    _NOT_CLOSED.format("the density of some features (a mask)")
                )
            mask = check_mask(value, mask, self.event_shape[0])
        elif self._validate_args:
            self._validate_sample(value)
        # A map of its own for each context cannot broadcast by itself.
        shapes = (value.shape[:-1], self.batch_shape, *(() if mask is None else (mask.shape[:-1],)))
        frames = torch.broadcast_shapes(*shapes)
        value = value.expand(*frames, -1)
        if mask is None:
            latent, log_det = self.transform.call_and_ladj(value)
        else:
            mask = mask.expand(*frames, -1)
            latent, log_det = self.transform.call_and_ladj(value, mask)
        if log_det.shape != latent.shape[:-1]:
            raise ValueError(
                "the transform's log-determinant must be one value a frame, of shape"
                f" {tuple(latent.shape[:-1])}; found {tuple(log_det.shape)}. An elementwise one"
                " must sum it over the features (event_dim=1, or zuko's DependentTransform)."
            )
        return latent, log_det, mask


_NOT_CLOSED = (
    "{} is not closed under a flow: features that are independent for the base are not for y."
    " Use a head without a flow where you need it, or weigh draws of sample() by what is known."
)
