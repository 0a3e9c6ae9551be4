"""Objectives of shared weights: closed forms, bounds, and whose gradient is whose."""

import numpy as np
import pytest
import torch
from scipy import integrate, special
from torch import Tensor

from seqmdn.models.neural_process.dirichlet import log_density, log_draws
from seqmdn.models.neural_process.objectives import (
    Particles,
    conjugate_posterior,
    draw_particles,
    importance_bound,
    task_log_likelihood,
    weighted_objective,
)

B, T, L, P = 3, 6, 4, 8
ALPHA = torch.tensor([[0.3, 1.5, 0.7, 2.0], [4.0, 2.0, 9.0, 1.0], [0.05, 0.05, 0.1, 0.1]]).double()
MASK = torch.arange(T) < torch.tensor([[6], [3], [0]])


def densities(seed: int = 0, experts: int = L) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 2 * torch.randn(B, T, experts, generator=generator).double()


def test_a_tasks_likelihood_is_of_all_its_targets_under_one_draw() -> None:
    log_z, log_experts = log_draws(ALPHA, P), densities()
    found = task_log_likelihood(log_z, log_experts, MASK)
    for b in range(B):
        for p in range(P):
            points = [(log_z[b, p].exp() * log_experts[b, t].exp()).sum().log() for t in range(T)]
            expected = sum(points[: int(MASK[b].sum())], torch.zeros(()).double())
            torch.testing.assert_close(found[b, p], expected)


def test_the_closed_form_of_one_target_is_the_mean_over_draws() -> None:
    log_experts, count = densities(), 40_000
    one = MASK & (torch.arange(T) == 0)
    log_mean = (ALPHA / ALPHA.sum(1, keepdim=True)).log()
    exact = task_log_likelihood(log_mean.unsqueeze(1), log_experts, one)[:, 0].exp()
    drawn = task_log_likelihood(log_draws(ALPHA, count), log_experts, one).exp()
    assert ((drawn.mean(1) - exact).abs() <= 5 * drawn.std(1) / count**0.5).all()
    # Of several, it is not: their weights are the same.
    several = task_log_likelihood(log_mean.unsqueeze(1), log_experts, MASK)[0, 0].exp()
    drawn = task_log_likelihood(log_draws(ALPHA, count), log_experts, MASK)[0].exp()
    assert (drawn.mean() - several).abs() > 5 * drawn.std() / count**0.5


@pytest.mark.parametrize("proposal", ["prior", "mixture"])
def test_the_gradient_for_the_experts_is_that_of_the_bound(proposal: str) -> None:
    log_experts = densities().requires_grad_()
    posterior = None
    if proposal == "mixture":
        posterior = conjugate_posterior(ALPHA, log_experts, MASK)
    log_z, log_ratio = draw_particles(ALPHA, P, posterior)
    log_likelihood = task_log_likelihood(log_z, log_experts, MASK)
    log_prior = log_density(log_z, ALPHA)
    objective, _ = weighted_objective(log_likelihood, log_ratio, log_prior)
    (found,) = torch.autograd.grad(objective.sum(), log_experts, retain_graph=True)
    bound = importance_bound(log_likelihood, log_ratio)
    (expected,) = torch.autograd.grad(bound.sum(), log_experts)
    torch.testing.assert_close(found, expected)
    assert found[MASK].any() and not found[~MASK].any()
    assert (objective - bound).abs().max() > 0.1, "only the gradient is the same"


def test_nothing_goes_through_draws_or_weights() -> None:
    alpha, log_experts = ALPHA.clone().requires_grad_(), densities().requires_grad_()
    log_z, log_ratio = draw_particles(alpha, P, conjugate_posterior(alpha, log_experts, MASK))
    assert not log_z.requires_grad and not log_ratio.requires_grad
    log_likelihood = task_log_likelihood(log_z, log_experts, MASK)
    log_prior = log_density(log_z, alpha)
    objective, effective = weighted_objective(log_likelihood, log_ratio, log_prior)
    assert not effective.requires_grad
    weights = torch.softmax(log_likelihood + log_ratio, dim=1).detach()
    (found,) = torch.autograd.grad(objective.sum(), alpha, retain_graph=True)
    (expected,) = torch.autograd.grad((weights * log_prior).sum(), alpha)
    torch.testing.assert_close(found, expected)


