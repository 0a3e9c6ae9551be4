"""The VRNN's bounds beside a density that is known, and its draws beside that density."""

import math
from functools import partial

import pytest
import torch

from seqmdn.backbones import LSTMBackbone
from seqmdn.data import Batch, Standardise
from seqmdn.generation import generate
from seqmdn.heads import FlowMixtureHead, MixtureHead
from seqmdn.models import VRNN, vrnn
from seqmdn.models.importance import own_noise
from tests.contracts import assert_state_is_complete
from tests.models.linear import D, exact, linear_vrnn, separate

T = 4


def sequences(model: VRNN, count: int, time: int = T) -> Batch:
    values = exact(model, time).sample((count,)).reshape(count, time, D)
    return Batch(values, torch.full((count,), time))


def small(**options: object) -> VRNN:
    torch.manual_seed(1)
    options = {"latent": 3, "hidden": 8, "samples": 4, **options}
    return VRNN(2, backbone=partial(LSTMBackbone, hidden=6), **options)  # type: ignore[arg-type]


@torch.no_grad()
def test_the_bounds_lie_below_the_likelihood_the_tighter_the_more_draws() -> None:
    model = linear_vrnn()
    batch = sequences(model, 1600)
    known = exact(model, T).log_prob(batch.values.flatten(1))
    gaps = [known - model.evidence_bound(batch)]
    for samples in (1, 8, 128):
        model.samples = samples
        gaps.append(known - model.log_prob(batch))
    for gap in gaps:
        assert gap.mean() > 3 * gap.std() / 40  # by more than chance
    means = [gap.mean().item() for gap in gaps]
    # One draw's weight is the evidence bound's own term, in expectation.
    assert means[0] == pytest.approx(means[1], abs=4 * gaps[1].std().item() / 40)
    assert means[1] > 2 * means[2] > 4 * means[3]


@torch.no_grad()
def test_the_weights_estimate_the_density_without_bias() -> None:
    model = linear_vrnn(samples=32)
    batch = sequences(model, 2000)
    ratio = (model.log_prob(batch) - exact(model, T).log_prob(batch.values.flatten(1))).exp()
    assert ratio.mean() == pytest.approx(1, abs=4 * ratio.std().item() / math.sqrt(2000))
    assert ratio.std() < 1  # or that would say little


@torch.no_grad()
def test_with_the_true_posterior_both_bounds_are_the_likelihood() -> None:
    model = linear_vrnn(samples=3)
    separate(model)
    batch = sequences(model, 5, time=1)
    known = exact(model, 1).log_prob(batch.values.flatten(1))
    torch.testing.assert_close(model.log_prob(batch), known)  # whatever was drawn
    model.samples = 300
    torch.testing.assert_close(model.evidence_bound(batch), known, atol=0.3, rtol=0)
    model.samples = 4000
    # Of longer sequences it is the posterior of a step alone, which is a good one to draw from.
    batch = sequences(model, 5)
    known = exact(model, T).log_prob(batch.values.flatten(1))
    torch.testing.assert_close(model.log_prob(batch), known, atol=0.05, rtol=0)


def test_the_loss_is_the_negative_evidence_bound_a_frame() -> None:
    model = small()
    batch = Batch(torch.randn(50, 5, 2), torch.arange(50) % 5 + 1)
    losses = torch.stack([model.loss(batch) for _ in range(100)])
    mean = losses.mean().item()
    bound = -model.evidence_bound(batch).sum() / batch.frames().sum()
    assert mean == pytest.approx(bound.item(), abs=0.02)
    assert losses.std() > 0
    losses[0].backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and bool(parameter.grad.any()), name


@torch.no_grad()
def test_validation_is_by_the_evidence_bound_of_one_draw() -> None:
    model = small(samples=1)
    batch = Batch(torch.randn(3, 5, 2), torch.tensor([5, 3, 1]))
    one = model.evidence_bound(batch)
    model.samples = 7
    assert torch.equal(model.validation_log_prob(batch), one)


@pytest.mark.parametrize("context", [0, 2])
@torch.no_grad()
def test_a_sequence_is_worth_the_same_whatever_stands_beside_or_behind_it(context: int) -> None:
    model = small(context=context).double()
    values, known = torch.randn(3, 6, 2).double(), torch.randn(3, 6, 2).double()
    known = known if context else None
    batch = Batch(values, torch.tensor([6, 2, 4]), known)
    values[1, 2:] = math.nan
    values[2, 4:] = 1e30
    for bound in (model.log_prob, model.evidence_bound, model.validation_log_prob):
        whole = bound(batch)
        for row, length in enumerate(batch.lengths.tolist()):
            alone = batch.part(row, row + 1)
            alone = alone._replace(
                values=alone.values[:, :length],
                context=None if alone.context is None else alone.context[:, :length],
            )
            torch.testing.assert_close(bound(alone), whole[row : row + 1])


