"""What the checks of modules share."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import Tensor, nn

Module = TypeVar("Module", bound=nn.Module)


def perturbed(module: Module, strength: float = 0.05, seed: int = 0) -> Module:
    """Moves every parameter away from where it began, always in the same way."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.add_(strength * noise.to(parameter))
    return module


def assert_state_is_complete(module: nn.Module) -> None:
    """Fails where a tensor is saved twice, one that matters is not saved, or a mode is shadowed."""
    assert module.eval() is module and not any(part.training for part in module.modules())
    assert module.train() is module and all(part.training for part in module.modules())
    state = module.state_dict()
    names = [name for name, _ in module.named_parameters(remove_duplicate=False)]
    assert len(names) == len(list(module.parameters())), "a parameter is registered twice"
    assert set(names) <= set(state)
    pointers = [tensor.data_ptr() for tensor in state.values() if tensor.numel()]
    assert len(set(pointers)) == len(pointers), "two entries share their memory"
    buffers = {name: b for name, b in module.named_buffers() if name in state}
    assert set(state) == set(names) | set(buffers)
    elements = sum(tensor.numel() for tensor in state.values())
    parameters = sum(parameter.numel() for parameter in module.parameters())
    assert elements == parameters + sum(buffer.numel() for buffer in buffers.values())


def contexts(
    features: int, count: int, dtype: torch.dtype = torch.float32
) -> Tensor | None:  # (N, H)
    return torch.randn(count, features, dtype=dtype, requires_grad=True) if features else None
