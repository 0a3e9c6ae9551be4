"""One step of a draw after another: what a step hands on, and what it may not read."""

from functools import partial
from itertools import islice

import pytest
import torch
from torch import nn

from seqmdn.data import Logit, encode
from seqmdn.generation.steps import Steps
from seqmdn.heads import MixtureHead
from seqmdn.models import SequenceModel
from tests.pens import build


@pytest.mark.parametrize("primed", [None, [3, 1, 0]])
def test_each_step_is_the_models_own(primed: list[int] | None) -> None:
    model, texts = build(), ["ab", "é", "ba"]
    prime = torch.cat((3 + 5 * torch.randn(3, 3, 2), (torch.rand(3, 3, 2) < 0.5).float()), dim=-1)
    real = torch.tensor([3, 3, 3] if primed is None else primed)
    given = None if primed is None else real
    with torch.inference_mode():
        torch.manual_seed(1)
        found = list(islice(Steps(model, 3, text=texts, prime=prime, primed=given), 5))
        torch.manual_seed(1)
        previous, state = None, model.begin(encode(texts))
        for t, (frame, after) in enumerate(found):
            density, state = model.step(previous, state=state, batch_size=3)
            for one, other in zip(after, state, strict=True):
                assert torch.equal(one, other)
            is_real = (t < real).unsqueeze(-1)
            z = torch.zeros(3, 4) if bool(is_real.all()) else density.sample()
            if t < 3:
                z = model.transform(prime[:, t]).where(is_real, z)
            expected = model.transform.inverse(z)
            torch.testing.assert_close(frame, expected)
            if t < 3:
                assert torch.equal(frame[is_real[:, 0]], prime[is_real[:, 0], t])
            previous = z


def test_what_stands_behind_a_prime_is_never_read() -> None:
    model = SequenceModel(1, head=MixtureHead, transform=partial(Logit, low=0.0, high=20.0))
    model.initialise(1 + 18 * torch.rand(100, 1))
    model.eval()
    prime, primed = torch.full((3, 4, 1), 5.0), torch.tensor([4, 2, 0])
    behind = (torch.arange(4) >= primed.unsqueeze(1)).unsqueeze(-1)
    found = []
    for padding in (5.0, 0.0, 99.0, torch.nan, torch.inf):
        torch.manual_seed(2)
        steps = Steps(model, 3, prime=prime.masked_fill(behind, padding), primed=primed)
        with torch.inference_mode():
            found.append(torch.stack([frame for frame, _ in islice(steps, 6)], dim=1))
        assert torch.equal(found[-1], found[0]), f"{padding} was read"
    assert found[0].isfinite().all() and steps.primed.tolist() == [4, 2, 0]


def test_temperatures_reach_the_parts_that_have_them() -> None:
    model = build()
    torch.manual_seed(0)
    with torch.inference_mode():
        frame, _ = next(Steps(model, 400, text="ab", mixing=0.5, scale=2.0, bits=0.25))
        state = model.begin(encode(["ab"] * 400))
        density, _ = model.step(None, state=state, batch_size=400)
        torch.manual_seed(0)
        z = density.tempered(mixing=0.5, scale=2.0, bits=0.25).sample()
    # A head's own way draws the same numbers in the same order, and rounds them otherwise.
    torch.testing.assert_close(frame, model.transform.inverse(z), rtol=1e-3, atol=1e-2)
    # Frames without bits have none to temper.
    plain = SequenceModel(2).eval()
    torch.manual_seed(0)
    with torch.inference_mode():
        first, _ = next(Steps(plain, 5, bits=0.25))
        torch.manual_seed(0)
        again, _ = next(Steps(plain, 5))
    assert torch.equal(first, again)


def test_a_head_without_temperatures_draws_at_none() -> None:
    class Plain(nn.Module):
        def __init__(self, features: int, context: int) -> None:
            super().__init__()
            self.loc = nn.Linear(context, features)

        def forward(self, h: torch.Tensor) -> torch.distributions.Distribution:
            normal = torch.distributions.Normal(self.loc(h), 1.0)
            return torch.distributions.Independent(normal, 1)

    frame, _ = next(Steps(SequenceModel(2, head=Plain), 3))
    assert frame.shape == (3, 2)


def test_texts_are_each_ones_own_or_everyones() -> None:
    model = build()
    for said, expected in (("ab", ["ab", "ab"]), (["ab", "é"], ["ab", "é"])):
        text = Steps(model, 2, text=said).state[4]
        assert text.sum((1, 2)).tolist() == [len(each) for each in expected]
    assert Steps(build(reads=False), 2).state is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"text": ["ab"]}, "a text for each of 2 sequences, found 1"),
        ({"text": ["ab", ""]}, "found an empty one at place 1"),
        ({"text": ""}, "found an empty one at place 0"),
        ({"text": "abx"}, "the model never saw 'x': write texts of the characters 'abé'"),
        ({"primed": torch.tensor([1, 1])}, "primed says how much of a prime is real: give the"),
        ({"prime": torch.zeros(3, 4), "primed": torch.tensor([1])}, r"primed must be 2 numbers"),
        ({"prime": torch.zeros(3, 4), "primed": torch.tensor([4, 0])}, r"and 3, found \[4, 0\]"),
        ({"prime": torch.zeros(3, 4), "primed": torch.tensor([-1, 0])}, r"found \[-1, 0\]"),
        ({"bits": 0.0}, "temperatures must be positive, .*bits=0.0"),
        ({"bits": float("nan")}, "temperatures must be positive, .*bits=nan"),
    ],
)
def test_what_does_not_fit_is_refused(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Steps(build(), 2, **({"text": "ab"} | options))


def test_a_model_of_texts_needs_one_and_another_takes_none() -> None:
    with pytest.raises(ValueError, match="this backbone reads a text"):
        next(Steps(build(), 2))
    with pytest.raises(ValueError, match="a LSTMBackbone does not read texts"):
        Steps(build(reads=False), 2, text="ab")
