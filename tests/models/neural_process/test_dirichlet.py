"""Dirichlet draws in log space, against what is known of their logarithms."""

import pytest
import torch
from scipy import special, stats
from torch.distributions import Dirichlet

from seqmdn.models.neural_process.dirichlet import log_density, log_draws


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("size", [0.01, 0.3, 5.0])
def test_moments_of_log_z_are_scipys(size: float, dtype: torch.dtype) -> None:
    alpha = size * torch.tensor([0.5, 1.0, 2.0]).double()
    count = 40_000
    log_z = log_draws(alpha.to(dtype).unsqueeze(0), count)[0].double()
    assert log_z.isfinite().all()
    sizes = alpha.numpy()
    mean = torch.from_numpy(special.digamma(sizes) - special.digamma(sizes.sum()))
    variance = special.polygamma(1, sizes) - special.polygamma(1, sizes.sum())
    error = log_z.std(0) / count**0.5
    assert ((log_z.mean(0) - mean).abs() < 5 * error).all()
    squares = (log_z - mean).square()
    assert (
        (squares.mean(0) - torch.from_numpy(variance)).abs() < 5 * squares.std(0) / count**0.5
    ).all()
    # And the z themselves are those of the distribution, as far as they can be seen.
    z = log_z.exp()
    assert ((z.mean(0) - alpha / alpha.sum()).abs() < 5 * z.std(0) / count**0.5 + 1e-6).all()


def test_each_weight_has_its_marginal_distribution() -> None:
    alpha = torch.tensor([[0.3, 1.5, 0.7]]).double()
    z = log_draws(alpha, 4000)[0].exp()
    for one, size in zip(z.unbind(1), alpha[0].tolist(), strict=True):
        found = stats.kstest(one.numpy(), stats.beta(size, 2.5 - size).cdf)
        assert found.pvalue > 1e-4


def test_the_density_is_torchs() -> None:
    alpha = torch.tensor([[0.3, 1.5, 0.7], [4.0, 2.0, 9.0]]).double()
    log_z = log_draws(alpha, 50)
    expected = Dirichlet(alpha).log_prob(log_z.exp().transpose(0, 1)).T
    torch.testing.assert_close(log_density(log_z, alpha), expected)
    # Of one weight, which is 1, nothing is left.
    assert not log_density(log_draws(alpha[:, :1], 5), alpha[:, :1]).any()


def test_the_density_of_a_corner_is_finite_with_its_gradient() -> None:
    alpha = torch.full((1, 4), 1e-4, requires_grad=True)
    log_z = log_draws(alpha.detach(), 100)
    assert (log_z < -1000).any() and Dirichlet(alpha[0]).sample((100,)).log().min() > -100
    found = log_density(log_z, alpha)
    found.sum().backward()
    assert found.isfinite().all() and alpha.grad is not None and alpha.grad.isfinite().all()


def test_a_generator_of_each_row_is_all_that_its_draws_depend_on() -> None:
    alpha = torch.tensor([[0.3, 1.5], [4.0, 2.0], [0.01, 0.02]])

    def generators(*seeds: int) -> list[torch.Generator]:
        return [torch.Generator().manual_seed(seed) for seed in seeds]

    before = torch.get_rng_state()
    whole = log_draws(alpha, 6, generators(1, 2, 3))
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(log_draws(alpha[1:], 6, generators(2, 3)), whole[1:])
    assert not torch.equal(log_draws(alpha, 6, generators(4, 2, 3))[0], whole[0])


@pytest.mark.parametrize("size", [0.3, 3.0])
def test_gradients_of_draws_are_those_of_their_expectation(size: float) -> None:
    alpha = (size * torch.tensor([[0.5, 1.0, 2.0]]).double()).requires_grad_()
    count = 40_000
    # E log z_1 is known, and so is its slope.
    log_draws(alpha, count)[0, :, 0].mean().backward()
    sizes = alpha.detach()[0].numpy()
    slope = torch.full((3,), -float(special.polygamma(1, sizes.sum()))).double()
    slope[0] += float(special.polygamma(1, sizes[0]))
    assert alpha.grad is not None
    torch.testing.assert_close(alpha.grad[0], slope, rtol=0.06, atol=0.02)
