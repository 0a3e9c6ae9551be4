"""The head of squared errors: an exact Gaussian, and gradients that are those of its name."""

import math
import re

import pytest
import torch
from torch import Tensor
from torch.distributions import Normal

from seqmdn.heads import SquaredErrorHead
from tests.contracts import assert_state_is_complete, perturbed


def build(features: int = 2, context: int = 4) -> SquaredErrorHead:
    return perturbed(SquaredErrorHead(features, context), 0.1).double()


def test_it_is_a_gaussian_of_one_variance_for_every_context() -> None:
    head = build()
    h, y = torch.randn(3, 6, 4).double(), torch.randn(3, 6, 2).double()
    density = head(h)
    assert density.batch_shape == (3, 6) and density.event_shape == (2,)
    deviation = density.variance.sqrt()
    torch.testing.assert_close(deviation, deviation[:1, :1].expand_as(deviation))
    assert deviation[0, 0, 0] != deviation[0, 0, 1], "each feature has its own"
    torch.testing.assert_close(density.mean, head.projection(h))
    expected = Normal(head.projection(h), deviation[0, 0]).log_prob(y).sum(-1)
    torch.testing.assert_close(density.log_prob(y), expected)


@pytest.mark.parametrize("training", [True, False])
def test_the_mean_learns_squared_errors_and_the_scale_its_own(training: bool) -> None:
    head = build().train(training)
    h, y = torch.randn(50, 4).double(), torch.randn(50, 2).double()
    weights = list(head.projection.parameters())
    found = torch.autograd.grad(-head(h).log_prob(y).mean(), [*weights, head.scale])
    error = (head.projection(h) - y).square()
    precision = 1 / head(h).variance[0].detach()
    loss = 0.5 * (error * (1 if training else precision)).sum(-1).mean()
    for one, other in zip(found, torch.autograd.grad(loss, weights), strict=False):
        torch.testing.assert_close(one, other)
    own = 10 * (1 - precision * error.mean(0))
    torch.testing.assert_close(found[-1], own.detach())


def test_the_optimum_is_that_of_least_squares() -> None:
    generator = torch.Generator().manual_seed(1)
    h = torch.randn(200, 4, generator=generator).double()
    noise = torch.randn(200, 2, generator=generator).double() * torch.tensor([0.01, 1.0])
    y = h @ torch.randn(4, 2, generator=generator).double() + noise + 3
    head = SquaredErrorHead(2, 4).double()
    head.initialise(y)
    optimiser = torch.optim.LBFGS(
        head.parameters(),
        max_iter=2000,
        tolerance_grad=1e-9,
        tolerance_change=0,
        line_search_fn="strong_wolfe",
    )

    def loss() -> Tensor:
        optimiser.zero_grad()
        found = -head(h).log_prob(y).mean()
        found.backward()
        return found

    head.eval()  # in which the gradient is that of the density, as a line search needs it
    optimiser.step(loss)
    inputs = torch.cat((h, torch.ones(200, 1).double()), dim=1)
    residual = y - inputs @ torch.linalg.lstsq(inputs, y).solution
    variance = residual.square().mean(0)
    torch.testing.assert_close(head(h).variance[0].detach(), variance, rtol=1e-3, atol=0)
    torch.testing.assert_close((y - head(h).mean).detach(), residual, rtol=0, atol=1e-3)
    expected = -0.5 * (variance.log() + math.log(2 * math.pi) + 1).sum()
    assert head(h).log_prob(y).mean().item() == pytest.approx(float(expected), abs=1e-5)


def test_it_begins_with_the_moments_of_the_data() -> None:
    head = SquaredErrorHead(3, 4)
    values = torch.randn(500, 3) * torch.tensor([0.1, 1.0, 50.0]) + torch.tensor([5.0, 0.0, -9.0])
    head.initialise(values)
    density = head(torch.zeros(4))
    torch.testing.assert_close(density.mean, values.mean(0))
    torch.testing.assert_close(density.variance, values.var(0, correction=0), rtol=1e-4, atol=1e-4)
    head.initialise(torch.ones(9, 3))  # of a constant, something that has a density
    assert head(torch.zeros(4)).log_prob(torch.ones(3)).isfinite()
    for wrong in (torch.zeros(9, 2), torch.zeros(0, 3)):
        message = f"values must have shape (N, 3), found {tuple(wrong.shape)}"
        with pytest.raises(ValueError, match=re.escape(message)):
            head.initialise(wrong)


def test_it_is_saved_whole_and_keeps_its_density_in_float32() -> None:
    head = perturbed(SquaredErrorHead(3, 4))
    assert_state_is_complete(head)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert head(torch.randn(5, 4)).log_prob(torch.randn(5, 3)).dtype == torch.float32


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="features must be at least 1, found 0"):
        SquaredErrorHead(0, 4)
    with pytest.raises(ValueError, match=r"h must have 4 features, found shape \(2, 5\)"):
        SquaredErrorHead(3, 4)(torch.zeros(2, 5))
