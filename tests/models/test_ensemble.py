"""Ensembles: one density that is the mean of the members', each trained for itself."""

import math
from functools import partial

import pytest
import torch
from torch import Tensor

from seqmdn.backbones import LSTMBackbone, MLPBackbone
from seqmdn.data import Batch
from seqmdn.distributions import Averaged, Flowed, Mixture
from seqmdn.generation import generate
from seqmdn.heads import FlowMixtureHead, MixtureHead
from seqmdn.models import MDN, VRNN, Ensemble, SequenceModel
from seqmdn.scoring import score_densities
from tests.contracts import assert_state_is_complete, perturbed

D, X, M = 2, 3, 3
MEMBERS = {
    "mdn": partial(MDN, backbone=partial(MLPBackbone, hidden=[8])),
    "flow": partial(
        MDN, backbone=partial(MLPBackbone, hidden=[8]), head=partial(FlowMixtureHead, components=2)
    ),
    "sequence": partial(
        SequenceModel,
        backbone=partial(LSTMBackbone, hidden=6),
        head=partial(MixtureHead, components=2, covariance="lowrank", rank=1),
    ),
}


def build(kind: str = "mdn", **options: object) -> Ensemble:
    torch.manual_seed(0)
    model = Ensemble(D, X, partial(MEMBERS[kind], **options), members=M).double()
    model.initialise(3 + torch.randn(50, D).double(), torch.randn(50, X).double())
    return perturbed(model, 0.2)


def rows(kind: str = "mdn", count: int = 5) -> Batch:
    generator = torch.Generator().manual_seed(1)
    time = 4 if kind == "sequence" else 1
    y = 3 + torch.randn(count, time, D, generator=generator).double()
    x = torch.randn(count, time, X, generator=generator).double()
    lengths = torch.full((count,), time)
    lengths[-1] = max(1, time - 1)
    return Batch(y, lengths, x)


@pytest.mark.parametrize("kind", MEMBERS)
def test_the_density_of_a_frame_is_the_mean_of_the_members(kind: str) -> None:
    model, batch = build(kind), rows(kind)
    each = torch.stack([member.frame_log_prob(batch) for member in model.members])
    assert each.std(0)[batch.mask()].min() > 1e-3
    found = model.frame_log_prob(batch)
    expected = (each.logsumexp(0) - math.log(M)).where(batch.mask(), 0)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(model.log_prob(batch), expected.sum(1))
    density, _ = model.distributions(batch)
    assert isinstance(density, Averaged if kind == "flow" else Mixture)


@pytest.mark.parametrize("kind", MEMBERS)
def test_each_member_learns_as_if_it_were_alone(kind: str) -> None:
    model, batch = build(kind), rows(kind)
    losses = [member.loss(batch) for member in model.members]
    torch.testing.assert_close(model.loss(batch), torch.stack(losses).mean())
    model.loss(batch).backward()
    for member, loss in zip(model.members, losses, strict=True):
        parameters = dict(member.named_parameters())
        alone = torch.autograd.grad(loss, list(parameters.values()))
        for (name, parameter), own in zip(parameters.items(), alone, strict=True):
            torch.testing.assert_close(parameter.grad, own / M, msg=name)


@pytest.mark.parametrize("kind", MEMBERS)
def test_steps_are_the_whole(kind: str) -> None:
    model, batch = build(kind), rows(kind)
    z, ladj = model.transform.call_and_ladj(batch.values)
    previous, state, parts = None, None, []
    for t in range(batch.values.shape[1]):
        density, state = model.step(previous, batch.context[:, t], state, batch_size=len(z))
        parts.append(density.log_prob(z[:, t]) + ladj[:, t])
        previous = z[:, t]
    found = torch.stack(parts, dim=1).where(batch.mask(), 0)
    torch.testing.assert_close(found, model.frame_log_prob(batch))


