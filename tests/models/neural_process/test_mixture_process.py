"""Mixtures with the weights of a task: how they are trained, closed form, joint bound."""

import math
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from scipy import integrate, special, stats

from seqmdn.data import Batch
from seqmdn.generation import generate
from seqmdn.heads import FlooredMixtureHead, MixtureHead
from seqmdn.models import MixtureProcess, NeuralProcess
from seqmdn.models.neural_process.objectives import (
    draw_particles,
    importance_bound,
    task_log_likelihood,
)
from tests.contracts import assert_state_is_complete, perturbed
from tests.models.neural_process.kinds import ENCODERS, D, X, tasks, waves

WEIGHTS = ["uniform", "deterministic", "evidence", "importance"]
every = pytest.mark.parametrize("weights", WEIGHTS)
FULL = partial(MixtureHead, components=3, covariance="lowrank", rank=1)


def build(
    weights: str = "importance", encoder: str = "attention", head: Any = FULL, **options: Any
) -> MixtureProcess:
    torch.manual_seed(0)
    model = MixtureProcess(D, X, ENCODERS[encoder], head, weights, **options)
    generator = torch.Generator().manual_seed(5)
    values = 5 + 2 * torch.randn(100, D, generator=generator).double()
    model.double().initialise(values, torch.randn(100, X, generator=generator).double())
    return perturbed(model, 0.2)


def loss(model: MixtureProcess, batch: Batch, seed: int = 3) -> torch.Tensor:
    torch.manual_seed(seed)
    return model.loss(batch)


@every
def test_a_target_is_a_mixture_of_the_experts_under_the_mean_weights(weights: str) -> None:
    model, batch = build(weights), tasks()
    density, mask = model.distributions(batch)
    log_weights = density.mixture_distribution.logits
    assert torch.equal(log_weights, log_weights[:, :1].expand_as(log_weights)), "one for a task"
    torch.testing.assert_close(log_weights.logsumexp(-1), torch.zeros(3, 7).double())
    z, ladj = model.transform.call_and_ladj(batch.values)
    experts = density.component_distribution.log_prob(z.nan_to_num(0).unsqueeze(-2))
    expected = ((log_weights + experts).logsumexp(-1) + ladj).where(mask, 0)
    torch.testing.assert_close(model.frame_log_prob(batch), expected)
    torch.testing.assert_close(model.log_prob(batch), expected.sum(1))
    if weights == "uniform":
        torch.testing.assert_close(log_weights, torch.full_like(log_weights, -math.log(3)))
    else:
        assert (log_weights[0, 0] - log_weights[1, 0]).abs().max() > 1e-4
    # Given points are a set.
    order = torch.tensor([2, 0, 1, 3, 4, 5, 6])
    moved = batch.part(0, 1)
    moved = moved._replace(values=moved.values[:, order], context=moved.context[:, order])
    torch.testing.assert_close(model.log_prob(moved), expected.sum(1)[:1])


@every
@pytest.mark.parametrize("encoder", ENCODERS)
def test_gradients_reach_every_parameter_and_padding_none(weights: str, encoder: str) -> None:
    model, batch = build(weights, encoder), tasks()
    found = loss(model, batch)
    found.backward()
    gradients = {}
    for name, parameter in model.named_parameters():
        unseen = name == "encoder.nothing" and weights == "uniform" and encoder != "deep sets"
        assert unseen or (parameter.grad is not None and parameter.grad.any()), name
        gradients[name] = torch.zeros(()) if parameter.grad is None else parameter.grad
        assert gradients[name].isfinite().all(), name
    model.zero_grad()
    hidden = ~batch.present().unsqueeze(-1)
    other = batch._replace(
        values=batch.values.masked_fill(hidden, 1e6), context=batch.context.masked_fill(hidden, -7)
    )
    again = loss(model, other)
    again.backward()
    torch.testing.assert_close(again, found)
    for name, parameter in model.named_parameters():
        if parameter.grad is not None:
            torch.testing.assert_close(parameter.grad, gradients[name])


@every
def test_what_can_be_logged_is_there_after_a_loss(weights: str) -> None:
    model, batch = build(weights, particles=8), tasks()
    assert model.effective is None and model.concentration is None
    loss(model, batch)
    assert (model.effective is not None) == (weights == "importance")
    assert (model.concentration is not None) == (weights in ("evidence", "importance"))
    if model.effective is not None:
        assert model.effective.shape == (3,) and not model.effective.requires_grad
        assert (model.effective >= 1).all() and (model.effective <= 8).all()
        assert model.logged()["effective draws"] == model.effective.mean()
    if model.concentration is not None:
        assert model.concentration.shape == (3,) and not model.concentration.requires_grad
    assert len(model.logged()) == (model.effective is not None) + (model.concentration is not None)
    assert set(model.bounds()) == ({"joint, 8 draws"} if model.concentration is not None else set())
    assert_state_is_complete(model)
    fresh = MixtureProcess(D, X, ENCODERS["attention"], FULL, weights).double()
    fresh.load_state_dict(model.state_dict())
    assert torch.equal(fresh.log_prob(batch), model.log_prob(batch))


