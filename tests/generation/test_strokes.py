"""Drawing strokes: what is said, where a draw ends, primes of unequal length, and a bias."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from seqmdn.data import Batch, encode
from seqmdn.distributions import Mixture
from seqmdn.generation import bias, generate, stream
from seqmdn.models import SequenceModel
from tests.pens import build

SURE = {"mixing": 1e-3, "scale": 1e-12, "bits": 1e-6}
"""Temperatures at which no random number matters."""
TEXTS = ["ab", "é", "baab", "bé"]


def ending(model: SequenceModel, logit: float) -> SequenceModel:
    """Moves the logit of the last bit, so that draws end sooner or later."""
    with torch.no_grad():
        model.head.bits.bias[model.features - 3] = logit
    return model


def prime_of(count: int, length: int, bits: int = 2) -> Tensor:
    marks = (torch.rand(count, length, bits) < 0.3).float()
    return torch.cat((3 + 5 * torch.randn(count, length, 2), marks), dim=-1)


def test_a_draw_ends_with_its_last_bit() -> None:
    model = ending(build(), -1.0)
    drawn = generate(model, 40, 30, text="ab", seed=2)
    assert len(set(drawn.lengths.tolist())) > 4 and drawn.start is None
    assert drawn.values.shape[1] == drawn.lengths.max()
    for values, length in zip(drawn.values, drawn.lengths.tolist(), strict=True):
        last = values[:length, 3]
        assert (last[:-1] == 0).all() and (last[-1] == 1 or length == 30)
        assert (values[length:] == 0).all()
    never = generate(ending(build(), -1e4), 5, 30, text="ab")
    assert never.lengths.tolist() == [30] * 5
    at_once = generate(ending(build(), 1e4), 5, 30, text="ab")
    assert at_once.lengths.tolist() == [1] * 5 and at_once.values.shape == (5, 1, 4)


def finished_by_hand(model: SequenceModel, values: Tensor, text: str) -> list[bool]:
    """Whether a text is at its end in the step of each frame."""
    z, state, previous, found = model.transform(values), model.begin(encode([text])), None, []
    with torch.no_grad():
        for t in range(len(values)):
            _, state = model.step(previous, state=state)
            found.append(bool(model.backbone.finished(state)))
            previous = z[t : t + 1]
    return found


def test_without_such_a_bit_a_draw_ends_where_its_text_does() -> None:
    model = build(bits=1)
    drawn = generate(model, 4, 40, text=TEXTS, seed=1)
    assert len(set(drawn.lengths.tolist())) > 1 and max(drawn.lengths.tolist()) < 40
    for values, length, text in zip(drawn.values, drawn.lengths.tolist(), TEXTS, strict=True):
        assert finished_by_hand(model, values[:length], text) == [False] * (length - 1) + [True]
    # Longer texts take longer: the second has one letter, the third four.
    assert drawn.lengths.argmin() == 1 and drawn.lengths.argmax() == 2
    silent = generate(build(reads=False, bits=1), 2, 12)
    assert silent.lengths.tolist() == [12, 12], "nothing says where it ends"


def test_a_rule_of_ones_own_comes_first() -> None:
    model = ending(build(), 1e4)
    drawn = generate(model, 30, 20, text="ab", stop=lambda frame: frame[:, 0] > 6)
    assert drawn.lengths.max() > 1
    for values, length in zip(drawn.values, drawn.lengths.tolist(), strict=True):
        above = values[:length, 0] > 6
        assert not above[:-1].any() and (above[-1] or length == 20)


@pytest.mark.parametrize("bits", [1, 2])
def test_primes_of_unequal_length_are_each_what_they_are_alone(bits: int) -> None:
    model = build(bits=bits)
    prime, primed = prime_of(4, 6, bits), torch.tensor([6, 2, 0, 4])
    options = {"stop": lambda frame: torch.zeros(len(frame), dtype=torch.bool), **SURE}
    drawn = generate(model, 4, 12, text=TEXTS, prime=prime, primed=primed, **options)
    assert drawn.start is not None and torch.equal(drawn.start, primed)
    assert drawn.lengths.tolist() == [12] * 4
    for i, text in enumerate(TEXTS):
        n = int(primed[i])
        assert torch.equal(drawn.values[i, :n], prime[i, :n])
        own = prime[i, :n] if n else None
        alone = generate(model, 1, 12, text=text, prime=own, **options)
        torch.testing.assert_close(drawn.values[i], alone.values[0], rtol=1e-4, atol=1e-3)
    assert (drawn.frames() == 12 - primed).all(), "what was drawn is what counts"
    whole = generate(model, 4, 12, text=TEXTS, prime=prime, **options)
    assert whole.start is not None and whole.start.tolist() == [6] * 4


def test_a_prime_does_not_end_what_goes_on_from_it() -> None:
    model = ending(build(), -1e4)
    prime, primed = prime_of(3, 4), torch.tensor([4, 3, 1])
    prime[..., 3] = 1.0
    drawn = generate(model, 3, 9, text="ab", prime=prime, primed=primed)
    assert drawn.lengths.tolist() == [9] * 3
    ended = generate(ending(build(), 1e4), 3, 9, text="ab", prime=prime, primed=primed)
    assert ended.lengths.tolist() == [5, 4, 2], "the first frame that is drawn may"


def test_each_says_its_own_text() -> None:
    model = build()
    options: dict[str, Any] = {"stop": lambda frame: frame[:, 0] > 1e9, **SURE}
    together = generate(model, 4, 15, text=TEXTS, **options).values
    for i, text in enumerate(TEXTS):
        alone = generate(model, 1, 15, text=text, **options).values[0]
        torch.testing.assert_close(together[i], alone, rtol=1e-4, atol=1e-3)
    assert (together[0] - together[2]).abs().max() > 1e-2
    same = generate(model, 3, 15, text="ab", **options).values
    torch.testing.assert_close(same, together[:1].expand(3, -1, -1), rtol=1e-4, atol=1e-3)


def test_a_stream_is_that_of_the_draw() -> None:
    model, prime, primed = ending(build(), -1e4), prime_of(4, 3), torch.tensor([3, 1, 0, 2])
    options: dict[str, Any] = {"text": TEXTS, "prime": prime, "primed": primed, "bits": 0.5}
    whole = generate(model, 4, 8, **options).values
    for t, frame in zip(range(8), stream(model, 4, **options), strict=False):
        assert torch.equal(frame, whole[:, t])


def test_one_seed_is_one_result_and_leaves_no_trace() -> None:
    model, prime, primed = build(), prime_of(4, 3), torch.tensor([3, 1, 0, 2])
    before, global_before = torch.get_rng_state(), model.training

    def drawn(seed: int) -> Batch:
        return generate(model, 4, 9, text=TEXTS, prime=prime, primed=primed, seed=seed)

    first, again, other = drawn(3), drawn(3), drawn(4)
    assert torch.equal(first.values, again.values) and torch.equal(first.lengths, again.lengths)
    assert first.values.shape != other.values.shape or not torch.equal(first.values, other.values)
    assert torch.equal(torch.get_rng_state(), before) and model.training is global_before


@pytest.mark.parametrize("strength", [0.0, 0.5, 3.0])
def test_a_bias_is_graves(strength: float) -> None:
    model = build()
    with torch.no_grad():
        density, _ = model.step(None, state=model.begin(encode(["ab"])))
    found = density.tempered(**bias(strength))
    plain, mixture = density.continuous, found.continuous
    assert isinstance(mixture, Mixture)
    # Equations 61 and 62: sigma = exp(sigma_hat - b), pi = softmax(pi_hat (1 + b)).
    weights = (plain.mixture_distribution.logits * (1 + strength)).softmax(-1)
    torch.testing.assert_close(mixture.mixture_distribution.probs, weights)
    sigma = plain.component_distribution.stddev.log()
    torch.testing.assert_close(
        mixture.component_distribution.stddev, (sigma - strength).exp(), rtol=1e-5, atol=1e-6
    )
    loc = mixture.component_distribution.loc
    torch.testing.assert_close(loc, plain.component_distribution.loc)
    correlation = [
        d.component_distribution.covariance_matrix / math.exp(-2 * b)
        for d, b in ((plain, 0.0), (mixture, strength))
    ]
    torch.testing.assert_close(correlation[0], correlation[1], rtol=1e-4, atol=1e-5)
    assert torch.equal(found.bits.logits, density.bits.logits), "how strokes end stays as it is"
    assert bias(strength) == pytest.approx(
        {"mixing": 1 / (1 + strength), "scale": math.exp(-2 * strength)}
    )


@pytest.mark.parametrize("strength", [-0.1, math.inf, math.nan])
def test_a_bias_that_is_none_is_refused(strength: float) -> None:
    with pytest.raises(ValueError, match=f"a bias is 0 or more, found {strength}"):
        bias(strength)


def test_a_temperature_of_bits_sharpens_them() -> None:
    model = build()
    with torch.no_grad():
        density, _ = model.step(None, state=model.begin(encode(["ab"])))
    logit = float(density.bits.logits[0, 0])
    for temperature in (1.0, 0.3, 5.0):
        drawn = generate(model, 20_000, 1, text="ab", bits=temperature).values[:, 0, 2]
        expected = 1 / (1 + math.exp(-logit / temperature))
        error = math.sqrt(expected * (1 - expected) / 20_000)
        assert abs(float(drawn.mean()) - expected) < 4 * error


def test_frames_of_a_draw_are_frames_to_train_with() -> None:
    model = build()
    drawn = generate(model, 4, 9, text=TEXTS, prime=prime_of(4, 3))
    assert drawn.text is None and set(drawn.values[..., 2:].unique().tolist()) == {0.0, 1.0}
    model.loss(drawn._replace(text=encode(TEXTS))).backward()
