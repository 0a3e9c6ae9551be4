from __future__ import annotations

import numpy as np
import pytest
import scoringrules
import torch

from seqmdn.metrics import energy, energy_score


@pytest.mark.parametrize("features", [1, 3])
def test_energy_score_equals_scoringrules(features: int) -> None:
    samples = torch.randn(40, 5, 2, features, dtype=torch.float64)
    value = torch.randn(5, 2, features, dtype=torch.float64)
    found = energy_score(samples, value)
    assert found.shape == (5, 2)
    expected = scoringrules.es_ensemble(
        value.numpy(), samples.movedim(0, -2).numpy(), estimator="fair"
    )
    np.testing.assert_allclose(found.numpy(), expected)


def test_energy_score_is_unbiased() -> None:
    # The mean over pairs of draws is the score of their distribution: the CRPS of a normal at 0.
    samples = torch.randn(2, 200_000, 1, dtype=torch.float64)
    scores = energy_score(samples, torch.zeros(200_000, 1, dtype=torch.float64))
    expected = scoringrules.crps_normal(0.0, 0.0, 1.0)
    assert scores.mean().item() == pytest.approx(expected, abs=5 * scores.std().item() / 447)


def test_energy_score_of_close_draws_keeps_its_digits() -> None:
    samples = 1000 + 1e-2 * torch.randn(50, 4)
    found = energy_score(samples, torch.full((4,), 1000.0))
    exact = energy_score(samples.double(), torch.full((4,), 1000.0).double())
    assert found.item() == pytest.approx(exact.item(), rel=1e-3)


def test_energy_score_refuses() -> None:
    with pytest.raises(ValueError, match=r"S >= 2.*found \(1, 3\) and \(3,\)"):
        energy_score(torch.zeros(1, 3), torch.zeros(3))
    with pytest.raises(ValueError, match=r"found \(5, 3\) and \(2,\)"):
        energy_score(torch.zeros(5, 3), torch.zeros(2))


def test_energy_score_does_not_depend_on_how_much_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    samples, value = torch.randn(20, 7, 3, 4), torch.randn(7, 3, 4)
    whole = energy_score(samples, value)
    for values in (1, 20**2 * 5):
        monkeypatch.setattr(energy, "_VALUES", values)
        torch.testing.assert_close(energy_score(samples, value), whole)


def test_what_is_missing_is_left_out_of_every_distance() -> None:
    samples, value = torch.randn(20, 4, 3), torch.randn(4, 3)
    observed = torch.tensor([[1, 1, 1], [1, 0, 1], [0, 1, 0], [0, 0, 0]]).bool()
    found = energy_score(samples, value.where(observed, torch.nan), observed)
    for i in range(4):
        seen = observed[i]
        expected = energy_score(samples[:, i, seen], value[i, seen]) if seen.any() else 0 * found[i]
        torch.testing.assert_close(found[i], expected)
    with pytest.raises(ValueError, match=r"observed boolean \(4, 3\); found torch.bool .* \(3,\)"):
        energy_score(samples, value, observed[0])
