"""The sequence model on frames of which features are missing."""

from __future__ import annotations

import math
from functools import partial

import pytest
import torch
from torch import Tensor
from torch.distributions import MultivariateNormal

from seqmdn.backbones import LSTMBackbone
from seqmdn.data import Batch, Standardise, collate
from seqmdn.generation import generate
from seqmdn.heads import MixtureHead
from seqmdn.models import SequenceModel
from tests.contracts import assert_state_is_complete, perturbed
from tests.models.test_sequence import BACKBONES, HEADS, TRANSFORMS, D, X, frames, gradients

CLOSED = ["lowrank", "factorised"]


def build(
    head: str = "lowrank", transform: str = "standardise", context: int = 0, features: int = D
) -> SequenceModel:
    torch.manual_seed(0)
    model = SequenceModel(
        features, context, BACKBONES["lstm"], HEADS[head], TRANSFORMS[transform], missing=True
    ).double()
    values = frames(200, features, seed=9)
    model.initialise(values.where(mask_of(200, features, seed=9), math.nan))
    perturbed(model)
    perturbed(model.backbone, 0.3)
    perturbed(model.head.projection, 0.3)
    return model


def mask_of(*shape: int, seed: int = 1) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) < 0.6


def batch_of(context: int = 0, fill: float = math.nan) -> Batch:
    """Four sequences of 6 to 3 frames; the second frame of each misses everything."""
    observed = mask_of(4, 6, D)
    observed[:, 1] = False
    values = frames(4, 6, D, seed=1).where(observed, fill)
    contexts = torch.randn(4, 6, context).double() if context else None
    return Batch(values, torch.tensor([6, 5, 4, 3]), contexts, observed=observed)


@pytest.mark.parametrize("context", [0, X], ids=["", "context"])
@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize("head", CLOSED)
def test_log_prob_is_the_sum_of_what_the_steps_say_of_what_was_seen(
    head: str, transform: str, context: int
) -> None:
    model = build(head, transform, context)
    batch = batch_of(context)
    assert batch.observed is not None
    total, previous, seen, state = torch.zeros(4).double(), None, None, None
    for t in range(6):
        now = None if batch.context is None else batch.context[:, t]
        density, state = model.step(previous, now, state, batch_size=4, observed=seen)
        of_frame = torch.zeros(4).double()
        for i in range(4):
            here = batch.observed[i, t]
            if here.any():
                # By the density of the marginal, and the slope of each feature by itself.
                whole = torch.where(here, batch.values[i, t], 10.0).requires_grad_()
                z = model.transform(whole)
                slopes = torch.autograd.grad(z.sum(), whole)[0].log()
                one = [index for index in range(D) if here[index]]
                of_frame[i] = density.marginal(one).log_prob(z[one])[i] + slopes[one].sum()
        total += of_frame.where(t < batch.lengths, 0)
        z, _ = model.transform.call_and_ladj(batch.values[:, t], batch.observed[:, t])
        previous, seen = z, batch.observed[:, t]
    found = model.log_prob(batch)
    assert found.std() > 0.1
    torch.testing.assert_close(found, total, rtol=1e-9, atol=1e-9)
    by_frame = model.frame_log_prob(batch)
    assert (by_frame[:, 1] == 0).all(), "a frame with nothing observed contributes 0"
    torch.testing.assert_close(model.loss(batch), -found.sum() / 18)


@pytest.mark.parametrize("fill", [0.0, 5.0, math.inf, 1e30])
@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize("head", CLOSED)
def test_what_is_missing_reaches_neither_a_loss_nor_a_gradient(
    head: str, transform: str, fill: float
) -> None:
    model = build(head, transform, X)
    batch = batch_of(X)
    expected = gradients(model, batch)
    other = batch._replace(values=batch_of(X, fill).values)
    assert torch.equal(model.log_prob(other), model.log_prob(batch))
    for name, gradient in gradients(model, other).items():
        assert gradient.isfinite().all() and torch.equal(gradient, expected[name]), name
    assert expected.keys() == dict(model.named_parameters()).keys()
    # Padding, too, and what stands in its mask.
    outside = (torch.arange(6) >= batch.lengths.unsqueeze(1)).unsqueeze(-1)
    padded = batch._replace(
        values=batch.values.masked_fill(outside, math.nan),
        observed=batch.observed ^ outside,  # type: ignore[operator]
    )
    assert torch.equal(model.log_prob(padded), model.log_prob(batch))


