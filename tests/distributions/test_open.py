"""What has no formula is refused by name, with what to do instead."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from seqmdn.distributions import ClosedDistribution
from seqmdn.distributions.open import OpenDistribution
from tests.contracts import Family
from tests.distributions import test_autoregressive, test_flowed

OPEN = [*test_autoregressive.FAMILIES, *test_flowed.FAMILIES]
REFUSED: dict[str, Callable[[Any], Any]] = {
    "mean": lambda density: density.mean,
    "variance": lambda density: density.variance,
    "mode": lambda density: density.mode,
    "modes": lambda density: density.modes(),
    "entropy_bounds": lambda density: density.entropy_bounds(),
    "cdf": lambda density: density.cdf(torch.zeros(3)),
    "icdf": lambda density: density.icdf(torch.tensor(0.5)),
}


@pytest.mark.parametrize("family", OPEN, ids=str)
@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_formula_is_refused_by_name(family: Family, name: str) -> None:
    density = family.build(family.draw((2,), 3, 1.0))
    assert isinstance(density, OpenDistribution) and not isinstance(density, ClosedDistribution)
    with pytest.raises(NotImplementedError, match=f"^{name} of .* has no formula: .* sample"):
        REFUSED[name](density)


@pytest.mark.parametrize("family", OPEN, ids=str)
def test_parts_and_places_are_refused(family: Family) -> None:
    density: Any = family.build(family.draw((2,), 3, 1.0))
    with pytest.raises(NotImplementedError, match="^marginal .* Use a|^marginal .* use a"):
        density.marginal([0])
    with pytest.raises(NotImplementedError, match="Move that module"):
        density.to(torch.float64)
