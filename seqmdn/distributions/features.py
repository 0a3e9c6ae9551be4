"""Which features of a frame: the checks shared by `condition` and `marginal`."""

from __future__ import annotations

import operator
from collections.abc import Sequence

import torch
from torch import Tensor

__all__ = ["check_event", "select_features", "split_features"]


def split_features(observed: Tensor, features: int) -> tuple[list[int], list[int]]:
    """Returns the indices of the unobserved and of the observed features, each in their order.

    Raises:
        ValueError: If `observed` is no boolean mask (D,), or leaves no feature unobserved.

    Example:
        >>> split_features(torch.tensor([True, False, False]), 3)
        ([1, 2], [0])
    """
    observed = torch.as_tensor(observed)
    if observed.dtype != torch.bool or observed.shape != (features,):
        raise ValueError(
            f"observed must be a boolean mask of shape ({features},), one for the whole batch;"
            f" found {observed.dtype} of shape {tuple(observed.shape)}. Where it differs between"
            " contexts, call once per distinct mask."
        )
    mask = observed.tolist()
    if all(mask):
        raise ValueError(
            f"observed marks all {features} features, so nothing is left to have a distribution."
            " Leave at least one False, or use log_prob for the density of a whole frame."
        )
    wanted = [i for i, seen in enumerate(mask) if not seen]
    return wanted, [i for i, seen in enumerate(mask) if seen]


def select_features(indices: Sequence[int] | Tensor, features: int) -> list[int]:
    """Returns the indices as a list of int, in the order given.

    Raises:
        ValueError: If there is none, one is repeated or not in 0 <= i < D, or a mask was given.

    Example:
        >>> select_features([2, 0], 3)
        [2, 0]
    """
    if isinstance(indices, Tensor) and indices.dtype == torch.bool:
        raise ValueError(
            "features must be a list of indices; found a boolean mask. Use mask.nonzero()[:, 0]."
        )
    chosen = [operator.index(i) for i in indices]
    if not chosen:
        raise ValueError("features must name at least one feature; found an empty list.")
    outside = [i for i in chosen if not 0 <= i < features]
    if outside:
        raise ValueError(
            f"features must lie in 0 <= i < {features}; found {outside} in {chosen}."
            " Count from 0; negative indices are not taken."
        )
    if len(set(chosen)) < len(chosen):
        raise ValueError(f"features must be distinct; found a repetition in {chosen}.")
    return chosen


def check_event(
    value: Tensor, features: int, name: str = "value", batch: Sequence[int] = ()
) -> None:
    """Refuses a value whose last dimension is not D, which could broadcast without a word.

    Also one whose other dimensions do not broadcast with those of `batch`.

    Raises:
        ValueError: If so.

    Example:
        >>> check_event(torch.zeros(2, 1), 3)
        Traceback (most recent call last):
            ...
        ValueError: value must have the shape (..., 3), a frame in its last dimension; found (2, 1).
    """
    if value.dim() == 0 or value.shape[-1] != features:
        raise ValueError(
            f"{name} must have the shape (..., {features}), a frame in its last dimension;"
            f" found {tuple(value.shape)}."
        )
    try:
        torch.broadcast_shapes(value.shape[:-1], batch)
    except RuntimeError:
        raise ValueError(
            f"{name} must have a shape that broadcasts with the distribution's own,"
            f" {(*batch, features)}; found {tuple(value.shape)}."
        ) from None