@pytest.mark.parametrize("head", [*HEADS])
def test_with_everything_observed_it_is_the_plain_density(head: str) -> None:
    model = build(head)
    batch = Batch(frames(4, 6, D, seed=1), torch.tensor([6, 5, 4, 3]))
    plain = model.log_prob(batch)
    if head not in CLOSED:
        with pytest.raises(NotImplementedError, match="not closed under a flow"):
            model.log_prob(batch._replace(observed=torch.ones(4, 6, D).bool()))
        return
    found = model.log_prob(batch._replace(observed=torch.ones(4, 6, D).bool()))
    torch.testing.assert_close(found, plain)


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_it_is_the_integral_over_what_is_missing(transform: str) -> None:
    model = build(transform=transform, features=2)
    low, high = (0.0, 20.0) if transform == "logit" else (-4.9, 39.9)
    cell = (high - low) / 20_000
    axis = torch.linspace(low + cell / 2, high - cell / 2, 20_000).double()
    whole = torch.stack((torch.full_like(axis, 7.0), axis), dim=-1).unsqueeze(1)  # (N, 1, 2)
    one = torch.ones(len(axis), dtype=torch.int64)
    integral = model.log_prob(Batch(whole, one)).exp().sum() * cell
    seen = torch.tensor([[[True, False]]])
    found = model.log_prob(Batch(whole[:1], one[:1], observed=seen)).exp()
    torch.testing.assert_close(found[0], integral, rtol=1e-4, atol=0)


def test_the_backbone_knows_what_it_does_not_see() -> None:
    model = build()
    whole = Batch(frames(1, 2, D, seed=1), torch.tensor([2]), observed=torch.ones(1, 2, D).bool())
    mean = model.transform.inverse(torch.zeros(D).double())
    average = whole._replace(values=torch.cat((mean.expand(1, 1, D), whole.values[:, 1:]), dim=1))
    hidden = average._replace(observed=torch.tensor([[[False], [True]]]).expand(1, 2, D))
    difference = model.frame_log_prob(average)[0, 1] - model.frame_log_prob(hidden)[0, 1]
    assert difference.abs() > 1e-3, "a missing frame passes for an average one"


def test_in_other_units_only_what_was_seen_changes() -> None:
    scale = torch.tensor([1000.0, 0.01, 2.5]).double()
    model, other = build(), build()
    values, seen = frames(200, D, seed=9), mask_of(200, D, seed=9)
    other.transform.fit(scale * values - 7, seen)
    batch = batch_of()
    assert batch.observed is not None
    moved = batch._replace(values=scale * batch.values - 7)
    counted = (batch.observed & batch.mask().unsqueeze(-1)).sum(1).double()  # (B, D)
    expected = model.log_prob(batch) - counted @ scale.log()
    torch.testing.assert_close(other.log_prob(moved), expected, rtol=1e-9, atol=1e-8)


