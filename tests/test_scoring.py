"""Scores of a whole model: their units, and what they find of data whose truth is the model."""

import math
from functools import partial

import pytest
import torch
from torch import Tensor, nn

from seqmdn import scoring
from seqmdn.backbones import LSTMBackbone
from seqmdn.data import Batch, Logit, Standardise
from seqmdn.generation import generate
from seqmdn.heads import FlowMixtureHead, MixtureHead
from seqmdn.metrics import crps
from seqmdn.models import SequenceModel
from seqmdn.scoring import score_densities
from tests.contracts import perturbed
from tests.metrics.known import by_conditionals

D = 2


def build(
    head: str = "rmdn", transform: str = "standardise", missing: bool = False
) -> SequenceModel:
    """A model whose densities depend on the past; data lie between 0 and 20."""
    torch.manual_seed(0)
    heads = {
        "rmdn": partial(MixtureHead, components=3, covariance="lowrank", rank=1),
        "frmdn": partial(FlowMixtureHead, components=2),
    }
    transforms = {"standardise": Standardise, "logit": partial(Logit, low=0.0, high=20.0)}
    model = SequenceModel(
        D,
        backbone=partial(LSTMBackbone, hidden=8),
        head=heads[head],
        transform=transforms[transform],
        missing=missing,
    )
    model.initialise(5 + 10 * torch.rand(200, D))
    perturbed(model.backbone, 0.3)
    perturbed(model.head, 0.1)
    return model.eval()


def real(model: SequenceModel, count: int = 12, **options: float) -> Batch:
    """Sequences of 4 to 9 frames that the model has drawn."""
    batch = generate(model, count, 9, seed=1, **options)
    return batch._replace(lengths=torch.arange(count) % 6 + 4)


@pytest.mark.parametrize("transform", ["standardise", "logit"])
def test_of_frames_with_missing_features_the_marginals_are_scored(transform: str) -> None:
    model = build(transform=transform, missing=True)
    values = 5 + 10 * torch.rand(6, 5, D)
    observed = torch.rand(6, 5, D) < 0.6
    observed[2], observed[3, 1] = False, False
    lengths = torch.tensor([5, 4, 3, 5, 2, 1])
    batch = Batch(values.where(observed, math.nan), lengths, observed=observed)
    found = score_densities(model, [batch], draws=400).compute()
    assert found["crps_estimator"] == ("exact" if transform == "standardise" else "draws")
    # Step by step, from the marginal of what each frame shows.
    scores, counts, previous, seen, state = [], torch.zeros(D, 20), None, None, None
    with torch.no_grad():
        for t in range(5):
            density, state = model.step(previous, state=state, batch_size=6, observed=seen)
            z, _ = model.transform.call_and_ladj(batch.values[:, t], observed[:, t])
            for i in range(6):
                known = observed[i, t].nonzero()[:, 0].tolist()
                if t >= lengths[i] or not known:
                    continue
                part = density.marginal(known)
                if transform == "standardise":
                    slope = model.transform.std[known]
                    scores.append((crps(part, z[:, known].expand(6, -1)) * slope)[i])
                for place, d in enumerate(known):
                    level = by_conditionals(part, z[:, known])[i, place]
                    counts[d, int(level * 20)] += 1
            previous, seen = z, observed[:, t]
    assert found["calibration"]["rosenblatt"]["counts"] == counts.long().tolist()
    held = observed & batch.mask().unsqueeze(-1)
    assert (
        torch.tensor(found["calibration"]["pit"]["counts"]).sum(1).tolist()
        == held.sum((0, 1)).tolist()
    )
    if scores:
        expected = torch.cat(scores).mean().item()
        assert found["crps"] == pytest.approx(expected, rel=1e-4)
    assert found["crps_per_sequence"][2] is None and found["crps_per_sequence"][3] is not None
    assert 0 < found["energy_score"] < 20 and math.isfinite(found["energy_score_stderr"])


def test_a_model_that_is_the_truth_is_found_calibrated_by_what_it_shows() -> None:
    # Of draws that hide a part, the model sees the part only: so did the model that drew them.
    model = build(missing=True)
    whole = real(model, 400)
    observed = torch.rand(whole.values.shape) < 0.5
    # After a hidden frame the draws know more than the model, so all but the last are whole.
    last = torch.arange(9) == whole.lengths.unsqueeze(1) - 1
    observed = observed | ~last.unsqueeze(-1)
    found = score_densities(model, [whole._replace(observed=observed)], draws=30).compute()
    calibration = found["calibration"]
    for kind in ("central", "highest_density"):
        shares = zip(calibration["levels"], calibration[kind], strict=True)
        for (level, share), error in zip(shares, calibration[f"{kind}_stderr"], strict=True):
            assert abs(share - level) < 4 * error + 1e-3, (kind, level, share, error)
    for key in ("pit", "rosenblatt"):
        row = calibration[key]
        chance = row["distance_by_chance"] + 4 * row["distance_by_chance_std"]
        assert max(row["distance"]) < chance, key


def test_scores_are_those_of_the_steps_in_the_datas_unit() -> None:
    model = build()
    batch = real(model)
    padding = (~batch.mask()).unsqueeze(-1)
    padded = batch._replace(values=batch.values.masked_fill(padding, math.nan))
    found = score_densities(model, [padded]).compute()
    z, _ = model.transform.call_and_ladj(batch.values)
    total, frames, previous, state = torch.zeros(()), 0, None, None
    with torch.no_grad():
        for t in range(9):
            density, state = model.step(previous, state=state, batch_size=12)
            score = crps(density, z[:, t]) * model.transform.std
            total += score.mean(-1)[t < batch.lengths].sum()
            frames += int((t < batch.lengths).sum())
            previous = z[:, t]
    assert found["crps"] == pytest.approx(float(total) / frames, rel=1e-4)
    assert found["crps_estimator"] == "exact" and len(found["crps_per_sequence"]) == 12
    counts = torch.tensor(found["calibration"]["pit"]["counts"])
    assert counts.sum(1).tolist() == [frames] * D


