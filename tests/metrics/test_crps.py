from __future__ import annotations

import numpy as np
import pytest
import scoringrules
import torch

from seqmdn.metrics import crps_mixture, energy_score


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
