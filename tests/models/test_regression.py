"""Mixture density regression: whose density it is, its units, and the closed form it reaches."""

import math
from functools import partial

import numpy as np
import pytest
import torch
from sklearn.linear_model import LinearRegression
from torch import Tensor

from seqmdn.backbones import MLPBackbone
from seqmdn.data import Batch, Logit
from seqmdn.distributions import Flowed, Mixture
from seqmdn.generation import Interaction, generate
from seqmdn.heads import FlowMixtureHead, MixtureHead, SquaredErrorHead
from seqmdn.models import MDN, conditional
from tests.contracts import assert_state_is_complete, perturbed

D, X = 3, 2
HEADS = {
    "mixture": partial(MixtureHead, components=3),
    "lowrank": partial(MixtureHead, components=2, covariance="lowrank", rank=1),
    "flow": partial(FlowMixtureHead, components=2, conditional=True),
    "squared error": SquaredErrorHead,
}


def rows(count: int = 6, seed: int = 0, features: int = D) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    x = 100 + 7 * torch.randn(count, 1, X, generator=generator).double()
    y = 5 + 0.02 * x.sum(-1, keepdim=True) * torch.rand(
        count, 1, features, generator=generator
    ).double().add(1)
    return Batch(y, torch.ones(count, dtype=torch.int64), x)


def build(head: str = "mixture", missing: bool = False) -> MDN:
    torch.manual_seed(0)
    backbone = partial(MLPBackbone, hidden=[8, 8])
    model = MDN(D, X, backbone, HEADS[head], missing=missing).double()
    many = rows(200, seed=9)
    model.initialise(many.values[:, 0], many.context[:, 0])
    return perturbed(model, 0.3)


@pytest.mark.parametrize("head", HEADS)
def test_a_density_is_of_a_row_given_its_own_inputs(head: str) -> None:
    model, batch = build(head), rows()
    whole = model.frame_log_prob(batch)
    assert whole.shape == (6, 1) and whole.std() > 0.1
    for i in range(6):
        torch.testing.assert_close(model.frame_log_prob(batch.part(i, i + 1)), whole[i : i + 1])
    # Rows that stand behind each other in a sequence know as little of each other.
    one = Batch(batch.values.transpose(0, 1), torch.tensor([6]), batch.context.transpose(0, 1))
    torch.testing.assert_close(model.frame_log_prob(one), whole.transpose(0, 1))
    torch.testing.assert_close(model.log_prob(one), whole.sum().unsqueeze(0))
    other = batch._replace(context=batch.context + 1)
    assert (model.log_prob(other) - model.log_prob(batch)).abs().min() > 1e-6


@pytest.mark.parametrize("head", ["mixture", "squared error"])
def test_densities_integrate_to_one_in_the_datas_unit(head: str) -> None:
    torch.manual_seed(0)
    model = MDN(1, X, partial(MLPBackbone, hidden=[8]), HEADS[head]).double()
    many = rows(200, seed=9, features=1)
    model.initialise(many.values[:, 0], many.context[:, 0])
    perturbed(model, 0.1)
    grid = torch.linspace(-50, 70, 60_001, dtype=torch.float64)
    batch = Batch(
        grid.view(-1, 1, 1), torch.ones(len(grid)).long(), rows(1).context.expand(len(grid), -1, -1)
    )
    with torch.no_grad():
        total = model.log_prob(batch).exp().sum() * (grid[1] - grid[0])
    assert float(total) == pytest.approx(1, abs=1e-5)


def test_the_units_of_inputs_and_targets_do_not_matter() -> None:
    model, batch = build(), rows()
    scale, offset = torch.tensor([1000.0, 0.01]).double(), torch.tensor([-7.0, 3.0]).double()
    many = rows(200, seed=9)
    torch.manual_seed(0)
    other = MDN(D, X, partial(MLPBackbone, hidden=[8, 8]), HEADS["mixture"]).double()
    other.initialise(10 * many.values[:, 0] + 1, many.context[:, 0] * scale + offset)
    other = perturbed(other, 0.3)
    moved = batch._replace(values=10 * batch.values + 1, context=batch.context * scale + offset)
    expected = model.log_prob(batch) - D * math.log(10)
    torch.testing.assert_close(other.log_prob(moved), expected, rtol=1e-5, atol=1e-5)


def test_a_linear_network_with_one_gaussian_reaches_the_closed_form() -> None:
    generator = np.random.default_rng(0)
    x = generator.standard_normal((300, X)) * [3.0, 0.1] + 5
    y = x @ generator.standard_normal((X, D)) + generator.standard_normal((300, D)) * [0.1, 1, 10]
    least = LinearRegression().fit(x, y)
    variance = np.square(y - least.predict(x)).mean(0)
    expected = -0.5 * np.log(2 * np.pi * np.e * variance).sum()

    model = MDN(D, X, partial(MLPBackbone, hidden=[]), SquaredErrorHead).double()
    values, context = torch.from_numpy(y), torch.from_numpy(x)
    model.initialise(values, context)
    batch = Batch(values.unsqueeze(1), torch.ones(300).long(), context.unsqueeze(1))
    optimiser = torch.optim.LBFGS(
        model.parameters(),
        max_iter=2000,
        tolerance_grad=1e-9,
        tolerance_change=0,
        line_search_fn="strong_wolfe",
    )
    model.eval()

    def loss() -> Tensor:
        optimiser.zero_grad()
        found = model.loss(batch)
        found.backward()
        return found

    optimiser.step(loss)
    assert model.log_prob(batch).mean().item() == pytest.approx(expected, abs=1e-5)
    density = model.distributions(batch)[0]
    mean = model.transform.inverse(density.mean.squeeze(1)).detach().numpy()
    np.testing.assert_allclose(mean, least.predict(x), atol=2e-3)