@every
@pytest.mark.parametrize("proposal", ["prior", "mixture"])
def test_one_expert_is_a_neural_process_whatever_its_weights(weights: str, proposal: str) -> None:
    head = partial(FlooredMixtureHead, components=1)
    model, batch = build(weights, head=head, proposal=proposal), tasks()
    single = NeuralProcess(D, X, ENCODERS["attention"], head).double()
    single.load_state_dict(
        {
            name.replace("head.head.", "head."): value
            for name, value in model.state_dict().items()
            if not name.startswith("gate.")
        }
    )
    torch.testing.assert_close(model.frame_log_prob(batch), single.frame_log_prob(batch))
    torch.testing.assert_close(loss(model, batch), single.loss(batch))
    torch.testing.assert_close(model.joint(batch), single.log_prob(batch))


def two_experts(**options: Any) -> tuple[MixtureProcess, Batch, torch.Tensor]:
    """A model, tasks, and their joint log-likelihood by quadrature over the one free weight."""
    model = build(head=partial(MixtureHead, components=2), concentrations=(1.0, 3.0), **options)
    batch = tasks(unit=2.0)
    with torch.no_grad():
        assert model.gate is not None
        model.gate.network[-1].weight.mul_(4)  # that what is given makes a difference
        seen = model.see(batch)
        h, gated = model._known(*model._points(batch, seen))
        experts = model.head.densities(h).log_prob(seen.z.unsqueeze(-2))
        experts = experts - model.transform.std.log().sum()
    found = []
    for alpha, each, mask in zip(gated.concentration, experts, batch.mask(), strict=True):
        a, b = alpha.tolist()
        highest = each[mask].amax(1, keepdim=True)
        first, second = (each[mask] - highest).exp().numpy().T

        def likelihood(z: float, first: np.ndarray = first, second: np.ndarray = second) -> float:
            return float(np.prod(z * first + (1 - z) * second))

        value, _ = integrate.quad(likelihood, 0, 1, weight="alg", wvar=(a - 1, b - 1))
        found.append(np.log(value / special.beta(a, b)) + float(highest.sum()))
    return model, batch, torch.tensor(found, dtype=torch.float64)


@pytest.mark.parametrize("proposal", ["prior", "mixture"])
def test_the_joint_bound_nears_the_exact_likelihood_from_below(proposal: str) -> None:
    model, batch, exact = two_experts()
    with torch.no_grad():
        torch.testing.assert_close(model.joint(batch, 20_000, proposal), exact, atol=0.03, rtol=0)
        # Other tasks that are nearly the same have other draws.
        many = [batch._replace(values=batch.values + 1e-9 * i) for i in range(100)]
        few = torch.stack([model.joint(each, 2, proposal) for each in many])
    error = few.std(0) / len(many) ** 0.5
    assert few.std(0).max() > 1e-3 and (few.mean(0) <= exact + 4 * error).all()
    # What is a product of marginals is another density.
    assert (model.log_prob(batch) - exact).abs().max() > 0.01


def test_the_joint_bound_belongs_to_the_task_and_pieces_do_not_matter() -> None:
    model, batch = build(particles=8), tasks()
    with torch.no_grad():
        found = model.joint(batch)
        torch.testing.assert_close(model.joint(batch.part(1, 3)), found[1:])
        for chunk in (1, 3):
            model.chunk = chunk
            torch.testing.assert_close(model.joint(batch), found)
    (bound,) = model.bounds().values()
    torch.testing.assert_close(bound(batch), found)


def test_the_evidence_bound_is_its_integral_below_the_exact_likelihood() -> None:
    model, batch, exact = two_experts(weights="evidence", particles=20_000)
    with torch.no_grad():
        seen = model.see(batch)
        h, gated = model._known(*model._points(batch, seen))
        experts = model._log_experts(h, seen.z, seen.ladj)
        _, posterior = model._known(*model._points(batch._replace(start=batch.lengths), seen))
        found = -loss(model, batch) * batch.frames().sum()
    assert (gated.concentration - posterior.concentration).abs().max() > 0.1, "targets are seen"
    total = 0.0
    prior, guess = gated.concentration.tolist(), posterior.concentration.tolist()
    for p, q, each, mask in zip(prior, guess, experts, batch.mask(), strict=True):
        first, second = each[mask].numpy().T

        def term(
            z: float,
            p: Any = tuple(p),
            q: Any = tuple(q),
            first: np.ndarray = first,
            second: np.ndarray = second,
        ) -> float:
            z = min(max(z, 1e-12), 1 - 1e-12)
            points = np.logaddexp(np.log(z) + first, np.log1p(-z) + second).sum()
            return float(points + stats.beta.logpdf(z, *p) - stats.beta.logpdf(z, *q))

        value, _ = integrate.quad(term, 0, 1, weight="alg", wvar=(q[0] - 1, q[1] - 1))
        total += value / special.beta(*q)
    assert found.item() == pytest.approx(total, abs=0.05)
    assert total < exact.sum() - 0.1