def test_effective_draws_are_between_one_and_all() -> None:
    even = torch.zeros(2, P)
    one = even.clone()
    one[:, 3] = 1000
    assert weighted_objective(even, even, even)[1].tolist() == [P, P]
    assert weighted_objective(one, even, even)[1].tolist() == [1, 1]
    # A draw that is rare where it was drawn counts the more.
    assert weighted_objective(even, one, even)[1].tolist() == [1, 1]


def test_a_control_variate_changes_no_expectation_and_takes_away_noise() -> None:
    # Where targets say nothing, the prior has nothing to learn.
    log_z, log_ratio = draw_particles(ALPHA, P, 2 * ALPHA + 1)
    alpha = ALPHA.clone().requires_grad_()
    nothing = torch.zeros(B, P).double()
    for control, silent in ((True, True), (False, False)):
        objective, _ = weighted_objective(nothing, log_ratio, log_density(log_z, alpha), control)
        (slope,) = torch.autograd.grad(objective.sum(), alpha)
        assert (slope.abs().max() < 1e-12) == silent
    # Elsewhere, the mean of what it takes away is 0.
    many, ratio = draw_particles(ALPHA, 60_000)
    alpha = ALPHA.clone().requires_grad_()
    (slope,) = torch.autograd.grad(
        (torch.softmax(ratio, 1) * log_density(many, alpha)).sum(), alpha
    )
    # The variance of log z_l, the slope's only random part, is below that of log g_l.
    error = torch.from_numpy(special.polygamma(1, ALPHA.numpy()) / 60_000).sqrt()
    assert (slope.abs() < 6 * error).all()


def exact(alpha: Tensor, log_experts: Tensor, mask: Tensor) -> float:
    """The joint log-likelihood of one task of two experts, by quadrature over z."""
    first, second = (log_experts[mask].exp().numpy()[:, i] for i in range(2))
    a, b = alpha.tolist()

    def likelihood(z: float) -> float:
        return float(np.prod(z * first + (1 - z) * second))

    powers = (a - 1, b - 1)  # of z and 1 - z, which may be infinite at the ends
    value, error = integrate.quad(likelihood, 0, 1, weight="alg", wvar=powers, epsabs=1e-13)
    assert error < 1e-7 * value
    return float(np.log(value / special.beta(a, b)))


def two_experts() -> tuple[Tensor, Tensor, Tensor]:
    return torch.tensor([[0.4, 0.7], [3.0, 2.0], [2.0, 0.5]]).double(), densities(3, 2), MASK


@pytest.mark.parametrize("proposal", ["prior", "mixture"])
def test_the_bound_is_never_above_the_likelihood_and_nears_it(proposal: str) -> None:
    alpha, log_experts, mask = two_experts()
    posterior = conjugate_posterior(alpha, log_experts, mask) if proposal == "mixture" else None
    each = zip(alpha, log_experts, mask, strict=True)
    expected = torch.tensor([exact(*task) for task in each], dtype=torch.float64)
    gaps = []
    for draws in (2, 8, 64):
        repeats = 3000
        many = log_experts.repeat(repeats, 1, 1)
        own = None if posterior is None else posterior.repeat(repeats, 1)
        log_z, log_ratio = draw_particles(alpha.repeat(repeats, 1), draws, own)
        under = task_log_likelihood(log_z, many, mask.repeat(repeats, 1))
        # The mean of the weights is exact; that of their logarithm lies below.
        mean = (under + log_ratio).exp().mean(1).view(repeats, B)
        error = mean.std(0) / repeats**0.5
        assert ((mean.mean(0) - expected.exp()).abs() <= 5 * error + 1e-12).all()
        bound = importance_bound(under, log_ratio).view(repeats, B)
        error = bound.std(0) / repeats**0.5
        assert (bound.mean(0) <= expected + 4 * error + 1e-12).all()
        gaps.append(expected - bound.mean(0))
    assert gaps[0][0] > gaps[1][0] > gaps[2][0] > -1e-3
    assert gaps[2].max() < 0.02
    assert gaps[0][2].abs() < 1e-12, "without targets there is nothing to bound"


