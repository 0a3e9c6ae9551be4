"""Frames of classes: features that are one of C numbers, each by itself."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Size, Tensor
from torch.distributions import constraints

from seqmdn import linalg
from seqmdn.distributions.features import check_event
from seqmdn.distributions.missing import check_mask, observed_only
from seqmdn.distributions.open import OpenDistribution

__all__ = ["Classes"]


class Classes(OpenDistribution):
    r"""Defines D independent features that are each one of the classes 0 to C - 1.

    .. math:: P(y) = \prod_d \pi_{d, y_d}, \quad \pi_d = \text{softmax}(l_d)

    Values are the numbers of classes, as floating point numbers, so that a store of labels is a
    store as any other, and a classifier is a regression of them. A likelihood is a probability, and
    an NLL the cross-entropy in nats; classes have no order, so that there is no mean, no interval
    and no CRPS, but a mode and the share of rows where it is right.

    Args:
        logits: l, (*batch, D, C); C at least 2.
        validate_args: checks values; None follows torch's setting.

    Raises:
        ValueError: If there are fewer than 2 classes, or logits are NaN.

    Example:
        >>> density = Classes(torch.tensor([[0.0, 0.0, 0.0], [9.0, 0.0, 0.0]]))
        >>> density.log_prob(torch.tensor([2.0, 0.0])).exp(), density.mode[1]
        (tensor(0.3333), tensor(0.))
    """

    arg_constraints: dict[str, constraints.Constraint] = {}
    support = constraints.real_vector
    without_formula = (
        "{} of classes is not offered, as they have no order. Take what you need from their"
        " probabilities, class_log_prob."
    )
    tied = "move the logits to the device, and make the distribution again."

    def __init__(self, logits: Tensor, validate_args: bool | None = None) -> None:
        if logits.dim() < 2 or logits.shape[-1] < 2:
            raise ValueError(
                f"expected logits (*batch, D, C) of 2 classes or more; found {tuple(logits.shape)}."
            )
        self.class_log_prob = linalg.widen(logits).log_softmax(dim=-1)
        """Log-probability of each class in nats, (*batch, D, C)."""
        super().__init__(logits.shape[:-2], logits.shape[-2:-1], validate_args=validate_args)
        if self._validate_args and bool(torch.isnan(self.class_log_prob.detach().sum())):
            raise ValueError(
                f"logits hold NaN, shape {tuple(logits.shape)}. Look for a diverged step or NaN in"
                " the data before it."
            )

    @property
    def mode(self) -> Tensor:  # type: ignore[override]  # (*batch, D)
        """The likeliest class of each feature."""
        return self.class_log_prob.argmax(-1).to(self.class_log_prob.dtype)

    def entropy(self) -> Tensor:  # (*batch,)
        """Returns the entropy in nats: how uncertain the class is, log C at most a feature."""
        terms = torch.special.entr(self.class_log_prob.exp())
        return terms.sum((-2, -1))

    def log_prob(self, value: Tensor, mask: Tensor | None = None) -> Tensor:
        """Returns the log-probability in nats (*sample, *batch) of classes (*sample, *batch, D).

        Args:
            value: numbers of classes, 0 to C - 1.
            mask: boolean, True where a feature was observed; others add nothing.

        Raises:
            ValueError: If a shape does not fit, or a value is no class.
        """
        features, classes = self.class_log_prob.shape[-2:]
        if mask is not None:
            mask = check_mask(value, mask, features)
            value = observed_only(value, mask, self._validate_args)
        check_event(value, features, batch=self.batch_shape)
        number = value.round()
        if self._validate_args:
            wrong = ~((value == number) & (number >= 0) & (number < classes))
            if bool(wrong.any()):
                raise ValueError(
                    f"expected classes 0 to {classes - 1} as whole numbers; found"
                    f" {float(value[wrong][0]):g}. Number the classes from 0, give the head as many"
                    " as there are, and let the transform of the values be seqmdn.data.Identity."
                )
        number = number.long().unsqueeze(-1)
        shape = torch.broadcast_shapes(number.shape[:-1], self.class_log_prob.shape[:-1])
        found = self.class_log_prob.expand(*shape, classes).gather(-1, number.expand(*shape, 1))
        found = found.squeeze(-1)
        return (found if mask is None else found.where(mask, 0)).sum(-1)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Returns draws (*sample, *batch, D), numbers of classes."""
        with torch.no_grad():
            shape = (*sample_shape, *self.class_log_prob.shape)
            # -log of a standard exponential is a standard Gumbel variable.
            noise = torch.empty(shape, dtype=self.class_log_prob.dtype, device=self._device())
            chosen = (self.class_log_prob - noise.exponential_().log()).argmax(-1)
            return chosen.to(self.class_log_prob.dtype)

    def tempered(self, mixing: float | Tensor = 1.0, scale: float | Tensor = 1.0) -> Classes:
        """Returns the classes with probabilities to the power of 1 / `mixing`, normalised.

        Args:
            mixing: positive, a number or (*batch,).
            scale: as of other distributions; classes have none.
        """
        power = torch.as_tensor(mixing, dtype=self.class_log_prob.dtype, device=self._device())
        if not bool((power > 0).all()):
            raise ValueError(f"mixing must be positive; found {mixing}.")
        power = power[..., None, None]
        return Classes(self.class_log_prob / power, validate_args=self._validate_args)

    def expand(self, batch_shape: Sequence[int], _instance: Classes | None = None) -> Classes:
        new = self._get_checked_instance(Classes, _instance)
        new.class_log_prob = self.class_log_prob.expand(
            *batch_shape, *self.class_log_prob.shape[-2:]
        )
        OpenDistribution.__init__(new, Size(batch_shape), self.event_shape, validate_args=False)
        new._validate_args = self._validate_args
        return new

    def __repr__(self) -> str:
        return (
            f"Classes(classes={self.class_log_prob.shape[-1]},"
            f" batch_shape={tuple(self.batch_shape)}, event_shape={tuple(self.event_shape)})"
        )

    def _device(self) -> torch.device:
        return self.class_log_prob.device