def test_a_step_for_the_experts_is_one_up_the_joint_bound() -> None:
    model, batch = build(particles=8), tasks()
    projection = model.head.head.projection.weight
    (found,) = torch.autograd.grad(loss(model, batch), projection)
    seen = model.see(batch)
    h, gated = model._known(*model._points(batch, seen))
    torch.manual_seed(3)
    log_z, log_ratio = draw_particles(gated.concentration, 8)
    experts = model._log_experts(h, seen.z, seen.ladj)
    bound = importance_bound(task_log_likelihood(log_z, experts, batch.mask()), log_ratio)
    (expected,) = torch.autograd.grad(-bound.sum() / batch.frames().sum(), projection)
    torch.testing.assert_close(found, expected)


@every
def test_the_marginal_is_added_as_often_as_it_is_asked_for(weights: str) -> None:
    plain, more = build(weights), build(weights, marginal=2.5)
    batch = tasks()
    expected = -2.5 * plain.log_prob(batch).sum() / batch.frames().sum()
    torch.testing.assert_close(loss(more, batch) - loss(plain, batch), expected)
    weighted = batch._replace(weights=torch.tensor([2.0, 0.0, 1.0]))
    if weights in ("uniform", "deterministic"):
        twice = Batch._make(None if f is None else f[[0, 0, 2]] for f in batch)
        torch.testing.assert_close(loss(plain, weighted), loss(plain, twice))


def test_experts_that_are_not_informed_know_their_x_alone() -> None:
    model, batch = build(informed=False), tasks()
    density, _ = model.distributions(batch)
    values = batch.values.clone()
    values[0, :3] += 1
    moved, _ = model.distributions(batch._replace(values=values))
    torch.testing.assert_close(moved.component_distribution.loc, density.component_distribution.loc)
    assert (moved.mixture_distribution.logits - density.mixture_distribution.logits).any()
    informed, _ = build().distributions(batch)
    other, _ = build().distributions(batch._replace(values=values))
    loc = informed.component_distribution.loc - other.component_distribution.loc
    assert loc[0].abs().min() > 0


def test_draws_follow_the_closed_form() -> None:
    model, batch = build(), tasks()
    count = 3000
    x, y = (part[:1].expand(count, -1, -1) for part in (batch.context, batch.values))
    found = generate(model, count, 7, context=x, prime=y[:, :3]).values[:, 3:]
    mean = model.transform.inverse(model.distributions(batch)[0].mean)[0, 3:]
    assert ((found.mean(0) - mean).abs() < 5 * found.std(0) / count**0.5).all()


@pytest.mark.parametrize(
    "options",
    [
        {"weights": "uniform"},
        {"weights": "deterministic"},
        {"weights": "evidence", "particles": 4},
        {"weights": "importance", "proposal": "mixture", "control_variate": True},
    ],
    ids=lambda options: options["weights"],
)
def test_a_short_training_ends_better_than_it_began(options: dict[str, Any]) -> None:
    torch.manual_seed(0)
    head = partial(FlooredMixtureHead, components=3)
    encoder = partial(ENCODERS["attention"].func, hidden=32)
    model = MixtureProcess(1, 1, encoder, head, **options)
    train, test = waves(64, seed=1), waves(64, seed=2)
    model.initialise(train.values.flatten(0, 1), train.context.flatten(0, 1))
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-2)
    with torch.no_grad():
        before = model.log_prob(test).sum() / test.frames().sum()
    for step in range(40):
        optimiser.zero_grad()
        model.loss(waves(16, seed=100 + step)).backward()
        optimiser.step()
    with torch.no_grad():
        assert model.log_prob(test).sum() / test.frames().sum() > before + 0.1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"weights": "equal"}, "weights must be 'uniform', .* found 'equal'"),
        ({"proposal": "posterior"}, "proposal must be 'prior' or 'mixture', found 'posterior'"),
        ({"particles": 0}, "particles must be at least 1, found 0"),
        ({"marginal": -1.0}, "marginal must be 0 or more, found -1.0"),
        ({"marginal": math.nan}, "marginal must be 0 or more, found nan"),
        ({"concentrations": (3.0, 1.0)}, "concentrations must be two positive bounds"),
        ({"head": partial(MixtureHead, components=0)}, "components must be at least 1, found 0"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        MixtureProcess(D, X, **options)


def test_a_target_that_is_nan_is_refused() -> None:
    batch = tasks()
    batch.values[0, 5] = torch.nan
    for ask in (build().loss, build().log_prob, build().joint):
        with pytest.raises(ValueError, match="whose outputs are all there, found 3 NaN"):
            ask(batch)
