"""Forecasts: against a law of k steps in closed form, and by what they must not look at."""

import math
from functools import partial

import numpy as np
import pytest
import scoringrules
import torch
from torch import Tensor
from torch.distributions import MultivariateNormal

from seqmdn import forecasting
from seqmdn.backbones import LSTMBackbone
from seqmdn.data import Batch, Logit, Standardise
from seqmdn.forecasting import Forecasts, forecast
from seqmdn.generation import generate
from seqmdn.heads import FlowMixtureHead, MixtureHead
from seqmdn.models import VRNN, SequenceModel, WorldModel
from tests.contracts import perturbed
from tests.models.linear import D, H, LinearBackbone, affine

X, GIVEN = 2, 4


def linear() -> SequenceModel:
    """One Gaussian whose mean is affine in all that was before, and whose variance is constant."""
    torch.manual_seed(1)
    head = partial(MixtureHead, components=1)
    model = SequenceModel(D, X, LinearBackbone, head, Standardise).double()
    model.transform.fit(5 + torch.tensor([1.0, 4.0, 0.2]) * torch.randn(500, D))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(0.4 * torch.randn(parameter.shape))
        model.head.projection.weight[-D:] = 0
    return model.eval()


def law(model: SequenceModel, batch: Batch, origin: int, k: int) -> tuple[Tensor, Tensor]:
    """Mean and covariance of the frame k steps ahead, in the transform's units."""
    of_inputs = affine(model.backbone.now, D + X)
    of_h = affine(lambda h: 0.5 * model.backbone.before(h), H)
    to_mean = affine(lambda h: model.head(h).component_distribution.loc[..., 0, :], H)
    noise = model.head(torch.zeros(H).double()).component_distribution.variance[0].diag()
    z, context = model.transform(batch.values[0]), batch.context[0]
    first = origin - GIVEN
    mean_h, mean_y = torch.zeros(H).double(), model.start.detach()
    # (h, y) together are Gaussian; before the forecast both are known.
    covariance = torch.zeros(H + D, H + D).double()
    for t in range(first, origin + k):
        inputs = torch.cat((mean_y, context[t]))
        mean_h = of_h[0] @ mean_h + of_h[1] + of_inputs[0] @ inputs + of_inputs[1]
        mean_y = to_mean[0] @ mean_h + to_mean[1]
        step = torch.cat((of_h[0], of_inputs[0][:, :D]), dim=1)  # of (h, y) before to h
        both = torch.cat((step, to_mean[0] @ step))
        covariance = both @ covariance @ both.T
        covariance[H:, H:] += noise
        if t < origin:
            mean_y, covariance = z[t], torch.zeros_like(covariance)
    return mean_y, covariance[H:, H:].detach()


@pytest.fixture(scope="module")
def walks() -> Batch:
    torch.manual_seed(2)
    model = linear()
    context = torch.randn(1, 12, X).double()
    drawn = generate(model, 1, 12, context=context)
    return Batch(drawn.values, torch.tensor([12]), context)


def test_log_probs_are_those_of_the_law_of_k_steps(walks: Batch) -> None:
    model, horizons = linear(), (1, 2, 5)
    found = forecast(model, [walks], horizons, given=GIVEN, every=3, draws=3000)
    assert found.origin.tolist() == [4, 7] and found.sequence.tolist() == [0, 0]
    assert found.horizons == horizons and found.log_prob.dtype == torch.float64
    for row, origin in enumerate((4, 7)):
        for column, k in enumerate(horizons):
            mean, covariance = law(model, walks, origin, k)
            real = model.transform(walks.values[0, origin + k - 1])
            expected = MultivariateNormal(mean, covariance).log_prob(real)
            expected = float(expected) + model.transform.ladj()
            tolerance = 1e-9 if k == 1 else 0.08
            assert float(found.log_prob[row, column]) == pytest.approx(expected, abs=tolerance)


