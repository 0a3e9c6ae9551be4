"""The report: its parts, its names, and what it finds of a known truth."""

import copy
import json
import math
from functools import partial

import pytest
import torch

from seqmdn.data import Transform
from seqmdn.distributions import Flowed
from seqmdn.metrics import (
    CRPS,
    DensityReport,
    EnergyScore,
    crps,
    energy_score,
    highest_density_level,
    pit,
)
from seqmdn.metrics.report import LEVELS
from tests.metrics.known import D, by_conditionals, densities, mixture, normal, standardise


def test_the_parts_are_those_of_the_metrics() -> None:
    density = mixture(40, 6)
    value, mask = density.sample(), torch.arange(6) < torch.randint(1, 7, (40, 1))
    report = DensityReport(D, draws=100, seed=4, bins=5)
    padded = value.masked_fill(~mask.unsqueeze(-1), math.nan)
    state = torch.get_rng_state()
    for part in (slice(0, 10), slice(10, 40)):
        report.update(_part(density, part), padded[part], mask[part])
    assert torch.equal(torch.get_rng_state(), state)
    found = report.compute()
    assert json.loads(json.dumps(found)) == found
    exact = CRPS()
    exact.update(density, padded, mask)
    assert found["crps"] == pytest.approx(float(exact.compute()), rel=1e-5)
    assert found["crps_stderr"] == pytest.approx(float(exact.stderr()), rel=1e-4)
    assert found["crps_per_sequence"] == pytest.approx(exact.values().tolist(), rel=1e-5)
    assert found["crps_estimator"] == "exact"
    energy = energy_score(density.sample((500,)), value)[mask].mean().item()
    assert found["energy_score"] == pytest.approx(energy, rel=0.05)
    assert len(found["energy_score_per_sequence"]) == 40
    calibration = found["calibration"]
    assert calibration["levels"] == list(LEVELS) and calibration["draws"] == 100
    assert found["coverage_90"] == calibration["central"][LEVELS.index(0.9)]
    u = pit(density, value)[mask]
    held = ((2 * u - 1).abs() <= 0.9).double().mean().item()
    assert found["coverage_90"] == pytest.approx(held, abs=1e-6)
    counts = [torch.histc(u[:, d].float(), 5, 0, 1).int().tolist() for d in range(D)]
    assert calibration["pit"]["counts"] == counts and calibration["pit_estimator"] == "exact"
    rosenblatt = by_conditionals(density, value)[mask]
    counts = [torch.histc(rosenblatt[:, d].float(), 5, 0, 1).int().tolist() for d in range(D)]
    assert calibration["rosenblatt"]["counts"] == counts
    assert len(calibration["width_90"]) == D


@pytest.mark.parametrize("name", densities())
def test_the_truth_is_found_calibrated(name: str) -> None:
    density = densities(300, 5)[name]
    report = DensityReport(D, draws=30)
    report.update(density, density.sample())
    found = report.compute()
    exact = name not in ("logit", "flow")
    assert found["crps_estimator"] == ("exact" if exact else "draws")
    calibration = found["calibration"]
    assert calibration["pit_estimator"] == ("draws" if name == "flow" else "exact")
    for kind in ("central", "highest_density"):
        errors = calibration[f"{kind}_stderr"]
        for level, share, error in zip(LEVELS, calibration[kind], errors, strict=True):
            assert abs(share - level) < 4 * error + 1e-3, (kind, level, share, error)
    bound = (
        calibration["pit"]["distance_by_chance"]
        + 4 * (calibration["pit"]["distance_by_chance_std"])
    )
    assert max(calibration["pit"]["distance"]) < bound
    assert found["coverage_90_stderr"] < 0.02
    assert ("rosenblatt" in calibration) == hasattr(density, "rosenblatt")
    assert max(calibration.get("rosenblatt", calibration["pit"])["distance"]) < bound


