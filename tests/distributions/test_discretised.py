"""Probabilities of levels: they sum to 1, far tails keep their digits, and draws are levels."""

import math

import pytest
import torch
from torch import Tensor
from torch.distributions import Categorical

from seqmdn.distributions import DiscretisedMixture
from seqmdn.distributions.discretised import logistic_level_log_prob

K = 3


def mixture(
    levels: int = 256, dtype: torch.dtype = torch.float64, batch: int = 5, seed: int = 0
) -> DiscretisedMixture:
    generator = torch.Generator().manual_seed(seed)
    logits, loc, raw = torch.randn(3, batch, K, generator=generator, dtype=dtype)
    return DiscretisedMixture(Categorical(logits=logits), loc, (2 * raw + 2).exp(), levels)


def grid(levels: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.linspace(-1, 1, levels, dtype=dtype)


def plain(mixture: DiscretisedMixture) -> Tensor:
    """Differences of the distribution function, as they stand in the formula: (L, B)."""
    half = 1 / (mixture.levels - 1)
    z = grid(mixture.levels).view(-1, 1, 1)
    upper = torch.sigmoid((z + half - mixture.loc) * mixture.inverse_scale)
    lower = torch.sigmoid((z - half - mixture.loc) * mixture.inverse_scale)
    upper[-1], lower[0] = 1, 0
    return (mixture.mixture_distribution.probs * (upper - lower)).sum(-1)


@pytest.mark.parametrize("levels", [2, 3, 17, 256])
def test_it_is_the_difference_of_distribution_functions(levels: int) -> None:
    found = mixture(levels)
    values = grid(levels).view(-1, 1, 1)
    probabilities = found.log_prob(values).exp()
    torch.testing.assert_close(probabilities, plain(found), rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(probabilities.sum(0), torch.ones(5).double(), rtol=0, atol=1e-12)
    torch.testing.assert_close(found.level_log_prob(), found.log_prob(values).T)


@pytest.mark.parametrize("inverse", [0.01, 1.0, 300.0, 3e4])
@pytest.mark.parametrize("loc", [-30.0, -1.0, 0.001, 1.0, 5.0])
def test_the_levels_sum_to_one_in_float32(loc: float, inverse: float) -> None:
    level = torch.arange(256)
    found = logistic_level_log_prob(level, torch.tensor(loc), torch.tensor(inverse), 256)
    assert found.isfinite().all()
    assert found.double().exp().sum().item() == pytest.approx(1, abs=2e-5)


def test_far_tails_keep_their_digits_in_float32() -> None:
    level = torch.arange(256)
    for loc, inverse in ((40.0, 3e3), (-7.0, 1e5), (0.3, 2e3), (2.0, 0.05)):
        wide = logistic_level_log_prob(
            level, torch.tensor(loc).double(), torch.tensor(inverse).double(), 256
        )
        short = logistic_level_log_prob(level, torch.tensor(loc), torch.tensor(inverse), 256)
        assert short.isfinite().all()
        torch.testing.assert_close(short.double(), wide, rtol=2e-5, atol=1e-5 * (1 + inverse / 100))
    assert wide.min() < -5  # and the plain difference has none of them:
    assert (
        float(logistic_level_log_prob(torch.tensor(1), torch.tensor(40.0), torch.tensor(3e3), 256))
        < -1e5
    )


def test_gradients_are_those_of_the_probabilities() -> None:
    torch.manual_seed(0)
    logits, loc, raw = torch.randn(3, 4, K, dtype=torch.float64, requires_grad=True)
    values = grid(5)[torch.tensor([0, 2, 3, 4])].unsqueeze(-1)

    def log_prob(logits: Tensor, loc: Tensor, raw: Tensor) -> Tensor:
        return DiscretisedMixture(Categorical(logits=logits), loc, raw.exp(), 5).log_prob(values)

    assert torch.autograd.gradcheck(log_prob, (logits, loc, raw))
    far = torch.full((4, K), 1e4, requires_grad=True)
    scale = torch.full((4, K), 50.0, requires_grad=True)
    weights = Categorical(logits=torch.zeros(4, K))
    DiscretisedMixture(weights, far, scale, 5).log_prob(values.float()).sum().backward()
    assert far.grad.isfinite().all() and scale.grad.isfinite().all()


def test_draws_are_levels_as_often_as_they_are_probable() -> None:
    found = mixture(9)
    draws = found.sample((40_000,))  # (N, B, 1)
    counts = (draws == grid(9)).double()  # (N, B, L)
    assert (counts.sum(-1) == 1).all(), "every draw is one of the levels"
    probable = found.level_log_prob().exp()
    error = (probable * (1 - probable) / 40_000).sqrt()
    assert ((counts.mean(0) - probable).abs() < 4.5 * error + 1e-6).all()
    mean, variance = draws.mean(0), draws.var(0)
    torch.testing.assert_close(mean, found.mean, rtol=0, atol=0.02)
    torch.testing.assert_close(variance, found.variance, rtol=0.05, atol=0.01)


def test_temperatures_sharpen_weights_and_widths() -> None:
    found = mixture()
    same = found.tempered(1.0, 1.0)
    torch.testing.assert_close(same.level_log_prob(), found.level_log_prob())
    sharp = found.tempered(mixing=0.5, scale=0.25)
    torch.testing.assert_close(sharp.inverse_scale, 2 * found.inverse_scale)
    weights = found.mixture_distribution.probs.square()
    expected = weights / weights.sum(-1, keepdim=True)
    torch.testing.assert_close(sharp.mixture_distribution.probs, expected)
    each = found.tempered(scale=torch.tensor([1.0, 4, 1, 1, 1], dtype=torch.float64))
    torch.testing.assert_close(each.inverse_scale[1], found.inverse_scale[1] / 2)
    for wrong in ({"mixing": 0.0}, {"scale": -1.0}):
        with pytest.raises(ValueError, match="must be positive"):
            found.tempered(**wrong)


@pytest.mark.parametrize("value", [0.1234, -1.01, 1.01, math.nan, 128.0])
def test_what_is_no_level_is_refused_with_the_remedy(value: float) -> None:
    with pytest.raises(ValueError, match="one of 256 levels .* Use the transform .*noise null"):
        mixture().log_prob(torch.full((5, 1), value, dtype=torch.float64))


def test_what_is_missing_adds_nothing() -> None:
    found = mixture()
    value = grid(256)[torch.tensor([0, 9, 80, 255, 3])].unsqueeze(-1)
    seen = torch.tensor([[True], [False], [True], [False], [True]])
    part = found.log_prob(value.where(seen, math.nan), seen)
    assert torch.equal(part, found.log_prob(value).where(seen.squeeze(-1), 0))


def test_it_expands_and_says_what_does_not_fit() -> None:
    one = mixture(batch=1)
    many = one.expand((4, 7))
    assert many.sample().shape == (4, 7, 1)
    torch.testing.assert_close(many.level_log_prob()[2, 3], one.level_log_prob()[0])
    assert "levels=256" in repr(many)
    weights = Categorical(logits=torch.zeros(2))
    for arguments in (
        (torch.zeros(3), torch.ones(3), 256),
        (torch.zeros(2), torch.ones(2), 1),
        (torch.zeros(2), torch.ones(3), 256),
    ):
        with pytest.raises(ValueError, match=r"of one shape \(\*batch, K\), and 2 levels or more"):
            DiscretisedMixture(weights, *arguments)
    with pytest.raises(ValueError, match="loc holds NaN"):
        DiscretisedMixture(weights, torch.tensor([0.0, math.nan]), torch.ones(2))
    for name in ("cdf", "rosenblatt", "inverse_rosenblatt"):
        with pytest.raises(NotImplementedError, match=f"{name} of levels is not offered"):
            getattr(one, name)(torch.zeros(1, 1))
