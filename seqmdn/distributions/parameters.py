"""What a Gaussian of precision D + UU' can be made of."""

from __future__ import annotations

import torch
from torch import Size, Tensor

__all__ = ["check_parameters", "common_shape"]


def common_shape(loc: Tensor, diagonal: Tensor, factor: Tensor) -> tuple[Size, int]:
    """Returns the batch shape and D that mean, diagonal and factor share.

    Raises:
        ValueError: If they share none.

    Example:
        >>> common_shape(torch.zeros(4, 3), torch.ones(3), torch.zeros(3, 2))
        (torch.Size([4]), 3)
    """
    found = f"found loc {tuple(loc.shape)}, diagonal {tuple(diagonal.shape)}"
    found += f", factor {tuple(factor.shape)}"
    expected = "expected loc (*batch, D), diagonal (*batch, D) and factor (*batch, D, R)"
    if loc.dim() < 1 or diagonal.dim() < 1 or factor.dim() < 2:
        raise ValueError(f"{expected}; {found}.")
    if not loc.shape[-1] == diagonal.shape[-1] == factor.shape[-2]:
        raise ValueError(f"{expected} with one D; {found}.")
    try:
        batch_shape = torch.broadcast_shapes(loc.shape[:-1], diagonal.shape[:-1], factor.shape[:-2])
    except RuntimeError:
        raise ValueError(f"{expected} with batch shapes that broadcast; {found}.") from None
    return batch_shape, loc.shape[-1]


def check_parameters(loc: Tensor, diagonal: Tensor, factor: Tensor) -> None:
    """Refuses a parameter that is NaN, and a diagonal that is not positive.

    Raises:
        ValueError: If so; it names the parameter.

    Example:
        >>> check_parameters(torch.zeros(2), torch.tensor([1.0, -0.5]), torch.zeros(2, 0))
        Traceback (most recent call last):
            ...
        ValueError: diagonal must be positive; found a minimum of -0.5, shape (2,). Map what is ...
    """
    # One pass over each, and one answer to wait for: a sum is NaN where an entry is. It is NaN of
    # inf - inf too, and entries that are not finite are looked at one by one.
    total = loc.detach().sum() + factor.detach().sum()
    if bool((diagonal.detach().amin() > 0) & ~torch.isnan(total)) if loc.numel() else True:
        return
    for name, tensor in (("loc", loc), ("diagonal", diagonal), ("factor", factor)):
        wrong = torch.isnan(tensor)
        if wrong.any():
            raise ValueError(
                f"{name} holds {int(wrong.sum())} NaN in {tensor.numel()} values, shape"
                f" {tuple(tensor.shape)}. Look for a diverged step or NaN in the data before it."
            )
    if not (diagonal > 0).all():
        raise ValueError(
            f"diagonal must be positive; found a minimum of {float(diagonal.min()):.6g}, shape"
            f" {tuple(diagonal.shape)}. Map what is unbounded through softplus and add a floor."
        )