@torch.no_grad()
def test_the_context_of_a_step_is_seen_in_it() -> None:
    model = small(context=2)
    batch = Batch(torch.randn(1, 3, 2), torch.tensor([3]), torch.zeros(1, 3, 2))
    for t in range(3):
        context = torch.zeros(1, 3, 2)
        context[0, t] = 1
        other = batch._replace(context=context)
        assert model.log_prob(other) != model.log_prob(batch)
        assert model.evidence_bound(other) != model.evidence_bound(batch)
    with pytest.raises(ValueError, match="context of 2 features, found none"):
        model.log_prob(batch._replace(context=None))


@torch.no_grad()
def test_frames_that_do_not_count_are_seen() -> None:
    model = small()
    batch = Batch(torch.randn(1, 5, 2), torch.tensor([5]), start=torch.tensor([2]))
    later = batch._replace(start=torch.tensor([4]))
    other = batch._replace(values=torch.cat((batch.values[:, :1] + 1, batch.values[:, 1:]), dim=1))
    for bound in (model.log_prob, model.evidence_bound):
        assert bound(batch) != bound(later)  # of fewer frames
        assert bound(batch) != bound(other)


@torch.no_grad()
def test_bounds_are_in_the_units_of_the_data(monkeypatch: pytest.MonkeyPatch) -> None:
    batch = Batch(torch.randn(3, 5, 2), torch.tensor([5, 3, 1]))
    noise = own_noise(batch, 4, 3)
    monkeypatch.setattr(vrnn, "own_noise", lambda *_: noise)
    found = []
    for unit in (1, 10):
        model = small(transform=partial(Standardise, shared=True))
        model.initialise(unit * batch.values.flatten(0, 1))
        scaled = batch._replace(values=unit * batch.values)
        found.append(torch.stack((model.log_prob(scaled), model.evidence_bound(scaled))))
    torch.testing.assert_close(found[1], found[0] - 2 * batch.lengths * math.log(10))


@torch.no_grad()
def test_draws_have_the_model_s_own_moments() -> None:
    model = linear_vrnn()
    density = exact(model, 3)
    drawn = generate(model, 40_000, 3).values.flatten(1)
    scale = density.stddev
    assert ((drawn.mean(0) - density.mean) / scale).abs().max() < 0.025
    correlation = torch.corrcoef(drawn.T)
    expected = density.covariance_matrix / scale.outer(scale)
    assert (correlation - expected).abs().max() < 0.025
    assert (drawn.std(0) / scale - 1).abs().max() < 0.02


@torch.no_grad()
def test_draws_go_on_from_what_a_real_frame_says_of_z() -> None:
    model = linear_vrnn()
    separate(model)
    density = exact(model, 2)
    first = density.sample()[:D]
    mean, covariance = density.mean, density.covariance_matrix
    gain = torch.linalg.solve(covariance[:D, :D], covariance[:D, D:]).T
    expected = mean[D:] + gain @ (first - mean[:D])
    spread = covariance[D:, D:] - gain @ covariance[:D, D:]
    scale = spread.diagonal().sqrt()
    prime = first.expand(20_000, 1, D)
    drawn = generate(model, 20_000, 2, prime=prime).values[:, 1]
    assert ((drawn.mean(0) - expected) / scale).abs().max() < 0.03
    assert (drawn.std(0) / scale - 1).abs().max() < 0.03
    # Rows that are not primed are drawn as ever.
    primed = torch.arange(20_000) % 2
    mixed = generate(model, 20_000, 2, prime=prime, primed=primed).values
    assert ((mixed[1::2, 1].mean(0) - expected) / scale).abs().max() < 0.05
    free = (mixed[::2].flatten(1).mean(0) - mean) / density.stddev
    assert free.abs().max() < 0.05


@pytest.mark.parametrize("head", [MixtureHead, FlowMixtureHead])
def test_any_head_will_do_and_all_of_it_is_saved(head: type) -> None:
    model = small(head=head)
    model.initialise(torch.randn(100, 2) * 3 + 1)
    assert_state_is_complete(model)
    batch = Batch(torch.randn(2, 4, 2), torch.tensor([4, 3]))
    again = small(head=head)
    again.load_state_dict(model.state_dict())
    torch.testing.assert_close(again.log_prob(batch), model.log_prob(batch))
    assert generate(model, 2, 3).values.shape == (2, 3, 2)


def test_what_a_vrnn_cannot_do_is_refused() -> None:
    model = small()
    batch = Batch(torch.zeros(1, 2, 2), torch.tensor([2]))
    with pytest.raises(ValueError, match="reads no texts"):
        generate(model, 1, 2, text="a")
    with pytest.raises(ValueError, match="without missing features"):
        model.loss(batch._replace(observed=torch.ones(1, 2, 2, dtype=torch.bool)))
    with pytest.raises(ValueError, match="without missing features"):
        model.advance(None, observed=torch.ones(1, 2, dtype=torch.bool))
    for option, value in {"latent": 0, "hidden": 0, "layers": -1, "samples": 0}.items():
        with pytest.raises(ValueError, match=f"{option} must be at least"):
            small(**{option: value})
    with pytest.raises(ValueError, match="floor must be positive"):
        small(floor=0.0)
