"""Classes: probabilities that sum to 1, draws in their shares, and values that are no class."""

import itertools
import math
import re

import pytest
import torch

from seqmdn.distributions import Classes
from tests.contracts.distributions import assert_within_errors


def lively(*batch: int, features: int = 2, classes: int = 3) -> Classes:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(*batch, features, classes, generator=generator, dtype=torch.float64)
    return Classes(2 * logits)


def every(features: int = 2, classes: int = 3) -> torch.Tensor:
    return torch.tensor(list(itertools.product(range(classes), repeat=features))).double()


@pytest.mark.parametrize("batch", [(), (4,), (2, 3)])
def test_probabilities_of_all_frames_sum_to_one(batch: tuple[int, ...]) -> None:
    density = lively(*batch)
    frames = every().view(9, *[1] * len(batch), 2)
    probabilities = density.log_prob(frames).exp()
    assert probabilities.shape == (9, *batch)
    torch.testing.assert_close(probabilities.sum(0), torch.ones(batch).double())
    entropy = -(probabilities * probabilities.log()).sum(0)
    torch.testing.assert_close(density.entropy(), entropy)
    likeliest = frames.view(9, 2)[probabilities.argmax(0)]
    assert torch.equal(density.mode, likeliest)


def test_it_is_the_cross_entropy() -> None:
    logits, target = torch.randn(20, 1, 5), torch.randint(5, (20, 1))
    found = -Classes(logits).log_prob(target.float())
    expected = torch.nn.functional.cross_entropy(logits[:, 0], target[:, 0], reduction="none")
    torch.testing.assert_close(found, expected)


def test_draws_come_in_their_shares() -> None:
    torch.manual_seed(0)
    density = lively(3)
    draws = density.sample((20_000,))
    assert draws.shape == (20_000, 3, 2) and draws.dtype == torch.float64
    for number in range(3):
        share = (draws == number).double()
        expected = density.class_log_prob[..., number].exp()
        assert_within_errors(share.mean(0), expected, share.std(0) / len(draws) ** 0.5)
    assert density.log_prob(draws).isfinite().all()


def test_what_was_not_observed_adds_nothing() -> None:
    density = lively(4)
    value = torch.tensor([1.0, math.nan]).double().expand(4, 2)
    seen = torch.tensor([True, False])
    found = density.log_prob(value, seen)
    torch.testing.assert_close(found, density.class_log_prob[:, 0, 1])
    assert (density.log_prob(value, torch.tensor([False, False])) == 0).all()


def test_certain_classes_stay_finite() -> None:
    logits = torch.tensor([[[1e4, 0.0, -1e4]]], requires_grad=True)
    density = Classes(logits)
    density.log_prob(torch.tensor([[2.0]])).sum().backward()
    assert logits.grad is not None and logits.grad.isfinite().all() and density.entropy() == 0


@pytest.mark.parametrize("wrong", [-1.0, 3.0, 0.5, math.nan])
def test_what_is_no_class_is_refused(wrong: float) -> None:
    message = re.escape(f"expected classes 0 to 2 as whole numbers; found {wrong:g}")
    with pytest.raises(ValueError, match=message):
        lively(4).log_prob(torch.tensor([[0.0, wrong]]))


def test_what_makes_no_classes_is_refused() -> None:
    for shape in ((3,), (2, 1)):
        with pytest.raises(ValueError, match="of 2 classes or more; found"):
            Classes(torch.zeros(shape))
    with pytest.raises(ValueError, match="logits hold NaN, shape"):
        Classes(torch.full((1, 2), math.nan))
    with pytest.raises(ValueError, match=re.escape("value must have the shape (..., 2)")):
        lively().log_prob(torch.zeros(3))
    with pytest.raises(NotImplementedError, match="mean of classes is not offered"):
        _ = lively().mean


def test_it_expands_and_tempers() -> None:
    density = lively(3)
    wide = density.expand((5, 3))
    assert wide.batch_shape == (5, 3) and wide.log_prob(torch.zeros(2)).shape == (5, 3)
    cold = density.tempered(mixing=1e-4)
    torch.testing.assert_close(cold.class_log_prob.exp().amax(-1), torch.ones(3, 2).double())
    warm = density.tempered(mixing=2.0).class_log_prob
    torch.testing.assert_close(warm, (density.class_log_prob / 2).log_softmax(-1))
    with pytest.raises(ValueError, match="mixing must be positive; found 0"):
        density.tempered(mixing=0)
    assert repr(density) == "Classes(classes=3, batch_shape=(3,), event_shape=(2,))"
