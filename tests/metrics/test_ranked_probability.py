from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
import scoringrules
import torch
from scipy import integrate, stats
from torch.utils._python_dispatch import TorchDispatchMode

from seqmdn.metrics import crps_mixture, crps_samples, energy_score, ranked_probability


def test_crps_mixture_equals_scoringrules() -> None:
    weights = torch.softmax(torch.randn(6, 2, 4, dtype=torch.float64), dim=-1)
    loc = 3 * torch.randn(6, 2, 4, dtype=torch.float64)
    scale = 0.1 + torch.rand(6, 2, 4, dtype=torch.float64)
    value = 3 * torch.randn(6, 2, dtype=torch.float64)
    found = crps_mixture(weights, loc, scale, value)
    expected = scoringrules.crps_mixnorm(value.numpy(), loc.numpy(), scale.numpy(), weights.numpy())
    np.testing.assert_allclose(found.numpy(), expected)


def test_crps_mixture_is_what_the_energy_score_estimates() -> None:
    weights, loc, scale = (
        torch.tensor([0.3, 0.7]),
        torch.tensor([-2.0, 1.0]),
        torch.tensor([0.5, 2.0]),
    )
    chosen = torch.multinomial(weights, 4000, replacement=True)
    samples = loc[chosen] + scale[chosen] * torch.randn(4000)
    estimate = energy_score(samples.unsqueeze(-1), torch.tensor([0.4]))
    exact = crps_mixture(weights, loc, scale, torch.tensor(0.4))
    assert estimate.item() == pytest.approx(exact.item(), abs=0.05)


def test_crps_mixture_has_the_right_derivatives() -> None:
    tensors = [
        torch.softmax(torch.randn(2, 3, dtype=torch.float64), -1),
        torch.randn(2, 3, dtype=torch.float64),
        0.5 + torch.rand(2, 3, dtype=torch.float64),
        torch.randn(2, dtype=torch.float64),
    ]
    assert torch.autograd.gradcheck(crps_mixture, [t.requires_grad_() for t in tensors])


def _integral(weights: np.ndarray, loc: np.ndarray, scale: np.ndarray, value: float) -> float:
    """The score by its definition, between and beyond all places where something happens."""

    def below(x: float) -> float:
        return float((weights * stats.norm.cdf((x - loc) / scale)).sum()) ** 2

    def above(x: float) -> float:
        return float((weights * stats.norm.sf((x - loc) / scale)).sum()) ** 2

    places = np.unique(np.concatenate([loc + z * scale for z in (-12, -4, -1, 0, 1, 4, 12)]))
    borders = np.unique([*places, value])
    total = 0.0
    for low, high in itertools.pairwise(borders):
        total += integrate.quad(below if high <= value else above, low, high, epsabs=0)[0]
    return total


@pytest.mark.parametrize("value", [0.3, -4.0, 25.0, 1e6, -1e30])
@pytest.mark.parametrize("spread", [1.0, 1e-6, 1e4])
def test_crps_mixture_equals_its_integral(spread: float, value: float) -> None:
    rng = np.random.default_rng(0)
    weights, loc = rng.dirichlet(np.ones(4)), rng.normal(size=4)
    scale = spread * rng.uniform(0.1, 1, size=4)
    single = [torch.tensor(each, dtype=torch.float32) for each in (weights, loc, scale, value)]
    found = crps_mixture(*single)
    assert found.dtype == torch.float32
    # of the numbers that float32 holds
    expected = _integral(*(each.double().numpy() for each in single[:3]), float(single[3]))
    assert found.item() == pytest.approx(expected, rel=2e-6)


