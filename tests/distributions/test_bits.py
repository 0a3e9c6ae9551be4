"""Bits against sums over all of their vectors, in float64."""

from __future__ import annotations

import math
from itertools import product

import pytest
import torch
from torch import Tensor
from torch.distributions import Bernoulli

from seqmdn.distributions import Bits
from tests.contracts.distributions import assert_within_errors

SIZES = [(count, coupled) for count in (1, 2, 3, 4) for coupled in (False, True)]


def draw(
    count: int, coupled: bool, *batch: int, scale: float = 1.0
) -> tuple[Tensor, Tensor | None]:
    """Returns logits and couplings in float64."""
    logits = scale * torch.randn(*batch, count, dtype=torch.float64)
    pairs = count * (count - 1) // 2
    return logits, scale * torch.randn(*batch, pairs, dtype=torch.float64) if coupled else None


def vectors(count: int) -> Tensor:  # (2 ** E, E)
    return torch.tensor(list(product([0.0, 1.0], repeat=count)), dtype=torch.float64)


def by_hand(logits: Tensor, couplings: Tensor | None, value: Tensor) -> float:
    """Multiplies the probabilities of single bits of one context, with numbers of Python."""
    total, place = 1.0, 0
    for e in range(len(logits)):
        logit = float(logits[e])
        for j in range(e):
            logit += float(couplings[place]) * float(value[j]) if couplings is not None else 0.0
            place += 1
        one = 1 / (1 + math.exp(-logit))
        total *= one if value[e] == 1 else 1 - one
    return total


@pytest.mark.parametrize(("count", "coupled"), SIZES)
def test_probabilities_are_those_of_single_bits_in_turn_and_sum_to_one(
    count: int, coupled: bool
) -> None:
    logits, couplings = draw(count, coupled, 5, scale=2.0)
    values = vectors(count).unsqueeze(1)  # (2 ** E, 1, E), against a batch of 5
    found = Bits(logits, couplings).log_prob(values).exp()
    assert found.shape == (2**count, 5)
    torch.testing.assert_close(found.sum(0), torch.ones(5, dtype=torch.float64))
    for i in range(5):
        own = None if couplings is None else couplings[i]
        expected = [by_hand(logits[i], own, value) for value in vectors(count)]
        torch.testing.assert_close(found[:, i], torch.tensor(expected, dtype=torch.float64))


@pytest.mark.parametrize(("count", "coupled"), SIZES)
def test_draws_have_the_frequencies_of_their_context(count: int, coupled: bool) -> None:
    logits, couplings = draw(count, coupled, 2, scale=1.5)
    bits, total = Bits(logits, couplings), 200_000
    drawn = bits.sample((total,))
    assert drawn.shape == (total, 2, count) and drawn.dtype == torch.float64
    for i in range(2):
        weights = 2.0 ** torch.arange(count - 1, -1, -1, dtype=torch.float64)
        found = (drawn[:, i] @ weights).long().bincount(minlength=2**count) / total
        own = None if couplings is None else couplings[i]
        expected = Bits(logits[i], own).log_prob(vectors(count)).exp()
        error = (expected * (1 - expected) / total).sqrt()
        assert_within_errors(found, expected, error)