@pytest.mark.parametrize(("scale", "sign"), [(0.8, -1), (1.25, 1)])
def test_a_wrong_width_is_found_with_its_sign(scale: float, sign: int) -> None:
    report = DensityReport(1, draws=30)
    report.update(normal(400, 5, scale=scale), torch.randn(400, 5, 1))
    found = report.compute()
    assert sign * (found["coverage_90"] - 0.9) > 3 * found["coverage_90_stderr"]
    calibration = found["calibration"]
    assert max(calibration["pit"]["distance"]) > calibration["pit"]["distance_by_chance"]
    (counts,) = calibration["pit"]["counts"]
    ends, middle = counts[0] + counts[-1], counts[9] + counts[10]
    assert sign * (middle - ends) > 100, "a hump, or a U"
    assert calibration["width_90"] == pytest.approx([3.2897 * scale], rel=1e-4)


def test_draws_are_those_of_the_seed_and_too_few_are_refused() -> None:
    density = densities(20, 3)["flow"]
    value = density.sample()
    found = []
    for seed in (0, 0, 1):
        report = DensityReport(D, draws=19, seed=seed)
        report.update(density, value)
        report.update(density, value)
        found.append(report.compute())
    assert found[0] == found[1] and found[0]["crps"] != found[2]["crps"]
    twice = found[0]["crps_per_sequence"]
    assert twice[:20] != twice[20:], "every update draws anew"
    with pytest.raises(ValueError, match="19 draws or more.*found 18"):
        DensityReport(D, draws=18)
    with pytest.raises(ValueError, match="found one in frame"):
        report.update(density, value.masked_fill(value > 0, math.nan))
    assert crps(mixture(2), mixture(2).sample()).shape == (2, D)


def _part(
    density: torch.distributions.Distribution, part: slice
) -> torch.distributions.Distribution:
    whole = density.component_distribution
    components = type(whole)(whole.loc[part], whole.diagonal[part], whole.factor[part])
    logits = density.mixture_distribution.logits[part]
    return type(density)(torch.distributions.Categorical(logits=logits), components)


@pytest.mark.parametrize("name", ["gaussian", "mixture", "factorised", "standardised", "logit"])
def test_of_what_was_observed_it_is_the_report_of_the_marginals(name: str) -> None:
    # Sequences that all miss the same features, which the marginal of the others scores whole.
    density, seen = densities(30, 4)[name], [0, 2]
    value = density.sample()
    observed = torch.zeros(30, 4, D, dtype=torch.bool)
    observed[..., seen] = True
    holed = value.where(observed, math.nan)
    whole = DensityReport(D, draws=400)
    whole.update(density, holed, None, observed)
    found, rows = whole.compute(), whole.compute()["calibration"]
    alone = DensityReport(2, draws=400)
    base = density.base if name in ("standardised", "logit") else density
    seen_of = base.marginal(seen)
    if base is not density:
        part = transform_of(density, seen)
        seen_of = Flowed(seen_of, part)
    alone.update(seen_of, value[..., seen])
    expected = alone.compute()
    close = partial(pytest.approx, rel=1e-4, abs=1e-6)
    assert found["crps_estimator"] == expected["crps_estimator"]
    if found["crps_estimator"] == "exact":
        assert found["crps"] == close(expected["crps"])
        assert found["crps_per_sequence"] == close(expected["crps_per_sequence"])
        assert found["crps_stderr"] == close(expected["crps_stderr"])
    else:
        assert found["crps"] == pytest.approx(expected["crps"], rel=0.03)
    assert found["coverage_90"] == close(expected["coverage_90"])
    for key in ("pit", "rosenblatt"):
        counts = expected["calibration"][key]["counts"]
        assert [rows[key]["counts"][d] for d in seen] == counts, key
        assert sum(rows[key]["counts"][1]) == 0 and rows[key]["distance"][1] is None
        assert rows[key]["distance_by_chance"] == expected["calibration"][key]["distance_by_chance"]
    # By other draws, so close to each other only.
    assert found["energy_score"] == pytest.approx(expected["energy_score"], rel=0.03)
    regions = zip(rows["highest_density"], expected["calibration"]["highest_density"], strict=True)
    assert all(abs(mine - theirs) < 0.06 for mine, theirs in regions)