def test_energy_scores_are_those_of_the_law(walks: Batch) -> None:
    model, horizons = linear(), (1, 4)
    found = forecast(model, [walks], horizons, given=GIVEN, every=3, draws=1500)
    for row, origin in enumerate(found.origin.tolist()):
        for column, k in enumerate(horizons):
            mean, covariance = law(model, walks, origin, k)
            drawn = model.transform.inverse(MultivariateNormal(mean, covariance).sample((1500,)))
            real = walks.values[0, origin + k - 1].numpy()
            expected = scoringrules.es_ensemble(real, drawn.numpy(), estimator="fair")
            assert float(found.energy[row, column]) == pytest.approx(float(expected), rel=0.08)


def test_more_draws_raise_the_bound(walks: Batch) -> None:
    model = linear()
    means = []
    for draws in (2, 200):
        every = [
            forecast(model, [walks], (5,), GIVEN, 1, draws, seed).log_prob.mean()
            for seed in range(12)
        ]
        means.append(float(torch.stack(every).mean()))
    origins = range(GIVEN, 12 - 5 + 1)
    exact = []
    for origin in origins:
        mean, covariance = law(model, walks, origin, 5)
        real = model.transform(walks.values[0, origin + 4])
        exact.append(float(MultivariateNormal(mean, covariance).log_prob(real)))
    limit = float(np.mean(exact)) + model.transform.ladj()
    assert means[0] + 0.02 < means[1] < limit + 0.05


def test_one_step_ahead_it_is_the_models_own_density() -> None:
    for transform in (Standardise, partial(Logit, low=-30.0, high=30.0)):
        torch.manual_seed(0)
        model = SequenceModel(
            2, backbone=partial(LSTMBackbone, hidden=8), head=FlowMixtureHead, transform=transform
        ).eval()
        values = 3 * torch.randn(2, 9, 2)
        model.initialise(values.flatten(0, 1))
        perturbed(model, 0.2)
        batch = Batch(values, torch.tensor([9, 6]))
        found = forecast(model, [batch], (1,), given=5, every=4, draws=2)
        whole = model.frame_log_prob(batch)
        assert list(zip(found.sequence.tolist(), found.origin.tolist(), strict=True)) == [
            (0, 5),
            (1, 5),
        ]
        torch.testing.assert_close(found.log_prob[:, 0].float(), whole[:, 5].detach())


def world() -> WorldModel:
    torch.manual_seed(0)
    head = partial(MixtureHead, components=2)
    model = WorldModel(5, 1, latents=3, backbone=partial(LSTMBackbone, hidden=8), head=head)
    values = torch.cat((5 + 2 * torch.randn(300, 4), (torch.rand(300, 1) < 0.4).float()), dim=1)
    model.initialise(values)
    return perturbed(model, 0.2).eval()


def rollouts(time: int = 12) -> Batch:
    values = torch.cat((5 + 2 * torch.randn(2, time, 4), torch.zeros(2, time, 1)), dim=-1)
    return Batch(values, torch.tensor([time, time - 1]), torch.randn(2, time, 1))


def test_of_a_world_the_latents_are_judged_whatever_is_behind_them_and_after() -> None:
    model, batch = world(), rollouts()
    found = forecast(model, [batch], (1, 3), given=4, every=50, draws=50)
    part = model.part_log_prob(batch)["latents"]
    torch.testing.assert_close(found.log_prob[:, 0].float(), part[:, 4].detach())
    # Neither the frames between, nor rewards and ends there, nor what comes after, are looked at.
    other = batch.values.clone()
    other[:, 4:, 3:] = torch.tensor([9.0, 1.0])
    other[:, 4:6] = 99.0
    other[:, 7:] = torch.nan
    again = forecast(model, [batch._replace(values=other)], (1, 3), given=4, every=50, draws=50)
    assert torch.equal(again.log_prob[:, 1], found.log_prob[:, 1])
    assert (again.log_prob[:, 0] != found.log_prob[:, 0]).all()
    # The context is: that of the frame itself, and of those between.
    for t in (4, 5, 6):
        moved = batch.context.clone()
        moved[:, t] += 1
        changed = forecast(model, [batch._replace(context=moved)], (1, 3), 4, 50, draws=50)
        assert (changed.log_prob[:, 1] != again.log_prob[:, 1]).all()
    moved = batch.context.clone()
    moved[:, 7:] += 1
    same = forecast(model, [batch._replace(context=moved)], (1, 3), 4, 50, draws=50)
    assert torch.equal(same.log_prob, found.log_prob)


