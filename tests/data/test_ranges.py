"""A range as the unit: exact both ways, and a determinant that counts what is there."""

import math

import pytest
import torch

from seqmdn.data import Range


def test_the_determinant_is_that_of_autograd() -> None:
    scale = Range(3, low=-2.0, high=6.0).double()
    y = torch.randn(5, 3, dtype=torch.float64) * 9
    z, ladj = scale.call_and_ladj(y)
    jacobian = torch.autograd.functional.jacobian(lambda v: scale.call_and_ladj(v)[0], y[0])
    torch.testing.assert_close(ladj, jacobian.slogdet().logabsdet.expand(5))
    torch.testing.assert_close(scale.inverse(z), y)
    assert scale.ladj() == pytest.approx(-3 * math.log(8))
    ends = torch.tensor([[-2.0, 6.0, 2.0]]).double()
    assert scale.call_and_ladj(ends)[0].tolist() == [[0.0, 1.0, 0.5]]
    assert torch.equal(scale.fit(y).call_and_ladj(y)[0], z), "nothing is fitted"


def test_what_is_missing_counts_nothing() -> None:
    observed = torch.tensor([[True, False, True], [False, False, False]])
    y = torch.full((2, 3), 4.0).masked_fill(~observed, torch.nan)
    z, ladj = Range(3, high=8).call_and_ladj(y, observed)
    assert z.tolist() == [[0.5, 0, 0.5], [0, 0, 0]]
    torch.testing.assert_close(ladj, -math.log(8) * torch.tensor([2.0, 0.0]))


@pytest.mark.parametrize(("low", "high"), [(1.0, 1.0), (2.0, 1.0), (0.0, math.inf)])
def test_borders_must_be_in_order(low: float, high: float) -> None:
    with pytest.raises(ValueError, match="Range expected finite low below high, found"):
        Range(1, low, high)
