"""Neural processes: whose density it is, its units, its draws, and what it refuses."""

import math
from functools import partial

import pytest
import torch

from seqmdn.data import Batch, Identity, Logit
from seqmdn.generation import generate
from seqmdn.generation.steps import Steps
from seqmdn.heads import FlooredMixtureHead, FlowMixtureHead, MixtureHead
from seqmdn.models import ExactModel, NeuralProcess, SequenceModel
from seqmdn.scoring import score_components, score_densities
from tests.contracts import assert_state_is_complete, perturbed
from tests.models.neural_process.kinds import ENCODERS, GIVEN, LENGTHS, D, X, tasks, waves

HEADS = {
    "one gaussian": partial(FlooredMixtureHead, components=1),
    "a mixture": partial(MixtureHead, components=3, covariance="lowrank", rank=1),
    "flow": partial(FlowMixtureHead, components=2),
}


def build(
    encoder: str = "attention", head: str = "one gaussian", unit: float = 1.0
) -> NeuralProcess:
    torch.manual_seed(0)
    model = NeuralProcess(D, X, ENCODERS[encoder], HEADS[head])
    generator = torch.Generator().manual_seed(5)
    values = 5 + unit * torch.randn(100, D, generator=generator).double()
    model.double().initialise(values, torch.randn(100, X, generator=generator).double())
    return perturbed(model, 0.2)


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("encoder", ENCODERS)
def test_a_target_has_a_density_of_its_own(encoder: str, head: str) -> None:
    model, batch = build(encoder, head), tasks()
    assert isinstance(model, ExactModel)
    found = model.frame_log_prob(batch)
    assert found.shape == (3, 7) and torch.equal(found != 0, batch.mask())
    torch.testing.assert_close(model.log_prob(batch), found.sum(1))
    torch.testing.assert_close(model.loss(batch), -found.sum() / sum(LENGTHS) * 16 / (16 - 4))
    for b in range(3):
        n = GIVEN[b]
        for t in range(n, LENGTHS[b]):  # each target alone
            columns = [*range(n), t]
            alone = Batch(
                batch.values[b : b + 1, columns],
                torch.tensor([n + 1]),
                batch.context[b : b + 1, columns],
                torch.tensor([n]),
            )
            torch.testing.assert_close(model.log_prob(alone)[0], found[b, t])
    # Another value of a target changes its own density alone.
    values = batch.values.clone()
    values[0, 4] += 1
    moved = model.frame_log_prob(batch._replace(values=values))
    assert (moved != found).nonzero().tolist() == [[0, 4]]


def test_no_start_is_the_density_before_anything_was_seen() -> None:
    model, batch = build(), tasks()
    nothing = batch._replace(start=None)
    zero = batch._replace(start=torch.zeros(3).long())
    torch.testing.assert_close(model.frame_log_prob(nothing), model.frame_log_prob(zero))
    assert torch.equal(nothing.frames(), torch.tensor(LENGTHS))
    torch.testing.assert_close(
        model.frame_log_prob(nothing)[1, :4], model.frame_log_prob(batch)[1, :4]
    )


@pytest.mark.parametrize("encoder", ENCODERS)
def test_padding_changes_neither_loss_nor_gradient(encoder: str) -> None:
    model, batch = build(encoder), tasks()
    assert batch.values.isnan().any() and batch.context.isnan().any()
    found = torch.autograd.grad(model.loss(batch), list(model.parameters()), allow_unused=True)
    hidden = ~batch.present().unsqueeze(-1)
    other = batch._replace(
        values=batch.values.masked_fill(hidden, 1e6), context=batch.context.masked_fill(hidden, -7)
    )
    torch.testing.assert_close(model.loss(other), model.loss(batch))
    expected = torch.autograd.grad(model.loss(other), list(model.parameters()), allow_unused=True)
    for one, two in zip(found, expected, strict=True):
        assert (one is None) == (two is None)
        if one is not None and two is not None:
            assert one.isfinite().all()
            torch.testing.assert_close(one, two)


