"""The report: its parts, its names, and what it finds of a known truth."""

import json
import math

import pytest
import torch

from seqmdn.metrics import CRPS, DensityReport, crps, energy_score, pit
from seqmdn.metrics.report import LEVELS
from tests.metrics.known import D, by_conditionals, densities, mixture, normal


def test_the_parts_are_those_of_the_metrics() -> None:
    density = mixture(40, 6)
    value, mask = density.sample(), torch.arange(6) < torch.randint(1, 7, (40, 1))
    report = DensityReport(D, draws=100, seed=4, bins=5, rosenblatt=by_conditionals)
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
