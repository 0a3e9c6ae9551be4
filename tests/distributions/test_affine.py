"""A mixture in another unit, against the change of variables."""

import pytest
import torch

from seqmdn.data import Standardise
from seqmdn.distributions import Flowed, rescaled
from tests.distributions import test_mixture


@pytest.mark.parametrize("rank", [0, 2])
def test_it_is_the_density_of_the_data(rank: int) -> None:
    family = test_mixture.mixture_family(rank)
    mixture = family.build(family.draw((4,), 3, 1.0))
    scale = Standardise(3).double()
    scale.fit(torch.tensor([0.1, 1.0, 40.0]).double() * torch.randn(50, 3).double() + 7)
    found = rescaled(mixture, scale.mean, scale.std)
    value = scale.inverse(torch.randn(20, 4, 3).double())
    flowed = Flowed(mixture, scale)
    torch.testing.assert_close(found.log_prob(value), flowed.log_prob(value))
    torch.testing.assert_close(found.mean, scale.inverse(mixture.mean))
    torch.testing.assert_close(found.cdf(value[0]), mixture.cdf(scale(value[0])))


def test_a_scale_that_turns_or_flattens_is_refused() -> None:
    family = test_mixture.mixture_family(0)
    mixture = family.build(family.draw((), 2, 1.0))
    with pytest.raises(ValueError, match=r"positive scales; found \[1.0, 0.0\]"):
        rescaled(mixture, torch.zeros(2), torch.tensor([1.0, 0.0]))
