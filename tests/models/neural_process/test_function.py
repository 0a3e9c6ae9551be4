"""What every density of functions must do: targets, padding, units, pieces, draws, what is refused.

Of neural processes by every encoder, and of networks that are adapted.
"""

import math
from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor

from seqmdn.data import Batch, Logit
from seqmdn.generation import generate
from seqmdn.heads import FlooredMixtureHead, FlowMixtureHead, MixtureHead
from seqmdn.models import AdaptedProcess, ExactModel, FunctionModel, NeuralProcess
from seqmdn.scoring import score_components, score_densities
from tests.contracts import assert_state_is_complete, perturbed
from tests.models.neural_process.kinds import ENCODERS, GIVEN, LENGTHS, D, X, tasks, waves

HEADS = {
    "one gaussian": partial(FlooredMixtureHead, components=1),
    "a mixture": partial(MixtureHead, components=3, covariance="lowrank", rank=1),
    "flow": partial(FlowMixtureHead, components=2),
}
_ADAPTED = partial(AdaptedProcess, hidden=8, layers=2, size=4, steps=2)
MODELS: dict[str, Callable[..., FunctionModel]] = {
    **{name: partial(NeuralProcess, encoder=encoder) for name, encoder in ENCODERS.items()},
    "maml": partial(_ADAPTED, adapts="weights", rate=0.03),
    "cavia": partial(_ADAPTED, adapts="context", rate=0.3),
}
KINDS = ("attention", "maml", "cavia")  # one of each
every = pytest.mark.parametrize("name", MODELS)
kinds = pytest.mark.parametrize("name", KINDS)


def build(
    name: str, head: str = "one gaussian", unit: float = 1.0, scale: float = 1.0
) -> FunctionModel:
    torch.manual_seed(0)
    model = MODELS[name](D, X, head=HEADS[head])
    generator = torch.Generator().manual_seed(5)
    values = 5 + unit * torch.randn(100, D, generator=generator).double()
    inputs = torch.randn(100, X, generator=generator).double()
    model.double().initialise(values, scale * inputs + (scale - 1))
    return perturbed(model, 0.2)


def assert_learns_to_use_given_points(model: FunctionModel, steps: int) -> None:
    """Train a model of one output on one input: it is then better than before, and than blind."""
    train, test = waves(64, seed=1), waves(64, seed=2)
    assert train.context is not None and test.start is not None
    model.initialise(train.values.flatten(0, 1), train.context.flatten(0, 1))
    before = model.loss(test).item()
    optimiser = torch.optim.Adam(model.parameters(), lr=3e-3)
    for step in range(steps):
        optimiser.zero_grad()
        model.loss(waves(32, seed=100 + step)).backward()
        optimiser.step()
    with torch.no_grad():
        blind = model.loss(test._replace(start=torch.zeros_like(test.start)))
        assert model.loss(test) < min(before, blind.item()) - 0.2


def slopes(model: FunctionModel, batch: Batch) -> dict[str, Tensor | None]:
    trained = [each for each in model.named_parameters() if each[1].requires_grad]
    names, parameters = zip(*trained, strict=True)
    found = torch.autograd.grad(model.loss(batch), parameters, allow_unused=True)
    return dict(zip(names, found, strict=True))


@pytest.mark.parametrize(
    ("name", "head"),
    [
        (name, head)
        for name in MODELS
        for head in HEADS
        if head == "one gaussian" or (name in KINDS and (head != "flow" or name == "attention"))
    ],
)
def test_a_target_has_a_density_of_its_own(name: str, head: str) -> None:
    model, batch = build(name, head), tasks()
    assert isinstance(model, ExactModel)
    found = model.frame_log_prob(batch)
    assert found.shape == (3, 7) and torch.equal(found != 0, batch.mask())
    torch.testing.assert_close(model.log_prob(batch), found.sum(1))
    torch.testing.assert_close(model.loss(batch), -found.sum() / (sum(LENGTHS) - sum(GIVEN)))
    for b in range(3):
        n = GIVEN[b]
        for t in range(n, LENGTHS[b]):  # each target alone, its given points in another order
            columns = [*reversed(range(n)), t]
            alone = Batch(
                batch.values[b : b + 1, columns],
                torch.tensor([n + 1]),
                batch.context[b : b + 1, columns],
                torch.tensor([n]),
            )
            torch.testing.assert_close(model.log_prob(alone)[0], found[b, t])
    # Another value of a target changes its own density alone, an outlier beside a given point too.
    for b, t, value in ((0, 4, 1.0), (2, 2, 50.0)):
        values = batch.values.clone()
        values[b, t] += value
        moved = model.frame_log_prob(batch._replace(values=values))
        assert (moved != found).nonzero().tolist() == [[b, t]]
    values = batch.values.clone()
    values[0, 1] += 1  # a given point changes all targets of its task, and no other's
    moved = model.frame_log_prob(batch._replace(values=values))
    assert torch.equal((moved != found).any(1), torch.tensor([True, False, False]))
    assert (moved != found)[0, 3:].all()