def test_missing_targets_are_integrated_out() -> None:
    model, batch = build("lowrank", missing=True), rows()
    seen = torch.rand(6, 1, D) < 0.5
    seen[0], seen[1] = True, False
    holes = batch._replace(values=batch.values.where(seen, torch.nan), observed=seen)
    found = model.log_prob(holes)
    torch.testing.assert_close(found[0], model.log_prob(batch)[0])
    assert found[1] == 0
    density = model.distributions(batch)[0]
    assert isinstance(density, Mixture)
    z = model.transform(batch.values)
    for i in range(2, 6):
        known = seen[i, 0].nonzero().flatten().tolist()
        expected = density.marginal(known).log_prob(z[..., known])[i, 0] if known else 0.0
        expected = expected - model.transform.std[known].log().sum()
        torch.testing.assert_close(found[i], torch.as_tensor(expected))
    model.loss(holes).backward()
    assert all(p.grad.isfinite().all() for p in model.parameters())
    with pytest.raises(ValueError, match="made for frames without missing features"):
        build().log_prob(holes)


def test_padding_changes_nothing_even_where_a_transform_accepts_no_zero() -> None:
    torch.manual_seed(0)
    model = MDN(D, X, partial(MLPBackbone, hidden=[8]), inputs=partial(Logit, low=50, high=150))
    model = model.double()
    many = rows(200, seed=9)
    model.initialise(many.values[:, 0], many.context[:, 0])
    batch = rows(6)
    pair = Batch(
        torch.cat((batch.values[:3], torch.full((3, 1, D), torch.nan)), dim=1),
        torch.tensor([1, 1, 1]),
        torch.cat((batch.context[:3], torch.full((3, 1, X), torch.nan)), dim=1),
    )
    torch.testing.assert_close(model.log_prob(pair), model.log_prob(batch)[:3])
    model.loss(pair).backward()
    assert all(p.grad.isfinite().all() for p in model.parameters())


def test_draws_are_those_of_the_density_under_each_input() -> None:
    model, batch = build(), rows()
    many = batch.context.repeat_interleave(4000, dim=0)
    drawn = generate(model, len(many), 1, context=many).values.view(6, 4000, D)
    density = Flowed(model.distributions(batch)[0], model.transform)
    mean = model.transform.inverse(model.distributions(batch)[0].mean).squeeze(1)
    error = drawn.std(1) / 4000**0.5
    assert ((drawn.mean(1) - mean).abs() < 5 * error).all()
    assert density.log_prob(drawn[:, :1]).isfinite().all()
    again = generate(model, len(many), 1, context=many)
    assert torch.equal(again.values.view_as(drawn), drawn)
    steps = Interaction(model, num=6)
    first = steps.step(batch.context[:, 0])
    steps.restart(torch.tensor([True] + [False] * 5))
    assert steps.step(batch.context[:, 0]).shape == first.shape


def test_gradients_reach_every_parameter_and_all_is_saved() -> None:
    model = build()
    assert_state_is_complete(model)
    model.loss(rows()).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.any(), name
    fresh = MDN(D, X, partial(MLPBackbone, hidden=[8, 8]), HEADS["mixture"]).double()
    fresh.load_state_dict(model.state_dict())
    assert torch.equal(fresh.log_prob(rows()), model.log_prob(rows()))


def test_without_inputs_there_is_nothing_to_regress_on() -> None:
    with pytest.raises(ValueError, match="an MDN expected inputs, found data without context"):
        MDN(D, 0)
    with pytest.raises(ValueError, match="expected the inputs of the training rows, found none"):
        build().initialise(torch.randn(50, D))
    with pytest.raises(ValueError, match="needs a context of 2 features, found none"):
        build().log_prob(rows()._replace(context=None))
    with pytest.raises(ValueError, match=r"context must have shape \(6, 1, 2\)"):
        build().log_prob(rows()._replace(context=torch.zeros(6, 1, 3).double()))


@pytest.mark.parametrize("head", HEADS)
def test_densities_of_inputs_are_those_of_rows_in_the_unit_of_the_data(head: str) -> None:
    model, batch = build(head), rows()
    found = conditional(model, batch.context[:, 0])
    assert found.batch_shape == (6,) and found.event_shape == (D,)
    torch.testing.assert_close(found.log_prob(batch.values[:, 0]), model.log_prob(batch))
    assert isinstance(found, Mixture) == (head != "flow")
