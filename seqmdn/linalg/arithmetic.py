"""In which precision the arithmetic of densities is done, whatever surrounds it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, TypeVar

import torch
from torch import Tensor

__all__ = ["doubled", "full_precision", "widen"]

_AUTOCAST_DEVICES = ("cpu", "cuda", "mps", "xpu")
_Function = TypeVar("_Function", bound=Callable[..., Any])


def widen(tensor: Tensor) -> Tensor:
    """Returns a half-precision tensor as float32 and any other tensor as it is."""
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor


def full_precision(function: _Function) -> _Function:
    """Makes a function compute in float32 or better.

    Turns autocast off inside it and widens half-precision arguments: a density in bfloat16 keeps
    two or three digits, fewer than the differences that models are compared by.

    Example:
        >>> product = full_precision(torch.matmul)
        >>> with torch.autocast("cpu", dtype=torch.bfloat16):
        ...     torch.matmul(torch.ones(2, 2), torch.ones(2, 2)).dtype, product(
        ...         torch.ones(2, 2), torch.ones(2, 2, dtype=torch.bfloat16)
        ...     ).dtype
        (torch.bfloat16, torch.float32)
    """

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        args = tuple(widen(a) if isinstance(a, Tensor) else a for a in args)
        kwargs = {k: widen(a) if isinstance(a, Tensor) else a for k, a in kwargs.items()}
        active = [device for device in _AUTOCAST_DEVICES if torch.is_autocast_enabled(device)]
        if not active:
            return function(*args, **kwargs)
        with ExitStack() as stack:
            for device in active:
                stack.enter_context(torch.autocast(device, enabled=False))
            return function(*args, **kwargs)

    return wrapper  # type: ignore[return-value]


def doubled(tensor: Tensor) -> Tensor:
    """Returns the tensor in float64 where its device has it.

    Example:
        >>> doubled(torch.ones(2)).dtype
        torch.float64
    """
    return tensor if tensor.device.type == "mps" else tensor.double()
