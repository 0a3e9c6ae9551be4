"""Draws that a seed decides, and ranks among them."""

import math

import pytest
import torch
from scipy import stats

from seqmdn.metrics.draws import DrawnMean, check_samples, randomised_rank, seeded
from tests.metrics.known import normal

CPU = torch.device("cpu")


def test_the_key_decides_and_the_global_numbers_stay() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    drawn = []
    for key in ((0, 1), (0, 1), (1, 0), (0, 2)):
        with seeded(CPU, *key):
            drawn.append(torch.rand(3))
    assert torch.equal(torch.rand(3), expected)
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2]) and not torch.equal(drawn[0], drawn[3])


@pytest.mark.parametrize("count", [1, 4])
def test_the_rank_of_one_more_draw_is_uniform(count: int) -> None:
    samples, value = torch.randn(count, 20_000), torch.randn(20_000)
    rank = randomised_rank((samples < value).sum(0), count)
    assert stats.kstest(rank.numpy(), "uniform").pvalue > 1e-3


def test_the_error_of_a_rank_is_as_documented() -> None:
    samples = torch.randn(200, 5000)
    rank = randomised_rank((samples < 1.0).sum(0), 200)
    share = stats.norm.cdf(1.0)
    assert (rank - share).std() == pytest.approx(math.sqrt(share * (1 - share) / 200), rel=0.05)


def test_draws_are_new_in_every_update_and_the_same_every_time() -> None:
    metric, density = DrawnMean(draws=5, seed=3), normal(4, 2)
    seen = []
    for _ in range(2):
        metric.reset()
        for _ in range(2):
            value, mask, samples, _ = metric._prepare(
                density, torch.zeros(4, 2, 1), None, None, None, True
            )
            seen.append(samples)
            metric.update(samples.sum(0).squeeze(-1), mask)
    assert seen[0].shape == (5, 4, 2, 1)
    assert torch.equal(seen[0], seen[2]) and torch.equal(seen[1], seen[3])
    assert not torch.equal(seen[0], seen[1])
    other = DrawnMean(draws=5, seed=4)._prepare(
        density, torch.zeros(4, 2, 1), None, None, None, True
    )
    assert not torch.equal(other[2], seen[0])


def test_draws_that_do_not_fit_are_refused() -> None:
    assert check_samples(torch.zeros(3, 2), torch.zeros(2)) == 3
    with pytest.raises(ValueError, match=r"S >= 2.*found \(1, 3\) and \(3,\)"):
        check_samples(torch.zeros(1, 3), torch.zeros(3))
    with pytest.raises(ValueError, match=r"found \(5, 2\) and \(3,\)"):
        check_samples(torch.zeros(5, 2), torch.zeros(3))
    with pytest.raises(ValueError, match="draws of 2 or more; found 1"):
        DrawnMean(draws=1)