@pytest.mark.parametrize("kind", ["mdn", "flow"])
def test_it_integrates_to_one(kind: str) -> None:
    model = build(kind)
    axis = torch.linspace(-12, 18, 601, dtype=torch.float64)
    grid = torch.cartesian_prod(axis, axis).unsqueeze(1)
    batch = Batch(grid, torch.ones(len(grid)).long(), rows().context[:1].expand(len(grid), -1, -1))
    with torch.no_grad():
        total = model.log_prob(batch).exp().sum() * (axis[1] - axis[0]) ** 2
    assert float(total) == pytest.approx(1, abs=5e-3)


@pytest.mark.parametrize("kind", MEMBERS)
def test_draws_are_those_of_the_density(kind: str) -> None:
    model, count = build(kind), 6000
    x = rows(kind).context[:2, :1]
    drawn = generate(model, 2 * count, 1, context=x.repeat_interleave(count, dim=0))
    drawn = drawn.values.view(2, count, D)
    batch = Batch(torch.full((2, 1, D), 3.0).double(), torch.ones(2).long(), x)
    density = Flowed(model.distributions(batch)[0], model.transform)
    other = density.sample((count,)).squeeze(2).transpose(0, 1)

    def worst(statistic: object) -> float:
        one, two = statistic(drawn), statistic(other)
        error = ((one.var(1) + two.var(1)) / count).sqrt()
        return float(((one.mean(1) - two.mean(1)).abs() / error).max())

    assert worst(lambda y: y) < 5 and worst(lambda y: torch.tanh((y - 3) * 2)) < 5
    assert worst(lambda y: (y - 3).square().clamp(max=25)) < 5


def test_a_sequence_goes_on_by_the_states_of_all_members() -> None:
    model = build("sequence")
    drawn = generate(model, 4, 6, context=torch.zeros(4, 6, X), prime=torch.ones(2, D), mixing=0.5)
    assert drawn.values.shape == (4, 6, D) and (drawn.values[:, :2] == 1).all()
    assert drawn.values[:, 2:].std() > 0.01


def test_missing_features_and_weights_reach_the_members() -> None:
    model, batch = build(missing=True), rows()
    seen = torch.rand(5, 1, D) < 0.5
    holes = batch._replace(observed=seen, weights=torch.tensor([1.0, 2.0, 0.0, 1.0, 5.0]))
    each = torch.stack([member.log_prob(holes) for member in model.members])
    torch.testing.assert_close(model.log_prob(holes), each.logsumexp(0) - math.log(M))
    assert model.missing
    losses = [member.loss(holes) for member in model.members]
    torch.testing.assert_close(model.loss(holes), torch.stack(losses).mean())


@pytest.mark.parametrize("kind", MEMBERS)
def test_it_is_scored_as_every_density(kind: str) -> None:
    found = score_densities(build(kind).eval(), [rows(kind, count=20)], draws=40).compute()
    assert found["crps_estimator"] == ("draws" if kind == "flow" else "exact")
    assert found["mae"] > 0 and found["rmse"] >= found["mae"] and found["r2"] < 1
    assert len(found["point"]["r2"]) == D


@pytest.mark.parametrize("kind", MEMBERS)
def test_members_begin_apart_and_all_is_saved(kind: str) -> None:
    torch.manual_seed(0)
    model = Ensemble(D, X, MEMBERS[kind], members=M)
    weights = [member.head.projection.weight for member in model.members]
    assert not torch.equal(weights[0], weights[1])
    assert_state_is_complete(build(kind))
    fresh = Ensemble(D, X, MEMBERS[kind], members=M).double()
    fresh.load_state_dict(build(kind).state_dict())
    assert torch.equal(fresh.log_prob(rows(kind)), build(kind).log_prob(rows(kind)))


def test_what_makes_no_ensemble_is_refused() -> None:
    with pytest.raises(ValueError, match="members must be at least 1, found 0"):
        Ensemble(D, X, members=0)
    with pytest.raises(ValueError, match="know the density of single frames, found a VRNN"):
        Ensemble(D, X, VRNN)


def test_of_one_member_it_is_that_member() -> None:
    torch.manual_seed(0)
    model = Ensemble(D, X, MEMBERS["mdn"], members=1).double()
    member: MDN = model.members[0]
    found: Tensor = model.log_prob(rows())
    assert torch.equal(found, member.log_prob(rows()))