@every
def test_padding_changes_neither_loss_nor_gradient(name: str) -> None:
    model, batch = build(name), tasks()
    assert batch.values.isnan().any() and batch.context.isnan().any()
    hidden = ~batch.present().unsqueeze(-1)
    other = batch._replace(
        values=batch.values.masked_fill(hidden, 1e6), context=batch.context.masked_fill(hidden, -7)
    )
    torch.testing.assert_close(model.loss(other), model.loss(batch))
    found, expected = slopes(model, batch), slopes(model, other)
    for key, slope in found.items():
        if slope is None:
            assert expected[key] is None
            continue
        assert slope.isfinite().all(), key
        torch.testing.assert_close(slope, expected[key])


@kinds
def test_densities_are_in_the_datas_units_and_units_do_not_matter(name: str) -> None:
    model, other = build(name), build(name, unit=100.0)
    batch, moved = tasks(), tasks(unit=100.0)
    expected = model.log_prob(batch) - D * math.log(100) * batch.frames()
    torch.testing.assert_close(other.log_prob(moved), expected)
    scaled = build(name, scale=1000.0)
    far = batch._replace(context=1000 * batch.context + 999)
    torch.testing.assert_close(scaled.log_prob(far), model.log_prob(batch))


@kinds
def test_a_transform_may_accept_no_zero(name: str) -> None:
    logit = partial(Logit, low=-9.0, high=40.0)
    model = MODELS[name](D, X, transform=logit, inputs=logit).double()
    batch = tasks()
    batch = batch._replace(values=batch.values.masked_fill(~batch.present().unsqueeze(-1), -99.0))
    model.loss(batch).backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize("name", ["transformer", "maml", "cavia"])
@pytest.mark.parametrize("chunk", [1, 3, 50])
def test_targets_in_pieces_have_the_same_density(name: str, chunk: int) -> None:
    model, batch = build(name, "a mixture"), tasks()
    with torch.no_grad():
        whole, scores = model.log_prob(batch), model.frame_log_prob(batch)
        model.chunk = chunk
        torch.testing.assert_close(model.frame_log_prob(batch), scores)
        torch.testing.assert_close(model.log_prob(batch), whole)


@every
def test_draws_are_those_of_the_density_given_the_prime(name: str) -> None:
    model, batch = build(name, "a mixture"), tasks()
    count, n = 2000, GIVEN[0]
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


@kinds
def test_primes_of_unequal_length_are_given_as_far_as_they_go(name: str) -> None:
    model, batch = build(name), tasks()
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


@kinds
def test_it_can_be_scored_as_every_exact_model(name: str) -> None:
    model, batch = build(name, "a mixture").float().eval(), tasks()
    batch = batch._replace(values=batch.values.float(), context=batch.context.float())
    report = score_densities(model, [batch], draws=20).compute()
    assert report["crps_estimator"] == "exact" and len(report["crps_per_sequence"]) == 3
    use = score_components(model, [batch])
    assert use is not None and len(use["responsibility"]) == 3


@every
def test_gradients_reach_every_parameter_and_all_is_saved(name: str) -> None:
    model, batch = build(name), tasks()
    assert_state_is_complete(model)
    found = slopes(model, batch)
    for key, slope in found.items():
        assert slope is not None and slope.any(), key
    # Frozen is what is of the task as a whole where no target sees that.
    frozen = {key for key, _ in model.named_parameters()} - found.keys()
    assert frozen <= {"encoder.nothing"}
    fresh = MODELS[name](D, X, head=HEADS["one gaussian"]).double()
    fresh.load_state_dict(model.state_dict())
    assert torch.equal(fresh.log_prob(batch), model.log_prob(batch))


@kinds
def test_what_does_not_fit_is_refused(name: str) -> None:
    model, batch = build(name), tasks()
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
    with pytest.raises(ValueError, match="expected the inputs of training points, found none"):
        model.initialise(torch.randn(50, D))
    with pytest.raises(ValueError, match="a density of functions expected inputs, found data"):
        MODELS[name](D, 0)
    with pytest.raises(ValueError, match="chunk must be at least 1 target, .* found 0"):
        MODELS[name](D, X, chunk=0)