def test_draws_of_the_posterior_make_the_bound_tighter() -> None:
    # Many targets that agree, under a prior that expects otherwise.
    alpha = torch.tensor([[0.5, 8.0]]).double()
    log_experts = torch.tensor([0.0, -3.0]).double().expand(1, 25, 2)
    mask = torch.ones(1, 25, dtype=torch.bool)
    expected = exact(alpha[0], log_experts[0], mask[0])
    posterior = conjugate_posterior(alpha, log_experts, mask)
    found = {}
    for name, own in (("prior", None), ("mixture", posterior.expand(2000, -1))):
        log_z, log_ratio = draw_particles(alpha.expand(2000, -1), 16, own)
        likelihood = task_log_likelihood(log_z, log_experts.expand(2000, -1, -1), mask)
        bound = importance_bound(likelihood, log_ratio)
        effective = weighted_objective(likelihood, log_ratio, likelihood)[1]
        found[name] = bound.mean().item(), effective.mean().item()
    assert found["prior"][0] < found["mixture"][0] - 0.3 < expected - 0.3 + 0.01
    assert found["mixture"][1] > 1.5 * found["prior"][1]


def test_the_conjugate_posterior_is_exact_where_targets_are_certain() -> None:
    certain = torch.full((B, T, L), -80.0).double()
    chosen = torch.randint(L, (B, T), generator=torch.Generator().manual_seed(1))
    certain.scatter_(2, chosen.unsqueeze(-1), 0.0)
    found = conjugate_posterior(ALPHA, certain, MASK)
    counts = torch.nn.functional.one_hot(chosen, L).where(MASK.unsqueeze(-1), 0).sum(1)
    torch.testing.assert_close(found[:2], (ALPHA + counts)[:2], rtol=1e-6, atol=1e-6)
    assert torch.equal(found[2], ALPHA[2])
    # Targets that say nothing follow the mean.
    found = conjugate_posterior(ALPHA, torch.zeros(B, T, L).double(), MASK, rounds=1)
    torch.testing.assert_close(found, ALPHA * (1 + MASK.sum(1) / ALPHA.sum(1)).unsqueeze(1))


def test_the_conjugate_posterior_is_a_fixed_point() -> None:
    found = conjugate_posterior(ALPHA, densities(), MASK, rounds=500)
    shares = torch.softmax(found.digamma().unsqueeze(1) + densities(), dim=-1)
    expected = ALPHA + shares.where(MASK.unsqueeze(-1), 0).sum(1)
    torch.testing.assert_close(found, expected)


def test_half_of_the_draws_are_the_posteriors() -> None:
    far = torch.tensor([[500.0, 1.0, 1.0, 1.0]]).double().expand(B, L)
    log_z, log_ratio = draw_particles(ALPHA, 9, far)
    assert log_z.shape == (B, 9, L) and log_ratio.max() <= np.log(9 / 5) + 1e-12
    assert (log_z[:, 5:, 0] > np.log(0.95)).all() and (log_z[:2, :5, 0] < np.log(0.95)).all()
    shares = torch.tensor([5 / 9, 4 / 9]).double().log()
    both = torch.stack((log_density(log_z, ALPHA), log_density(log_z, far)), dim=-1) + shares
    expected = log_density(log_z, ALPHA) - both.logsumexp(-1)
    torch.testing.assert_close(log_ratio, expected)
    alone: Particles = draw_particles(ALPHA, 1, far)
    assert alone.log_z.shape == (B, 1, L) and not alone.log_ratio.any()
