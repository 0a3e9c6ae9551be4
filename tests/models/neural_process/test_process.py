"""Neural processes: before anything was seen, floors, chains of draws, a short training."""

import math
from functools import partial

import pytest
import torch

from seqmdn.data import Batch, Identity
from seqmdn.generation import generate
from seqmdn.generation.steps import Steps
from seqmdn.heads import FlooredMixtureHead
from seqmdn.models import NeuralProcess, SequenceModel
from tests.models.neural_process.kinds import ENCODERS, LENGTHS, tasks, waves
from tests.models.neural_process.test_function import (
    assert_learns_to_use_given_points,
    build,
)

ONE_GAUSSIAN = partial(FlooredMixtureHead, components=1)


def test_no_start_is_the_density_before_anything_was_seen() -> None:
    model, batch = build("attention"), tasks()
    nothing = batch._replace(start=None)
    zero = batch._replace(start=torch.zeros(3).long())
    torch.testing.assert_close(model.frame_log_prob(nothing), model.frame_log_prob(zero))
    assert torch.equal(nothing.frames(), torch.tensor(LENGTHS))
    torch.testing.assert_close(
        model.frame_log_prob(nothing)[1, :4], model.frame_log_prob(batch)[1, :4]
    )


def test_a_floor_is_in_the_datas_units_where_they_are_left_alone() -> None:
    model = NeuralProcess(1, 1, ENCODERS["deep sets"], transform=Identity)
    batch = waves(2, seed=0)
    model.initialise(torch.full((50, 1), 0.3), torch.randn(50, 1))
    most = -math.log(0.1) - 0.5 * math.log(2 * math.pi)
    at_best = batch._replace(values=torch.full_like(batch.values, 0.3))
    assert model.frame_log_prob(at_best).max() <= most + 1e-6


@pytest.mark.parametrize("primed", [None, [3, 1]])
def test_a_chain_gives_what_is_drawn_to_those_behind_it(primed: list[int] | None) -> None:
    model, batch = build("self-attention", "a mixture"), tasks().part(0, 1)
    x, y = (part.expand(2, -1, -1) for part in (batch.context, batch.values))
    real = None if primed is None else torch.tensor(primed)
    with torch.inference_mode():
        steps = Steps(model, 2, context=x, prime=y[:, :3], primed=real, chain=5)
        frames = []
        for t, (frame, _) in enumerate(steps):
            frames.append(frame)
            seen = torch.stack([*frames, frame], dim=1)[:, : t + 1]
            start = torch.full((2,), min(t, 5))
            part = Batch(seen, torch.full((2,), t + 1), x[:, : t + 1], start)
            expected = model.distributions(part)[0].mean[:, t]
            torch.testing.assert_close(model.head(steps.h).mean, expected)
    assert len(frames) == 7 and (frames[5] != y[:, 5]).any()


@pytest.mark.parametrize("chain", [-1, 3])
def test_a_chain_is_of_functions(chain: int) -> None:
    with pytest.raises(
        ValueError, match=f"of a density of functions, found one of {chain} and a Seq"
    ):
        generate(SequenceModel(1), 2, 5, chain=chain)


def test_a_short_training_makes_use_of_the_given_points() -> None:
    torch.manual_seed(0)
    encoder = partial(ENCODERS["attention"].func, hidden=32)
    assert_learns_to_use_given_points(NeuralProcess(1, 1, encoder, ONE_GAUSSIAN), steps=60)
