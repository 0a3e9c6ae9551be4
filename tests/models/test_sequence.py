"""The sequence model: what its density is a sum of, what it may look at, and its units."""

import math
import re
from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor

from seqmdn.backbones import GRUBackbone, LSTMBackbone
from seqmdn.data import Batch, Chain, Identity, Logit, Standardise, Transform, collate
from seqmdn.distributions import Flowed
from seqmdn.flows import MaskedAutoregressive
from seqmdn.heads import FlowMixtureHead, MixtureHead
from seqmdn.models import SequenceModel
from tests.contracts import assert_state_is_complete, perturbed

D, X = 3, 2
HEADS = {
    "lowrank": partial(MixtureHead, components=3, covariance="lowrank", rank=1),
    "factorised": partial(MixtureHead, components=2, factorised=True),
    "flow": partial(FlowMixtureHead, components=2),
    "conditional flow": partial(FlowMixtureHead, components=2, conditional=True),
}
BACKBONES = {
    "lstm": partial(LSTMBackbone, hidden=8),
    "gru skip": partial(GRUBackbone, hidden=5, layers=2, skip=True),
}
# The data lie between 4 and 16.
TRANSFORMS: dict[str, Callable[[int], Transform]] = {
    "standardise": Standardise,
    "logit": partial(Logit, low=0.0, high=20.0),
    "chain": lambda features: Chain([Logit(features, -5, 40), Standardise(features)]),
}


def frames(*shape: int, seed: int = 0) -> Tensor:
    """Values between 4 and 16, of unequal means and scales."""
    generator = torch.Generator().manual_seed(seed)
    width = torch.tensor([12.0, 2.0, 5.0])[: shape[-1]]
    return (4 + width * torch.rand(shape, generator=generator)).double()


def build(
    head: str = "lowrank",
    backbone: str = "lstm",
    transform: str = "standardise",
    context: int = 0,
    features: int = D,
) -> SequenceModel:
    """A model in float64 whose density depends on everything that it may depend on."""
    torch.manual_seed(0)
    model = SequenceModel(
        features,
        context,
        backbone=BACKBONES[backbone],
        head=HEADS[head],
        transform=TRANSFORMS[transform],
    ).double()
    model.initialise(frames(200, features, seed=9))
    perturbed(model)
    perturbed(model.backbone, 0.3)
    perturbed(model.head.projection, 0.3)
    with torch.no_grad():
        model.start.add_(torch.linspace(0.5, 1, features))
    return model


def batch_of(size: int = 4, time: int = 6, context: int = 0, start: Tensor | None = None) -> Batch:
    lengths = torch.arange(time, time - size, -1)
    contexts = torch.randn(size, time, context).double() if context else None
    return Batch(frames(size, time, D, seed=1), lengths, contexts, start)