def test_sequences_in_a_batch_are_what_they_are_alone() -> None:
    model = build(context=X).float()
    items, masks = [], []
    for length in (7, 1, 4, 2):
        context = torch.randn(length, X, generator=torch.Generator().manual_seed(length))
        items.append((frames(length, D, seed=length), context, length // 3))
        masks.append(mask_of(length, D, seed=length))
    together = model.log_prob(collate(items, masks))
    for i in range(4):
        alone = model.log_prob(collate([items[i]], [masks[i]]))
        torch.testing.assert_close(together[i], alone[0], rtol=1e-5, atol=1e-4)


def test_initialise_looks_at_what_was_observed() -> None:
    torch.manual_seed(0)
    values = torch.cat((frames(300, D), frames(300, D, seed=2) + 30)).float()
    seen = mask_of(600, D)
    model = SequenceModel(D, missing=True)
    model.initialise(values.where(seen, math.nan))
    for d in range(D):
        known = values[seen[:, d], d]
        torch.testing.assert_close(model.transform.mean[d], known.mean())
        torch.testing.assert_close(model.transform.std[d], known.std(correction=0))
    distribution = model.head(torch.zeros(model.backbone.features))
    # The spread of the components together is that of the data: no gap was filled by a constant.
    assert ((distribution.variance - 1).abs() < 0.15).all()
    never = SequenceModel(D, missing=True)
    never.initialise(values.where(torch.tensor([True, True, False]), math.nan))
    assert never.transform.mean[2] == 0 and never.transform.std[2] == 1
    assert all(parameter.isfinite().all() for parameter in never.parameters())


def test_a_correlation_is_learned_from_frames_with_gaps() -> None:
    # Two thirds of the values are there, so both of a frame's are in less than half of them.
    torch.manual_seed(0)
    truth = MultivariateNormal(torch.tensor([3.0, -1.0]), torch.tensor([[4.0, 1.7], [1.7, 1.0]]))
    values, seen = truth.sample((512, 4)), torch.rand(512, 4, 2) < 2 / 3
    model = SequenceModel(
        2,
        backbone=partial(LSTMBackbone, hidden=2),
        head=partial(MixtureHead, components=1, covariance="lowrank", rank=1),
        missing=True,
    )
    model.initialise(values.where(seen, math.nan).flatten(0, 1))
    batch = Batch(values.where(seen, math.nan), torch.full((512,), 4), observed=seen)
    optimiser = torch.optim.Adam(model.parameters(), lr=0.05)
    for _ in range(150):
        optimiser.zero_grad()
        model.loss(batch).backward()
        optimiser.step()
    fresh = truth.sample((2000, 1))
    with torch.no_grad():
        found = -model.log_prob(Batch(fresh, torch.ones(2000, dtype=torch.int64))).mean()
    floor = -truth.log_prob(fresh).mean()
    assert found < floor + 0.03
    independent = 0.5 * math.log(2 * math.pi * math.e) * 2 + 0.5 * math.log(4.0)
    assert found < independent - 0.3, "no correlation was learned"


def test_it_generates_and_is_saved() -> None:
    model = build(context=X).float()
    assert_state_is_complete(model)
    drawn = generate(model, 3, 5, context=torch.zeros(3, 5, X))
    assert drawn.values.isfinite().all() and drawn.observed is None
    fresh = SequenceModel(D, X, BACKBONES["lstm"], HEADS["lowrank"], Standardise, missing=True)
    fresh.load_state_dict(model.state_dict())
    batch = batch_of(X)
    single = batch._replace(values=batch.values.float(), context=batch.context.float())  # type: ignore[union-attr]
    assert torch.equal(fresh.log_prob(single), model.log_prob(single))


def test_what_does_not_fit_is_refused() -> None:
    plain = SequenceModel(D, backbone=BACKBONES["lstm"])
    batch = batch_of()
    with pytest.raises(ValueError, match="without missing features, found observed in a batch"):
        plain.log_prob(batch)
    with pytest.raises(ValueError, match="found 120 NaN in the frames: make it with missing=True"):
        plain.initialise(torch.full((40, D), math.nan))
    with pytest.raises(ValueError, match="found observed in a step"):
        plain.step(torch.zeros(1, D), observed=torch.ones(1, D).bool())
    model = build()
    for wrong, message in (
        (torch.ones(4, 6, D), r"boolean of shape \(4, 6, 3\), found torch.float32"),
        (torch.ones(4, 6).bool(), r"found torch.bool of shape \(4, 6\)"),
    ):
        with pytest.raises(ValueError, match=message):
            model.log_prob(batch._replace(observed=wrong))
    holed = batch._replace(observed=torch.ones(4, 6, D).bool())
    with pytest.raises(ValueError, match="NaN"):
        model.log_prob(holed)