def test_densities_are_in_the_datas_units_and_units_do_not_matter() -> None:
    model, other = build(), build(unit=100.0)
    batch, moved = tasks(), tasks(unit=100.0)
    expected = model.log_prob(batch) - D * math.log(100) * batch.frames()
    torch.testing.assert_close(other.log_prob(moved), expected)
    torch.manual_seed(0)
    scaled = NeuralProcess(D, X, ENCODERS["attention"], HEADS["one gaussian"]).double()
    generator = torch.Generator().manual_seed(5)
    values = 5 + torch.randn(100, D, generator=generator).double()
    inputs = torch.randn(100, X, generator=generator).double()
    scaled.initialise(values, 1000 * inputs + 3)
    perturbed(scaled, 0.2)
    torch.testing.assert_close(
        scaled.log_prob(batch._replace(context=1000 * batch.context + 3)), model.log_prob(batch)
    )


def test_a_transform_may_accept_no_zero() -> None:
    logit = partial(Logit, low=-9.0, high=40.0)
    model = NeuralProcess(D, X, ENCODERS["attention"], transform=logit, inputs=logit).double()
    batch = tasks()
    batch = batch._replace(values=batch.values.masked_fill(~batch.present().unsqueeze(-1), -99.0))
    model.loss(batch).backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())


def test_a_floor_is_in_the_datas_units_where_they_are_left_alone() -> None:
    model = NeuralProcess(1, 1, ENCODERS["deep sets"], transform=Identity)
    batch = waves(2, seed=0)
    model.initialise(torch.full((50, 1), 0.3), torch.randn(50, 1))
    most = -math.log(0.1) - 0.5 * math.log(2 * math.pi)
    at_best = batch._replace(values=torch.full_like(batch.values, 0.3))
    assert model.frame_log_prob(at_best).max() <= most + 1e-6


@pytest.mark.parametrize("chunk", [1, 3, 50])
def test_targets_in_pieces_have_the_same_density(chunk: int) -> None:
    model, batch = build("transformer", "a mixture"), tasks()
    with torch.no_grad():
        whole, scores = model.log_prob(batch), model.frame_log_prob(batch)
        model.chunk = chunk
        torch.testing.assert_close(model.frame_log_prob(batch), scores)
        torch.testing.assert_close(model.log_prob(batch), whole)
    with pytest.raises(ValueError, match="chunk must be at least 1 target, .* found 0"):
        NeuralProcess(1, 1, chunk=0)


@pytest.mark.parametrize("encoder", ENCODERS)
def test_draws_are_those_of_the_density_given_the_prime(encoder: str) -> None:
    model, batch = build(encoder, "a mixture"), tasks()
    count, n = 3000, GIVEN[0]
    x, y = (part[:1].expand(count, -1, -1) for part in (batch.context, batch.values))
    drawn = generate(model, count, 7, context=x, prime=y[:, :n])
    assert torch.equal(drawn.values[:, :n], y[:, :n])
    density, mask = model.distributions(batch)
    assert mask[0, n:].all()
    mean = model.transform.inverse(density.mean)[0, n:]
    found = drawn.values[:, n:]
    assert ((found.mean(0) - mean).abs() < 5 * found.std(0) / count**0.5).all()
    # A value that is drawn is given to none that comes after it.
    centred = (found - found.mean(0)) / found.std(0)
    assert (centred[:, 0] * centred[:, 1]).mean(0).abs().max() < 5 / count**0.5


@pytest.mark.parametrize("primed", [None, [3, 1]])
def test_a_chain_gives_what_is_drawn_to_those_behind_it(primed: list[int] | None) -> None:
    model, batch = build("self-attention", "a mixture"), tasks().part(0, 1)
    x, y = (part.expand(2, -1, -1) for part in (batch.context, batch.values))
    real = None if primed is None else torch.tensor(primed)
    with torch.inference_mode():
        steps = Steps(model, 2, context=x, prime=y[:, :3], primed=real, chain=5)
        frames = []
        for t, (frame, _) in enumerate(steps):
            frames.append(frame)
            seen = torch.stack([*frames, frame], dim=1)[:, : t + 1]
            start = torch.full((2,), min(t, 5))
            part = Batch(seen, torch.full((2,), t + 1), x[:, : t + 1], start)
            expected = model.distributions(part)[0].mean[:, t]
            torch.testing.assert_close(model.head(steps.h).mean, expected)
    assert len(frames) == 7 and (frames[5] != y[:, 5]).any()


