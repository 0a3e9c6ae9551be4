"""Densities of models that go on learning: exact, of each sequence by itself, and of the past."""

import copy
import math
from functools import partial

import pytest
import torch
from torch import Tensor

from seqmdn.adaptation import adaptive_log_prob
from seqmdn.backbones import LSTMBackbone
from seqmdn.data import Batch
from seqmdn.heads import FlowMixtureHead, MixtureHead
from seqmdn.models import DensityModel, SequenceModel
from tests.contracts import perturbed

RATE = 0.01


def build(features: int = 2, **options: object) -> SequenceModel:
    """A model whose densities depend on the past."""
    torch.manual_seed(0)
    settings = {
        "backbone": partial(LSTMBackbone, hidden=8, bypass=True),
        "head": partial(MixtureHead, components=3, covariance="lowrank", rank=1),
    }
    model = SequenceModel(features, **(settings | options))
    model.initialise(3 + 2 * torch.randn(200, features))
    perturbed(model.backbone, 0.3)
    perturbed(model.head, 0.1)
    return model.eval()


def some(features: int = 2, count: int = 3, length: int = 6) -> Batch:
    torch.manual_seed(1)
    return Batch(3 + 2 * torch.randn(count, length, features), torch.full((count,), length))


def alone(batch: Batch, index: int) -> Batch:
    length = int(batch.lengths[index])
    return Batch(batch.values[index : index + 1, :length], torch.tensor([length]))


def first_step(parameters: list[Tensor], loss: Tensor, rate: float) -> list[Tensor]:
    """Parameters after Adam's first step: a rate against the sign of each gradient."""
    slopes = torch.autograd.grad(loss, parameters, allow_unused=True, materialize_grads=True)
    return [
        p.detach() - rate * slope / (slope.abs() + 1e-8)
        for p, slope in zip(parameters, slopes, strict=True)
    ]


def test_frames_are_scored_and_then_learnt_from() -> None:
    model, batch = build(), some(count=1)
    found = adaptive_log_prob(model, batch, RATE)
    fixed = model.frame_log_prob(batch).detach()
    torch.testing.assert_close(found[:, 0], fixed[:, 0])
    z, ladj = model.transform.call_and_ladj(batch.values)
    density, state = model.step(None)
    loss = -density.log_prob(z[:, 0]).sum()
    learnt = copy.deepcopy(model)
    with torch.no_grad():
        for own, new in zip(
            learnt.parameters(), first_step(list(model.parameters()), loss, RATE), strict=True
        ):
            own.copy_(new)
    second = learnt.step(z[:, 0], state=state)[0].log_prob(z[:, 1]) + ladj[:, 1]
    torch.testing.assert_close(found[:, 1], second.detach())
    assert not torch.allclose(found[:, 1], fixed[:, 1], atol=1e-3)


@pytest.mark.long
def test_the_third_density_given_the_frames_before_it_integrates_to_one() -> None:
    model = build(features=1)
    past, grid = torch.tensor([2.0, 5.0]), torch.linspace(-25, 35, 1201)
    values = torch.cat((past.expand(len(grid), 2), grid.unsqueeze(1)), dim=1).unsqueeze(-1)
    batch = Batch(values, torch.full((len(grid),), 3))
    found = adaptive_log_prob(model, batch, RATE)
    assert (found[:, :2] == found[:1, :2]).all(), "of the same past"
    assert float(torch.trapezoid(found[:, 2].exp(), grid)) == pytest.approx(1, abs=1e-4)


def test_each_sequence_begins_anew_and_the_model_stays_as_it_is() -> None:
    model = build()
    batch = some()._replace(lengths=torch.tensor([6, 3, 5]))
    batch.values[1, 3:], batch.values[2, 5:] = math.nan, math.inf
    before = copy.deepcopy(model.state_dict())
    found = adaptive_log_prob(model, batch, RATE)
    for i, length in enumerate(batch.lengths.tolist()):
        torch.testing.assert_close(
            found[i : i + 1, :length], adaptive_log_prob(model, alone(batch, i), RATE)
        )
        assert (found[i, length:] == 0).all()
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name]), name
    assert all(p.grad is None for p in model.parameters())


def test_of_burn_in_nothing_is_learnt() -> None:
    model, batch = build(), some(count=2)
    batch = batch._replace(start=torch.tensor([4, 0]))
    found = adaptive_log_prob(model, batch, RATE)
    fixed = model.frame_log_prob(batch).detach()
    assert (found[0, :4] == 0).all()
    torch.testing.assert_close(found[0, 4], fixed[0, 4])
    assert not torch.allclose(found[0, 5], fixed[0, 5], atol=1e-3)


def test_of_missing_features_what_was_observed_is_scored_and_learnt_from() -> None:
    model, batch = build(missing=True), some(count=1)
    observed = torch.ones(1, 6, 2, dtype=torch.bool)
    observed[0, 1, 0], observed[0, 3] = False, False
    gaps = batch._replace(values=batch.values.where(observed, math.nan), observed=observed)
    found = adaptive_log_prob(model, gaps, RATE)
    # So low a rate leaves the weights where they are, to float32's precision.
    still = adaptive_log_prob(model, gaps, 1e-12)
    torch.testing.assert_close(still, model.frame_log_prob(gaps).detach())
    assert float(found[0, 3]) == 0.0 and found.isfinite().all()
    assert not torch.allclose(found[0, 4:], still[0, 4:], atol=1e-3)


@pytest.mark.parametrize("inference", [False, True])
def test_a_flow_with_a_context_adapts_whoever_calls(inference: bool) -> None:
    model = build(context=2, head=partial(FlowMixtureHead, components=2, conditional=True))
    batch = some(count=1, length=30)._replace(context=torch.randn(1, 30, 2))
    batch = batch._replace(values=batch.values + 6)
    with torch.inference_mode(inference):
        found = adaptive_log_prob(model, batch, RATE)
        fixed = model.frame_log_prob(batch).detach()
    assert not found.requires_grad
    assert float(found[0, 10:].mean()) > float(fixed[0, 10:].mean()) + 0.1, "other data"


def test_every_frame_is_told() -> None:
    told: list[int] = []
    batch = some()._replace(lengths=torch.tensor([6, 3, 5]))
    adaptive_log_prob(build(), batch, RATE, scored=lambda: told.append(1))
    assert len(told) == 14


@pytest.mark.parametrize("rate", [0.0, -1e-3, math.nan, math.inf])
def test_a_rate_must_be_positive(rate: float) -> None:
    with pytest.raises(ValueError, match="expected a positive learning rate to adapt with, found"):
        adaptive_log_prob(build(), some(), rate)


def test_a_rate_that_is_far_too_high_is_told() -> None:
    with pytest.raises(ArithmeticError, match=r"of frame \d is .* after adaptation with a rate of"):
        adaptive_log_prob(build(), some(length=9), 1e20)


def test_a_model_without_single_frames_is_refused() -> None:
    class Other(DensityModel):
        def log_prob(self, batch: Batch) -> Tensor:
            return batch.values.sum((1, 2))

        def loss(self, batch: Batch) -> Tensor:
            return -self.log_prob(batch).mean()

        def initialise(self, values: Tensor) -> None: ...

    with pytest.raises(ValueError, match="an? Other has no density of single frames to learn from"):
        adaptive_log_prob(Other(), some(), RATE)