def test_crps_mixture_keeps_its_digits_where_far_components_cancel() -> None:
    # Almost all of the weight where y is, a little very far away: two sums of 1e5 differ by 1.
    far = 1e10
    weights = torch.tensor([1 - 1e-5, 1e-5], dtype=torch.double)
    loc, scale = torch.tensor([0.0, far]), torch.tensor([1.0, 1.0])
    found = crps_mixture(weights, loc.double(), scale.double(), torch.zeros(()).double()).item()
    near = crps_mixture(torch.ones(1), torch.zeros(1), torch.ones(1), torch.zeros(())).item()
    assert found == pytest.approx(near + 1e-10 * far - 2 * 1e-5 * near, abs=1e-3)
    single = crps_mixture(weights.float(), loc, scale, torch.zeros(()))
    exact = crps_mixture(weights.float().double(), loc.double(), scale.double(), torch.zeros(()))
    assert single.item() == pytest.approx(exact.item(), rel=1e-6)


def test_crps_mixture_of_many_is_that_of_each_and_holds_little_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Largest(TorchDispatchMode):
        numbers = 0

        def __torch_dispatch__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            result = func(*args, **(kwargs or {}))
            for each in result if isinstance(result, tuple | list) else [result]:
                if isinstance(each, torch.Tensor) and each.dtype == torch.double:
                    self.numbers = max(self.numbers, each.numel())
            return result

    weights = torch.softmax(torch.randn(6, 1, 50), -1).expand(6, 7, 50)
    loc, scale, value = torch.randn(6, 7, 50), torch.rand(50) + 0.1, torch.randn(6, 7)
    expected = scoringrules.crps_mixnorm(
        value.numpy(), loc.numpy(), scale.expand(6, 7, 50).numpy(), weights.numpy()
    )
    for values in (2**20, 500, 1):
        monkeypatch.setattr(ranked_probability, "_VALUES", values)
        np.testing.assert_allclose(
            crps_mixture(weights, loc, scale, value).numpy(), expected, rtol=1e-4
        )
    monkeypatch.setattr(ranked_probability, "_VALUES", 500)
    with Largest() as seen:
        crps_mixture(weights, loc, scale, value)
    assert 0 < seen.numbers <= 500, "of what it works with"


def test_crps_mixture_refuses_and_keeps_a_nan() -> None:
    one = torch.ones(2)
    with pytest.raises(ValueError, match=r"found \(2,\), \(3,\), \(2,\), \(\)"):
        crps_mixture(one, torch.zeros(3), one, torch.zeros(()))
    with pytest.raises(ValueError, match=r"found \(2,\), \(2,\), \(1,\), \(\)"):
        crps_mixture(one, one, torch.ones(1), torch.zeros(()))
    with pytest.raises(ValueError, match=r"found \(5, 2\), \(2,\), \(2,\), \(4,\)"):
        crps_mixture(one.expand(5, 2), one, one, torch.zeros(4))
    with pytest.raises(ValueError, match="positive; found a minimum of 0"):
        crps_mixture(one, one, torch.tensor([1.0, 0.0]), torch.zeros(()))
    found = crps_mixture(one / 2, one, one, torch.tensor([math.nan, 0.0]))
    assert found.isnan().tolist() == [True, False]


def test_crps_samples_equals_scoringrules() -> None:
    samples, value = (
        torch.randn(40, 5, 2, dtype=torch.double),
        torch.randn(5, 2, dtype=torch.double),
    )
    expected = scoringrules.crps_ensemble(
        value.numpy(), samples.movedim(0, -1).numpy(), estimator="fair"
    )
    np.testing.assert_allclose(crps_samples(samples, value).numpy(), expected)
    assert torch.autograd.gradcheck(
        crps_samples, [samples[:6].requires_grad_(), value.requires_grad_()]
    )


def test_crps_samples_of_close_draws_keeps_its_digits_and_refuses() -> None:
    samples = 1000 + 1e-2 * torch.randn(50, 4)
    exact = crps_samples(samples.double(), torch.full((4,), 1000.0).double())
    np.testing.assert_allclose(crps_samples(samples, torch.full((4,), 1000.0)), exact, rtol=1e-4)
    with pytest.raises(ValueError, match=r"S >= 2.*found \(1, 4\) and \(4,\)"):
        crps_samples(samples[:1], torch.zeros(4))