@pytest.mark.parametrize("chain", [-1, 3])
def test_a_chain_is_of_functions(chain: int) -> None:
    with pytest.raises(ValueError, match=f"of a neural process, found one of {chain} and a Seq"):
        generate(SequenceModel(1), 2, 5, chain=chain)


def test_primes_of_unequal_length_are_given_as_far_as_they_go() -> None:
    model, batch = build(), tasks()
    x = batch.context.nan_to_num(0)
    state, hs = None, []
    for t in range(7):
        h, state = model.advance(None, x[:, t], state, batch_size=3)
        rows = t < torch.tensor(GIVEN)
        if bool(rows.any()):
            z = model.transform.call_and_ladj(batch.values.nan_to_num(0)[:, t])[0]
            state = model.told(z, state, rows)
        hs.append(h)
    density = model.head(torch.stack(hs, dim=1))
    expected, mask = model.distributions(batch)
    torch.testing.assert_close(density.mean[mask], expected.mean[mask])


def test_it_can_be_scored_as_every_exact_model() -> None:
    model, batch = build("deep sets", "a mixture").float().eval(), tasks()
    batch = batch._replace(values=batch.values.float(), context=batch.context.float())
    report = score_densities(model, [batch], draws=20).compute()
    assert report["crps_estimator"] == "exact" and len(report["crps_per_sequence"]) == 3
    use = score_components(model, [batch])
    assert use is not None and len(use["responsibility"]) == 3


@pytest.mark.parametrize("encoder", ENCODERS)
def test_gradients_reach_every_parameter_and_all_is_saved(encoder: str) -> None:
    model, batch = build(encoder), tasks()
    assert_state_is_complete(model)
    model.loss(batch).backward()
    for name, parameter in model.named_parameters():
        if encoder != "deep sets" and name == "encoder.nothing":
            continue  # that is of the task as a whole, which no target sees
        assert parameter.grad is not None and parameter.grad.any(), name
    fresh = NeuralProcess(D, X, ENCODERS[encoder], HEADS["one gaussian"]).double()
    fresh.load_state_dict(model.state_dict())
    assert torch.equal(fresh.log_prob(batch), model.log_prob(batch))


def test_a_short_training_makes_use_of_the_given_points() -> None:
    torch.manual_seed(0)
    model = NeuralProcess(
        1, 1, partial(ENCODERS["attention"].func, hidden=32), HEADS["one gaussian"]
    )
    train, test = waves(64, seed=1), waves(64, seed=2)
    model.initialise(train.values.flatten(0, 1), train.context.flatten(0, 1))
    before = model.loss(test).item()
    optimiser = torch.optim.Adam(model.parameters(), lr=3e-3)
    for step in range(60):
        optimiser.zero_grad()
        model.loss(waves(32, seed=100 + step)).backward()
        optimiser.step()
    with torch.no_grad():
        blind = model.loss(test._replace(start=torch.zeros_like(test.start)))
        assert model.loss(test) < before - 0.2
        assert model.loss(test) < blind - 0.2


def test_what_does_not_fit_is_refused() -> None:
    model, batch = build(), tasks()
    values, context = batch.values.clone(), batch.context.clone()
    values[0, 5] = torch.nan
    with pytest.raises(ValueError, match="whose outputs are all there, found 3 NaN"):
        model.log_prob(batch._replace(values=values))
    context[0, 1, 0] = torch.nan
    with pytest.raises(ValueError, match="whose inputs are all there, found 1 NaN"):
        model.loss(batch._replace(context=context))
    with pytest.raises(ValueError, match="made for frames without missing features"):
        model.loss(batch._replace(observed=torch.ones_like(batch.values).bool()))
    with pytest.raises(ValueError, match="needs a context of 2 features, found none"):
        model.loss(batch._replace(context=None))
    with pytest.raises(ValueError, match="a density of functions reads no texts"):
        model.loss(batch._replace(text=torch.ones(3, 4).long()))
    with pytest.raises(
        ValueError, match="a density of functions expected inputs, found data without"
    ):
        NeuralProcess(D, 0)
    with pytest.raises(ValueError, match="expected the inputs of training points, found none"):
        model.initialise(torch.randn(50, D))
