from __future__ import annotations

import pytest
import torch
from torch.distributions import Categorical

from seqmdn.distributions import LowRankPrecisionNormal, Mixture
from seqmdn.distributions.moving import moved
from tests.contracts import Family
from tests.distributions.families import CLOSED, GAUSSIANS, build, gradients, leaves


@pytest.mark.parametrize("family", CLOSED, ids=str)
def test_every_parameter_goes_to_another_dtype(family: Family) -> None:
    exact = build(family, family.draw((2,), 3, 1.0))
    single = exact.to(torch.float32)
    assert type(single) is type(exact) and single.batch_shape == (2,)
    value = torch.randn(5, 2, 3)
    found = single.log_prob(value)
    assert found.dtype == single.sample().dtype == single.mean.dtype == torch.float32
    torch.testing.assert_close(found.double(), exact.log_prob(value.double()), atol=1e-4, rtol=1e-4)
    again = single.to(torch.float64)
    assert again.log_prob(value.double()).dtype == torch.float64
    torch.testing.assert_close(again.to("cpu").mean, single.mean.double())
    assert exact.to(torch.bfloat16).sample().dtype == torch.float32
    with pytest.raises(TypeError, match=r"floating-point dtype, found torch\.int64"):
        exact.to(torch.int64)


def test_gradients_go_along() -> None:
    family = GAUSSIANS[1]
    parameters = leaves(family.draw((), 3, 1.0))
    single = build(family, parameters).to(torch.float32)
    for gradient in gradients(single.log_prob(torch.ones(3)), parameters).values():
        assert gradient.dtype == torch.float64 and (gradient != 0).all()


def test_a_weight_of_zero_stays_zero() -> None:
    components = LowRankPrecisionNormal(torch.tensor([[0.0], [1e3]]), torch.ones(2, 1))
    mixture = Mixture(Categorical(probs=torch.tensor([1.0, 0.0])), components).to(torch.float64)
    assert mixture.mixture_distribution.probs.tolist() == [1, 0]


def test_what_is_there_already_stays_the_same_tensor() -> None:
    one = torch.ones(2)
    assert moved(one, "cpu") is one and moved(one, torch.float32) is one
    assert moved(one, torch.float64).dtype == torch.float64