def gradients(model: SequenceModel, batch: Batch) -> dict[str, Tensor]:
    model.zero_grad()
    model.loss(batch).backward()
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("context", [0, X], ids=["", "context"])
@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize("backbone", BACKBONES)
@pytest.mark.parametrize("head", HEADS)
def test_log_prob_is_the_sum_of_the_steps_densities(
    head: str, backbone: str, transform: str, context: int
) -> None:
    model = build(head, backbone, transform, context)
    batch = batch_of(context=context)
    z, ladj = model.transform.call_and_ladj(batch.values)
    total, previous, state = torch.zeros(4).double(), None, None
    for t in range(6):
        now = None if batch.context is None else batch.context[:, t]
        density, state = model.step(previous, now, state, batch_size=4)
        assert density.batch_shape == (4,) and density.event_shape == (D,)
        total += (density.log_prob(z[:, t]) + ladj[:, t]).where(t < batch.lengths, 0)
        previous = z[:, t]
    found = model.log_prob(batch)
    assert found.shape == (4,) and found.std() > 0.1
    torch.testing.assert_close(found, total, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(model.frame_log_prob(batch).sum(1), found)


@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize("head", HEADS)
def test_the_distributions_are_those_that_frames_are_scored_by(head: str, transform: str) -> None:
    model = build(head, transform=transform, context=X)
    batch = batch_of(context=X, start=torch.tensor([2, 0, 3, 1]))
    density, mask = model.distributions(batch)
    assert density.batch_shape == (4, 6) and density.event_shape == (D,)
    assert torch.equal(mask, batch.mask())
    expected = model.frame_log_prob(batch)
    z, ladj = model.transform.call_and_ladj(batch.values)
    torch.testing.assert_close((density.log_prob(z) + ladj)[mask], expected[mask])
    seen = Flowed(density, model.transform)  # in the data's own units
    torch.testing.assert_close(seen.log_prob(batch.values)[mask], expected[mask])
    drawn = seen.sample((400,))
    assert drawn.shape == (400, 4, 6, D) and seen.log_prob(drawn).isfinite().all()
    torch.testing.assert_close(model.transform.inverse(z), batch.values)


@pytest.mark.parametrize("head", ["factorised", "conditional flow"])
@pytest.mark.parametrize("transform", ["standardise", "logit"])
def test_the_density_of_a_whole_sequence_integrates_to_one(transform: str, head: str) -> None:
    flow = partial(FlowMixtureHead, components=2, flow=MaskedAutoregressive, conditional=True)
    model = SequenceModel(
        1,
        backbone=BACKBONES["lstm"],
        head=flow if head == "conditional flow" else HEADS[head],
        transform=TRANSFORMS[transform],
    )
    model.initialise(frames(200, 1).float())
    perturbed(model, 0.1)
    low, high = (0.0, 20.0) if transform == "logit" else (-40.0, 60.0)
    cell = (high - low) / 300
    axis = torch.linspace(low + cell / 2, high - cell / 2, 300)
    grid = torch.cartesian_prod(axis, axis).unsqueeze(-1)  # two frames of one feature
    with torch.no_grad():
        density = model.log_prob(Batch(grid, torch.full((len(grid),), 2))).double().exp()
    assert float(density.sum() * cell**2) == pytest.approx(1, abs=2e-3)


@pytest.mark.parametrize("padding", [0.0, math.nan, math.inf, -math.inf, 1e30])
@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize("head", HEADS)
def test_padding_reaches_neither_a_loss_nor_a_gradient(
    head: str, transform: str, padding: float
) -> None:
    model = build(head, transform=transform, context=X)
    batch = batch_of(context=X)
    outside = (torch.arange(6) >= batch.lengths.unsqueeze(1)).unsqueeze(-1)
    padded = batch._replace(
        values=batch.values.masked_fill(outside, padding),
        context=batch.context.masked_fill(outside, padding),
    )
    assert torch.equal(model.log_prob(padded), model.log_prob(batch))
    expected = gradients(model, batch)
    for name, gradient in gradients(model, padded).items():
        assert gradient.isfinite().all() and torch.equal(gradient, expected[name]), name


@pytest.mark.parametrize("backbone", BACKBONES)
def test_sequences_in_a_batch_are_what_they_are_alone(backbone: str) -> None:
    model = build(backbone=backbone, context=X)
    items = [
        (frames(length, D, seed=length), torch.randn(length, X).double(), length // 3)
        for length in (7, 1, 4, 2)
    ]
    batch = collate(items)
    together = model.float().log_prob(batch)
    frame_by_frame = model.frame_log_prob(batch)
    for i, item in enumerate(items):
        alone = collate([item])
        torch.testing.assert_close(together[i], model.log_prob(alone)[0], rtol=1e-5, atol=1e-4)
        torch.testing.assert_close(
            frame_by_frame[i, : len(item[0])],
            model.frame_log_prob(alone)[0],
            rtol=1e-5,
            atol=1e-4,
        )
        assert (frame_by_frame[i, len(item[0]) :] == 0).all()


def test_burn_in_is_seen_but_not_scored() -> None:
    model = build(context=X)
    start = torch.tensor([2, 0, 3, 1])
    batch = batch_of(context=X, start=start)
    scored = model.frame_log_prob(batch)
    every = model.frame_log_prob(batch._replace(start=None))
    for i, first in enumerate(start.tolist()):
        assert (scored[i, :first] == 0).all()
        torch.testing.assert_close(scored[i, first:], every[i, first:])
        torch.testing.assert_close(model.log_prob(batch)[i], every[i, first:].sum())
    changed = batch.values.clone()
    changed[:, 0] += 1
    found = model.log_prob(batch._replace(values=changed))
    difference = (found - model.log_prob(batch)).abs()
    assert (difference > 1e-3).all(), "burn-in must be looked at"


@pytest.mark.parametrize("backbone", BACKBONES)
@pytest.mark.parametrize("head", HEADS)
def test_a_frame_knows_the_past_and_its_own_context_only(head: str, backbone: str) -> None:
    model = build(head, backbone, context=X)
    batch = batch_of(2, context=X)._replace(lengths=torch.tensor([6, 6]))
    values, context = batch.values.requires_grad_(), batch.context.requires_grad_()
    seen: list[Tensor] = []
    handle = model.head.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    density = model.frame_log_prob(batch)
    handle.remove()
    for t in range(6):
        of_values, of_context = torch.autograd.grad(
            density[:, t].sum(), (values, context), retain_graph=True
        )
        assert (of_values[:, : t + 1] != 0).all() and (of_values[:, t + 1 :] == 0).all()
        assert (of_context[:, : t + 1] != 0).all() and (of_context[:, t + 1 :] == 0).all()
        # The frame itself is where the density is taken, not what the density is made of.
        of_values, of_context = torch.autograd.grad(
            seen[0][:, t].sum(), (values, context), retain_graph=True, materialize_grads=True
        )
        assert (of_values[:, :t] != 0).all() and (of_values[:, t:] == 0).all()
        assert (of_context[:, : t + 1] != 0).all() and (of_context[:, t + 1 :] == 0).all()


@pytest.mark.parametrize("head", HEADS)
def test_in_other_units_the_density_differs_by_their_ratio(head: str) -> None:
    scale = torch.tensor([1000.0, 0.01, 2.5]).double()
    model = build(head)
    other = build(head)
    other.transform.fit(scale * frames(200, D, seed=9) - 7)
    batch = batch_of()
    moved = batch._replace(values=scale * batch.values - 7)
    expected = model.log_prob(batch) - batch.lengths * scale.log().sum()
    torch.testing.assert_close(other.log_prob(moved), expected, rtol=1e-9, atol=1e-8)
    same = build(head)
    same.transform.fit(scale.mean() * frames(200, D, seed=9))
    found = same.log_prob(batch._replace(values=scale.mean() * batch.values))
    expected = model.log_prob(batch) - batch.lengths * D * scale.mean().log()
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-8)


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_the_transform_is_saved_with_the_model(transform: str) -> None:
    model = build(transform=transform)
    assert_state_is_complete(model)
    assert any(name.startswith("transform.") for name in model.state_dict())
    fresh = SequenceModel(D, 0, BACKBONES["lstm"], HEADS["lowrank"], TRANSFORMS[transform]).double()
    fresh.load_state_dict(model.state_dict())
    batch = batch_of()
    assert torch.equal(fresh.log_prob(batch), model.log_prob(batch))


def test_initialise_fits_the_transform_and_places_the_components() -> None:
    values = torch.cat((frames(300, D), frames(300, D, seed=2) + 30)).float()
    model = SequenceModel(D)
    batch = Batch(values.view(60, 10, D), torch.full((60,), 10))
    before = model.loss(batch).item()
    model.initialise(values)
    torch.testing.assert_close(model.transform.mean, values.mean(0))
    assert model.loss(batch).item() < before - 100
    z = model.transform(values)
    found = model.head(torch.zeros(model.backbone.features)).component_distribution.loc
    assert torch.cdist(z, found).min(1).values.mean() < 0.5
    assert all(parameter.grad is None for parameter in model.parameters())
    unplaced = SequenceModel(D, head=lambda features, width: torch.nn.Linear(width, features))
    unplaced.initialise(values)
    torch.testing.assert_close(unplaced.transform.mean, values.mean(0))


@pytest.mark.parametrize("backbone", BACKBONES)
@pytest.mark.parametrize("head", HEADS)
def test_gradients_reach_every_parameter(head: str, backbone: str) -> None:
    model = build(head, backbone, context=X)
    found = gradients(model, batch_of(context=X))
    for name, _ in model.named_parameters():
        assert name in found, f"no gradient reaches {name}"
        assert found[name].isfinite().all() and found[name].abs().sum() > 0, name
    assert (found["start"] != 0).all()


def test_the_loss_is_a_mean_over_the_frames_that_count() -> None:
    model = build()
    batch = batch_of(start=torch.tensor([2, 0, 3, 1]))  # of lengths 6, 5, 4, 3
    assert model.loss(batch).shape == ()
    torch.testing.assert_close(model.loss(batch), -model.log_prob(batch).sum() / (4 + 5 + 1 + 2))


def test_float32_is_close_to_float64() -> None:
    for head in HEADS:
        model = build(head, context=X)
        batch = batch_of(context=X)
        expected = model.log_prob(batch)
        single = Batch(batch.values.float(), batch.lengths, batch.context.float())
        found = model.float().log_prob(single)
        assert found.dtype == torch.float32
        torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize("head", HEADS)
def test_autocast_stays_close_and_finite(head: str) -> None:
    model = build(head, context=X).float()
    batch = batch_of(context=X)
    batch = Batch(batch.values.float(), batch.lengths, batch.context.float())
    expected = model.log_prob(batch)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = model.log_prob(batch)
        loss = model.loss(batch)
    assert found.dtype == torch.float32
    # The network rounds to 3 digits: measured up to 0.024 nats a sequence.
    torch.testing.assert_close(found, expected, rtol=0, atol=0.1)
    assert not torch.equal(found, expected), "autocast is not on"
    loss.backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize(
    ("values", "context", "message"),
    [
        ((2, 5, 4), (2, 5, X), "values must have shape (B, T, 3), found (2, 5, 4)"),
        ((5, 3), (2, 5, X), "values must have shape (B, T, 3), found (5, 3)"),
        ((2, 5, 3), None, "context of 2 features, found none"),
        ((2, 5, 3), (2, 5, 1), "context must have shape (2, 5, 2), found (2, 5, 1)"),
        ((2, 5, 3), (2, 4, X), "context must have shape (2, 5, 2), found (2, 4, 2)"),
        ((2, 5, 3), (3, 5, X), "context must have shape (2, 5, 2), found (3, 5, 2)"),
    ],
)
def test_what_does_not_fit_is_refused(
    values: tuple[int, ...], context: tuple[int, ...] | None, message: str
) -> None:
    model = SequenceModel(D, X, backbone=BACKBONES["lstm"])
    batch = Batch(
        torch.zeros(values), torch.tensor([5, 5]), None if context is None else torch.zeros(context)
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        model.log_prob(batch)


def test_a_step_says_what_does_not_fit() -> None:
    model = SequenceModel(D, X, backbone=BACKBONES["lstm"])
    with pytest.raises(ValueError, match="context of 2 features, found none"):
        model.step(None)
    with pytest.raises(ValueError, match=r"context of 2 features, found shape \(1, 1, 5\)"):
        model.step(None, torch.zeros(1, 5))


def test_a_model_without_context_looks_at_none() -> None:
    model = SequenceModel(D, backbone=BACKBONES["lstm"], transform=lambda _: Identity())
    values, lengths = torch.randn(2, 5, D), torch.tensor([5, 3])
    plain = model.log_prob(Batch(values, lengths))
    assert torch.equal(model.log_prob(Batch(values, lengths, torch.randn(2, 5, 7))), plain)