def test_without_couplings_they_are_torchs_bernoulli() -> None:
    logits, _ = draw(3, False, 4, scale=3.0)
    value = Bernoulli(0.5).sample((7, 4, 3)).double()
    expected = Bernoulli(logits=logits).log_prob(value).sum(-1)
    torch.testing.assert_close(Bits(logits).log_prob(value), expected)
    none = torch.zeros(4, 3, dtype=torch.float64)
    torch.testing.assert_close(Bits(logits, none).log_prob(value), expected)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_extreme_logits_stay_finite(count: int) -> None:
    for sign in (1, -1):
        logits = torch.full((count,), sign * 1e4, requires_grad=True)
        couplings = torch.full((count * (count - 1) // 2,), -sign * 3e4, requires_grad=True)
        bits = Bits(logits, couplings)
        found = bits.log_prob(vectors(count).float())
        assert found.isfinite().all() and found.max() <= 0 and found.min() <= -1e4
        gradients = torch.autograd.grad(found.sum(), [logits, couplings], allow_unused=True)
        assert all(g is None or g.isfinite().all() for g in gradients)
        assert bits.log_prob(bits.sample((50,))).exp().min() > 0.9, "the certain is drawn"


@pytest.mark.parametrize(("count", "coupled"), SIZES)
def test_gradients_are_right(count: int, coupled: bool) -> None:
    inputs = [t.requires_grad_() for t in draw(count, coupled, 3) if t is not None and t.numel()]
    value = vectors(count).unsqueeze(1)
    assert torch.autograd.gradcheck(lambda *given: Bits(*given).log_prob(value), inputs)


@pytest.mark.parametrize("count", [2, 3])
def test_a_temperature_divides_every_logit(count: int) -> None:
    logits, couplings = draw(count, True, 4)
    assert couplings is not None
    value = vectors(count).unsqueeze(1)
    bits = Bits(logits, couplings)
    for temperature in (0.25, 3.0):
        # The logit of the last bit under each of the others' values.
        expected = Bits(logits / temperature, couplings / temperature).log_prob(value)
        torch.testing.assert_close(bits.tempered(temperature).log_prob(value), expected)
    torch.testing.assert_close(bits.tempered().log_prob(value), bits.log_prob(value))
    cold, hot = bits.tempered(1e-6), bits.tempered(1e6)
    greedy = torch.zeros(4, count, dtype=torch.float64)
    for i in range(4):
        place = 0
        for e in range(count):
            logit = logits[i, e] + (couplings[i, place : place + e] * greedy[i, :e]).sum()
            greedy[i, e] = logit > 0
            place += e
    assert torch.equal(cold.sample((20,)), greedy.expand(20, -1, -1))
    uniform = torch.full_like(hot.log_prob(value), -count * math.log(2))
    torch.testing.assert_close(hot.log_prob(value), uniform, atol=1e-5, rtol=0)
    for wrong in (0.0, -1.0, math.nan):
        with pytest.raises(ValueError, match=f"temperature must be positive; found {wrong}"):
            bits.tempered(wrong)


@pytest.mark.parametrize("coupled", [False, True])
def test_batches_expand_and_never_mix(coupled: bool) -> None:
    logits, couplings = draw(3, coupled, 2, 5)
    bits = Bits(logits, couplings)
    assert bits.batch_shape == (2, 5) and bits.event_shape == (3,)
    value = bits.sample((4,))
    density = bits.log_prob(value)
    wider = bits.expand((6, 2, 5))
    assert type(wider) is Bits and wider.batch_shape == (6, 2, 5)
    assert wider.sample((4,)).shape == (4, 6, 2, 5, 3)
    torch.testing.assert_close(
        wider.log_prob(value.unsqueeze(1).expand(4, 6, 2, 5, 3)),
        density.unsqueeze(1).expand(4, 6, 2, 5),
    )
    for i, j in product(range(2), range(5)):
        own = Bits(logits[i, j], None if couplings is None else couplings[i, j])
        torch.testing.assert_close(own.log_prob(value[:, i, j]), density[:, i, j])
    certain = 1e3 * (torch.arange(15).view(5, 3) % 2 * 2 - 1)
    assert torch.equal(Bits(certain).sample((9,)), (certain > 0).float().expand(9, 5, 3))
    # Couplings that every context shares, and logits that do.
    shared = Bits(logits, torch.zeros(3, dtype=torch.float64))
    assert shared.batch_shape == (2, 5) and shared.sample((4,)).shape == (4, 2, 5, 3)
    if couplings is not None:
        narrow = Bits(logits[0, 0], couplings)
        assert narrow.batch_shape == (2, 5) and narrow.sample().shape == (2, 5, 3)
        assert narrow.log_prob(value).shape == (4, 2, 5)


@pytest.mark.parametrize("count", [2, 3, 9])
def test_autocast_keeps_float32(count: int) -> None:
    logits, couplings = (t.float() for t in draw(count, True, 6) if t is not None)
    value = Bernoulli(0.5).sample((5, 6, count))
    expected = Bits(logits, couplings).log_prob(value)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = Bits(logits, couplings).log_prob(value)
        drawn = Bits(logits, couplings).sample()
    assert found.dtype == drawn.dtype == torch.float32
    assert torch.equal(found, expected)
    half = Bits(logits.bfloat16(), couplings.bfloat16())
    assert half.log_prob(value).dtype == half.sample().dtype == torch.float32
    exact = Bits(logits.double(), couplings.double()).log_prob(value.double())
    torch.testing.assert_close(expected.double(), exact, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (torch.tensor([1.0, 0.5]), "bits must be 0 or 1; found 0.5 in a value of shape"),
        (torch.tensor([math.nan, 0.0]), "bits must be 0 or 1; found nan"),
        (torch.tensor([0.0, 2.0]), "found 2 .*Leave noise and scaling out of their columns"),
        (torch.zeros(1), r"the shape \(\.\.\., 2\).*found \(1,\)"),
        (torch.zeros(4, 2), r"broadcasts with .*\(3, 2\); found \(4, 2\)"),
    ],
)
def test_what_is_no_bit_is_refused(value: Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Bits(torch.zeros(3, 2)).log_prob(value)
    if value.shape == (2,):
        assert Bits(torch.zeros(3, 2), validate_args=False).log_prob(value).shape == (3,)


def test_parameters_that_do_not_fit_are_refused() -> None:
    for couplings in (torch.zeros(2), torch.zeros(4, 1), torch.zeros(())):
        with pytest.raises(ValueError, match=r"couplings \(\*batch, E \(E - 1\) / 2\); found"):
            Bits(torch.zeros(3), couplings)
    for logits in (torch.zeros(()), torch.zeros(4, 0)):
        with pytest.raises(ValueError, match=r"expected logits \(\*batch, E\)"):
            Bits(logits)
    with pytest.raises(ValueError, match=r"logits hold NaN, shape \(2,\)"):
        Bits(torch.tensor([0.0, math.nan]))
    with pytest.raises(ValueError, match=r"couplings hold NaN, shape \(1,\)"):
        Bits(torch.zeros(2), torch.tensor([math.nan]))


def test_its_support_is_that_of_vectors_of_bits() -> None:
    value = torch.tensor([[0.0, 1.0], [1.0, 0.5]])
    assert Bits.support.check(value).tolist() == [True, False]
    assert repr(Bits(torch.zeros(3, 2))) == "Bits(batch_shape=(3,), event_shape=(2,))"
