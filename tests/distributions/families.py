"""All families of distributions, for what each of them must answer beyond its density."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution
from torch.utils._python_dispatch import TorchDispatchMode

from tests.contracts import Family
from tests.distributions import (
    dense,
    test_circuit,
    test_factorised,
    test_flowed,
    test_gaussian,
    test_mixture,
)

GAUSSIANS = test_gaussian.FAMILIES
MIXTURES = [test_mixture.mixture_family(rank) for rank in (0, 1, 2)]
CLOSED = [*GAUSSIANS, *MIXTURES, *test_circuit.FAMILIES, test_factorised.FAMILY]
FLOWED = test_flowed.FAMILIES


def leaves(parameters: Mapping[str, Tensor]) -> dense.Parameters:
    """Returns copies that ask for a gradient."""
    return {name: p.detach().clone().requires_grad_() for name, p in parameters.items()}


def gradients(output: Tensor, parameters: Mapping[str, Tensor]) -> dense.Parameters:
    """Returns the gradient of each parameter that has elements; one that is not reached fails."""
    named = {name: p for name, p in parameters.items() if p.numel()}
    found = torch.autograd.grad(output, list(named.values()), retain_graph=True)
    return dict(zip(named, found, strict=True))


def context(parameters: Mapping[str, Tensor], index: int) -> dense.Parameters:
    return {name: p[index] for name, p in parameters.items()}


def build(family: Family, parameters: Mapping[str, Tensor]) -> Any:
    return family.build(dict(parameters))


class Largest(TorchDispatchMode):
    """Notes the number of elements of the largest tensor that is made."""

    elements = 0

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        result = function(*args, **(kwargs or {}))
        for one in result if isinstance(result, tuple | list) else [result]:
            if isinstance(one, Tensor):
                self.elements = max(self.elements, one.numel())
        return result


def largest(function: Callable[[], Any]) -> int:
    with Largest() as mode:
        function()
    return mode.elements


def wide(components: int, features: int, rank: int) -> Distribution:
    """Returns a mixture for which D x D is far more than anything it needs."""
    parameters = test_mixture.draw((), features, rank, components=components)
    return test_mixture.build(leaves(parameters))
