"""Parameters of another device or dtype."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["moved"]


def moved(tensor: Tensor, target: torch.device | torch.dtype | str) -> Tensor:
    """Returns the tensor on another device or in another floating-point dtype.

    Raises:
        TypeError: If the dtype is not a floating-point one, which would round the parameters.

    Example:
        >>> moved(torch.ones(2), torch.float64)
        tensor([1., 1.], dtype=torch.float64)
    """
    if isinstance(target, torch.dtype) and not target.is_floating_point:
        raise TypeError(
            f"expected a device or a floating-point dtype, found {target}: parameters that are"
            " rounded to whole numbers give another density. Use torch.float32 or torch.float64."
        )
    return tensor.to(target)