def test_patterns_that_differ_from_frame_to_frame_are_scored_one_by_one() -> None:
    density = densities(12, 5)["standardised"]
    value, observed = density.sample(), torch.rand(12, 5, D) < 0.6
    mask = torch.arange(5) < torch.randint(1, 6, (12, 1))
    observed[3] = False  # a sequence of which nothing was observed
    observed[4, 0] = False
    samples = density.sample((60,))
    holed = value.where(observed & mask.unsqueeze(-1), math.nan)
    base, affine = density.base, density.transform
    z, drawn = affine(value), affine(samples.flatten(0, 1)).unflatten(0, (60, 12))
    crps_metric, energy = CRPS(), EnergyScore()
    crps_metric.update(density, holed, mask, samples, observed)
    energy.update(density, holed, mask, samples, observed)
    scores, distances, levels = [], [], []
    torch.manual_seed(0)
    level = highest_density_level(density, value, samples, observed)
    for i in range(12):
        own: list[torch.Tensor] = []
        for t in range(5):
            seen = observed[i, t].nonzero()[:, 0].tolist()
            if not mask[i, t] or not seen:
                continue
            part = base.marginal(seen)
            slope = standardise().std[seen].double()
            own += [(crps(part, z[..., seen]) * slope)[i, t]]
            points = samples[:, i, t][:, seen]
            distances.append(energy_score(points, value[i, t, seen]))
            denser = part.log_prob(drawn[..., seen]) > part.log_prob(z[..., seen])
            levels.append((level[i, t] * 61 - denser.sum(0)[i, t]).item())
        if own:
            assert crps_metric.values()[i] == pytest.approx(torch.cat(own).mean().item(), rel=1e-5)
        else:
            assert crps_metric.values()[i].isnan() and energy.values()[i].isnan()
        scores += own
    assert crps_metric.compute() == pytest.approx(torch.cat(scores).mean().item(), rel=1e-5)
    assert energy.compute() == pytest.approx(torch.stack(distances).mean().item(), rel=1e-5)
    assert all(0 <= u <= 1 for u in levels), "a rank and its random part"
    assert torch.equal(level.isnan(), ~observed.any(-1))
    report = DensityReport(D, draws=30)
    report.update(density, holed, mask, observed)
    found = report.compute()
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["crps_per_sequence"][3] is None and found["energy_score_per_sequence"][3] is None
    assert found["crps"] == pytest.approx(float(crps_metric.compute()), rel=1e-5)
    counted = (observed & mask.unsqueeze(-1)).sum((0, 1)).tolist()
    assert [sum(row) for row in found["calibration"]["pit"]["counts"]] == counted
    assert [sum(row) for row in found["calibration"]["rosenblatt"]["counts"]] == counted


def test_the_truth_is_found_calibrated_where_features_are_missing() -> None:
    density = densities(400, 5)["logit"]
    report = DensityReport(D, draws=30)
    report.update(density, density.sample(), None, torch.rand(400, 5, D) < 0.5)
    calibration = report.compute()["calibration"]
    for kind in ("central", "highest_density"):
        errors = calibration[f"{kind}_stderr"]
        for level, share, error in zip(LEVELS, calibration[kind], errors, strict=True):
            assert abs(share - level) < 4 * error + 1e-3, (kind, level, share, error)
    for key in ("pit", "rosenblatt"):
        found = calibration[key]
        bound = found["distance_by_chance"] + 4 * found["distance_by_chance_std"]
        assert max(found["distance"]) < bound, key


def test_a_flow_has_no_marginals_to_score() -> None:
    density = densities(20, 3)["flow"]
    observed = torch.ones(20, 3, D, dtype=torch.bool)
    observed[0, 0, 0] = False
    with pytest.raises(NotImplementedError, match="not closed under a flow"):
        DensityReport(D, draws=19).update(density, density.sample(), None, observed)


def transform_of(density: Flowed, seen: list[int]) -> Transform:
    """The same map of some features, each by itself."""
    whole = copy.deepcopy(density.transform)
    for module in whole.modules():
        for name, buffer in list(module.named_buffers(recurse=False)):
            setattr(module, name, buffer[seen])
    return whole
