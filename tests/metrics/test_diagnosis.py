"""All numbers of one density: against those of the single scores, and of missing features."""

import math
from typing import Any

import pytest
import torch
from torch.distributions import Distribution

from seqmdn.metrics import CRPS, INTERVALS, DensityDiagnosis, DensityReport, EnergyScore
from tests.metrics.known import D, by_conditionals, densities, mixture, normal

ONE = densities(40, 5)


def diagnosed(density: Distribution, value: torch.Tensor, *rest: Any) -> dict[str, Any]:
    found = DensityDiagnosis(density.event_shape[0], draws=60)
    found.update(density, value, *rest)
    return found.compute()


@pytest.mark.parametrize("name", ONE)
def test_scores_are_those_of_the_single_metrics(name: str) -> None:
    density: Any = ONE[name]
    value, mask = density.sample(), torch.rand(40, 5) < 0.7
    mask[:, 0] = True
    found = diagnosed(density, value.masked_fill(~mask.unsqueeze(-1), math.nan), mask)
    report = DensityReport(D, draws=60)
    report.update(density, value, mask)
    expected = report.compute()
    for name in ("crps", "energy_score"):
        assert found[name]["value"] == pytest.approx(expected[name], rel=1e-6)
        assert found[name]["stderr"] == pytest.approx(expected[f"{name}_stderr"], rel=1e-5)
    for interval, level in zip(found["intervals"], INTERVALS, strict=True):
        if level in expected["calibration"]["levels"]:
            place = expected["calibration"]["levels"].index(level)
            for kind in ("central", "highest_density"):
                assert interval[kind] == pytest.approx(expected["calibration"][kind][place])
    widths = expected["calibration"]["width_90"]
    assert found["features"]["width_90"] == pytest.approx(widths, rel=1e-6)
    counts = [each["counts"] for each in found["pit"]]
    assert counts == expected["calibration"]["pit"]["counts"]
    assert found["frames"] == int(mask.sum()) and found["values"] == D * int(mask.sum())


def test_the_truth_passes_and_others_do_not() -> None:
    density = mixture(120, 4)
    value = density.sample()
    found = diagnosed(density, value)
    assert found["uniformity"]["of"] == "rosenblatt" and found["uniformity"]["values"] == 480 * D
    assert found["uniformity"]["p_value"] > 0.001
    for interval in found["intervals"]:
        for kind in ("central", "highest_density"):
            assert abs(interval[kind] - interval["level"]) < 4 * interval[f"{kind}_stderr"]
    wrong = diagnosed(density.tempered(scale=0.25), value)
    assert wrong["uniformity"]["p_value"] < 1e-6
    assert all(each["central"] < each["level"] - 0.05 for each in wrong["intervals"])


def test_errors_are_of_the_mean_and_the_median() -> None:
    density = mixture(30, 4)
    value = density.sample()
    found = diagnosed(density, value)
    squared = (value - density.mean).square()
    absolute = (value - density.icdf(torch.tensor(0.5).double())).abs()
    assert found["rmse"]["value"] == pytest.approx(squared.mean().sqrt().item(), rel=1e-5)
    assert found["mae_of_median"]["value"] == pytest.approx(absolute.mean().item(), rel=1e-5)
    rmse = squared.flatten(0, 1).mean(0).sqrt()
    assert found["features"]["rmse"] == pytest.approx(rmse.tolist(), rel=1e-5)
    per_sequence = squared.mean((1, 2))
    error = per_sequence.std().item() / math.sqrt(30) / (2 * found["rmse"]["value"])
    assert found["rmse"]["stderr"] == pytest.approx(error, rel=1e-4)


def test_batches_add_up() -> None:
    density = mixture(20, 6)
    value = density.sample()
    whole = DensityDiagnosis(D, draws=60)
    whole.update(density, value)
    u = by_conditionals(density, value)
    twice = DensityDiagnosis(D, draws=60)
    for _ in range(2):
        twice.update(density, value)
    one, two = whole.compute(), twice.compute()
    assert two["frames"] == 2 * one["frames"]
    assert two["crps"]["value"] == pytest.approx(one["crps"]["value"], rel=1e-6)
    assert two["rosenblatt"]["counts"] == [2 * count for count in one["rosenblatt"]["counts"]]
    place = (20 * u).long().flatten().bincount(minlength=20)
    assert one["rosenblatt"]["counts"] == place.tolist()
    assert two["components"]["responsibility"] == pytest.approx(
        one["components"]["responsibility"], abs=2e-6
    )


def test_features_that_are_missing_are_judged_where_they_were_observed() -> None:
    density = mixture(40, 5)
    value, observed = density.sample(), torch.rand(40, 5, D) < 0.6
    found = diagnosed(density, value.where(observed, math.nan), None, observed)
    again = diagnosed(density, value, None, observed)
    assert found == again, "what is missing is not read"
    assert found["values"] == int(observed.sum())
    crps, energy = CRPS(draws=60), EnergyScore(draws=60)
    crps.update(density, value, None, None, observed)
    assert found["crps"]["value"] == pytest.approx(crps.compute().item(), rel=1e-6)
    energy.update(density, value, None, None, observed)
    assert found["energy_score"]["value"] == pytest.approx(energy.compute().item(), rel=0.05)
    assert found["components"] is None
    assert all(each["side"] is None for each in found["intervals"])
    assert found["rosenblatt"]["values"] == int(observed.sum())


def test_of_many_features_quantiles_are_those_of_the_draws() -> None:
    density = normal(30, 4, features=17)
    found = DensityDiagnosis(17, draws=400)
    found.update(density, density.sample())
    numbers = found.compute()
    assert numbers["exact"]["probabilities"] and not numbers["exact"]["quantiles"]
    for each, width in zip(numbers["intervals"], (1.349, 2.563, 3.290, 3.920), strict=True):
        assert each["width"] == pytest.approx(width, rel=0.02) and each["width"] != width
    expected = math.sqrt(2 / math.pi)  # of the absolute error of the median
    assert numbers["mae_of_median"]["value"] == pytest.approx(expected, abs=0.05)


def test_few_draws_and_no_frames_are_refused() -> None:
    with pytest.raises(ValueError, match="39 draws or more.*found 38"):
        DensityDiagnosis(1, draws=38)
    with pytest.raises(ValueError, match="call update before compute"):
        DensityDiagnosis(1).compute()
    density = normal(5, 2)
    with pytest.raises(ValueError, match="expected frames without NaN"):
        DensityDiagnosis(1).update(density, torch.full((5, 2, 1), math.nan))