def test_burn_in_is_seen_but_not_scored() -> None:
    model = build()
    batch = real(model)
    start = torch.arange(12) % 3
    every = score_densities(model, [batch]).compute()
    some = score_densities(model, [batch._replace(start=start)]).compute()
    counted = sum(some["calibration"]["pit"]["counts"][0])
    assert counted == int((batch.lengths - start).sum())
    assert some["crps_per_sequence"][0] == pytest.approx(every["crps_per_sequence"][0])
    assert some["crps_per_sequence"][1] != every["crps_per_sequence"][1]


@pytest.mark.parametrize("head", ["rmdn", "frmdn"])
def test_the_unit_is_that_of_the_data(head: str) -> None:
    model = build(head)
    batch = real(model)
    found = score_densities(model, [batch], draws=40).compute()
    model.transform.mean.mul_(1000)
    model.transform.std.mul_(1000)
    moved = batch._replace(values=1000 * batch.values)
    other = score_densities(model, [moved], draws=40).compute()
    for key in ("crps", "energy_score"):
        assert other[key] == pytest.approx(1000 * found[key], rel=1e-3)
    widths = [1000 * width for width in found["calibration"]["width_90"]]
    assert other["calibration"]["width_90"] == pytest.approx(widths, rel=1e-3)
    assert other["coverage_90"] == pytest.approx(found["coverage_90"], abs=0.02)
    assert found["crps_estimator"] == {"rmdn": "exact", "frmdn": "draws"}[head]
    assert found["calibration"]["pit_estimator"] == found["crps_estimator"]


def test_after_a_logit_the_crps_is_by_draws_and_the_pit_exact() -> None:
    model = build(transform="logit")
    batch = real(model, 40)
    found = score_densities(model, [batch], draws=300).compute()
    assert found["crps_estimator"] == "draws"
    assert found["calibration"]["pit_estimator"] == "exact"
    # The integral over the distribution function, in the data's unit.
    grid = torch.linspace(0, 20, 4002)[1:-1]
    with torch.no_grad():
        density, mask = model.distributions(batch)
        total = torch.zeros(40, 9, D)
        for y in grid:
            z = model.transform(y.expand(D))
            below = density.cdf(z.expand(40, 9, D))
            total += (below - (y >= batch.values).float()).square() * (20 / 4001)
    expected = total.mean(-1)[mask].mean().item()
    assert found["crps"] == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize("transform", ["standardise", "logit"])
@pytest.mark.parametrize("head", ["rmdn", "frmdn"])
def test_a_model_that_is_the_truth_is_found_calibrated(head: str, transform: str) -> None:
    model = build(head, transform)
    found = score_densities(model, [real(model, 400)], draws=30).compute()
    calibration = found["calibration"]
    for kind in ("central", "highest_density"):
        shares = zip(calibration["levels"], calibration[kind], strict=True)
        for (level, share), error in zip(shares, calibration[f"{kind}_stderr"], strict=True):
            assert abs(share - level) < 4 * error + 1e-3, (kind, level, share, error)
    pit = calibration["pit"]
    assert max(pit["distance"]) < pit["distance_by_chance"] + 4 * pit["distance_by_chance_std"]


@pytest.mark.parametrize(("scale", "sign"), [(2.0, -1), (0.5, 1)])
def test_a_truth_of_another_width_is_found_with_its_sign(scale: float, sign: int) -> None:
    model = build("frmdn")
    found = score_densities(model, [real(model, 400, scale=scale)], draws=30).compute()
    assert sign * (found["coverage_90"] - 0.9) > 4 * found["coverage_90_stderr"]
    regions = zip(*(found["calibration"][k] for k in ("levels", "highest_density")), strict=True)
    assert all(sign * (share - level) > 0 for level, share in regions)


def test_batches_are_taken_apart_without_changing_what_is_exact(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = build()
    batch = real(model)
    batch = batch._replace(start=torch.ones(12, dtype=torch.long))
    whole = score_densities(model, [batch], draws=20).compute()
    seen: list[int] = []
    predict = model.distributions
    monkeypatch.setattr(
        model, "distributions", lambda b: (seen.append(len(b.values)), predict(b))[1]
    )
    monkeypatch.setattr(scoring, "_VALUES", 5 * 20 * 9 * D)
    parts = score_densities(model, [batch], draws=20).compute()
    assert seen == [5, 5, 2]
    assert parts["crps_per_sequence"] == pytest.approx(whole["crps_per_sequence"], rel=1e-5)
    assert parts["calibration"]["pit"] == whole["calibration"]["pit"]
    assert parts["energy_score"] == pytest.approx(whole["energy_score"], rel=0.1)
    monkeypatch.setattr(scoring, "_VALUES", 1)
    seen.clear()
    score_densities(model, [batch], draws=20)
    assert seen == [1] * 12


def test_what_has_no_frames_is_refused() -> None:
    class Plain(nn.Module):
        def loss(self, batch: Batch) -> Tensor:
            return torch.zeros(())

    with pytest.raises(ValueError, match="a Plain has no density of single frames"):
        score_densities(Plain(), [])  # type: ignore[arg-type]
    model = build()
    with pytest.raises(ValueError, match="19 draws or more"):
        score_densities(model, [real(model)], draws=5)
    with pytest.raises(ValueError, match="expected a batch to score, found none"):
        score_densities(build(), [])