def test_drawn_pasts_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    model, seen = world(), []
    advance = model.advance

    def spy(previous: Tensor | None, *rest: object, **options: object) -> object:
        seen.append(previous)
        return advance(previous, *rest, **options)

    monkeypatch.setattr(model, "advance", spy)
    forecast(model, [rollouts()], (6,), given=4, every=50, draws=40)
    drawn = [frame for frame in seen if frame is not None and len(frame) == 40]
    assert drawn and all((frame[:, -1] == 0).all() for frame in drawn)
    assert all(frame.isfinite().all() for frame in drawn)


def test_what_is_held_at_a_time_and_the_mode_change_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model, batch = world(), rollouts()
    before = torch.get_rng_state()
    whole = forecast(model, [batch], (1, 2), given=4, every=2, draws=20)
    assert torch.equal(before, torch.get_rng_state())
    again = forecast(model, [batch.part(0, 1), batch.part(1, 2)], (1, 2), 4, 2, draws=20)
    assert torch.equal(whole.log_prob, again.log_prob) and torch.equal(whole.energy, again.energy)
    other = forecast(model, [batch], (1, 2), 4, 2, draws=20, seed=1)
    assert torch.equal(other.log_prob[:, 0], whole.log_prob[:, 0])
    assert (other.log_prob[:, 1] != whole.log_prob[:, 1]).all()
    largest = []
    step = model.head.forward
    monkeypatch.setattr(forecasting, "_ROWS", 40)
    monkeypatch.setattr(model.head, "forward", lambda h: (largest.append(len(h)), step(h))[1])
    small = forecast(model, [batch], (1, 2), 4, 2, draws=20)
    assert max(largest) == 40
    torch.testing.assert_close(small.log_prob[:, 0], whole.log_prob[:, 0])


def test_means_are_taken_over_the_origins_of_each_sequence() -> None:
    scores = torch.tensor([[1.0, 10.0], [3.0, 30.0], [7.0, 70.0]])
    found = Forecasts((1, 5), scores, -scores, torch.tensor([0, 0, 2]), torch.tensor([60, 110, 60]))
    assert found.per_sequence(scores).tolist() == [[2.0, 20.0], [7.0, 70.0]]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"horizons": ()}, r"horizons must rise from 1 or more, each once, found \[\]"),
        ({"horizons": (0, 1)}, "horizons must rise"),
        ({"horizons": (5, 1)}, "horizons must rise"),
        ({"given": 0}, "given must be at least 1, found 0"),
        ({"every": 0}, "every must be at least 1, found 0"),
        ({"draws": 1}, "draws must be at least 2, found 1"),
        ({"horizons": (9,)}, "of 4 given frames and 9 more, found none"),
    ],
)
def test_what_does_not_fit_is_refused(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        forecast(world(), [rollouts()], **({"horizons": (1,), "given": 4} | options))


def test_models_and_data_that_have_no_forecast_are_refused() -> None:
    with pytest.raises(ValueError, match="a VRNN has no density of single frames"):
        forecast(VRNN(5, 1), [rollouts()])
    batch = rollouts()
    for more in (
        {"observed": torch.ones_like(batch.values, dtype=torch.bool)},
        {"text": torch.ones(2, 3, dtype=torch.int64)},
    ):
        with pytest.raises(ValueError, match="without missing features and texts"):
            forecast(world(), [batch._replace(**more)], (1,), given=4)
    assert math.isfinite(float(forecast(world(), [batch], (1,), given=4).energy.sum()))
