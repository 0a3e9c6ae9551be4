"""Tasks whose points are given or asked for."""

from pathlib import Path

import numpy as np
import pytest
import torch

from seqmdn.data import Batch, GivenPoints, SequenceDataModule, StoreWriter, UniformDequantise
from seqmdn.data.windows import AGAIN, SCORE, TRAIN, Key

LENGTHS = (9, 5, 12, 7, 8, 6)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Values that say which sequence and frame they are of, and a context that says the same."""
    path = tmp_path / "tasks.h5"
    with StoreWriter(path, ["y"], name="tasks", unit="one", context=["x"]) as writer:
        for index, length in enumerate(LENGTHS):
            frames = 100.0 * index + np.arange(length)[:, None]
            split = ("train", "train", "train", "test", "test", "valid")[index]
            writer.append(frames, split, context=-frames, text=f"task {index}")
    return path


def module(store: Path, points: GivenPoints | None = None, **of: object) -> SequenceDataModule:
    made = SequenceDataModule(store, points=points or GivenPoints(1, 3), **of)
    made.setup()
    return made


def tasks(batch: Batch) -> list[tuple[list[float], list[float]]]:
    """Give what is given and what is asked for of each sequence, and check the context beside."""
    assert batch.start is not None and batch.context is not None
    assert torch.equal(batch.context, -batch.values)
    rows = zip(batch.values[..., 0], batch.start, batch.mask(), strict=True)
    return [(row[:start].tolist(), row[mask].tolist()) for row, start, mask in rows]


def test_each_point_is_given_or_asked_for_once(store: Path) -> None:
    data = module(store, batch_size=4)
    found = [task for batch in data.batches("test") for task in tasks(batch)]
    for (given, asked), index in zip(found, (3, 4), strict=True):
        assert 1 <= len(given) <= 3
        expected = [100.0 * index + frame for frame in range(LENGTHS[index])]
        assert sorted(given + asked) == expected != given + asked


def test_scoring_asks_the_same_whatever_the_batch_size(store: Path) -> None:
    one = [
        task for batch in module(store, eval_batch_size=1).batches("test") for task in tasks(batch)
    ]
    two = [
        task for batch in module(store, eval_batch_size=2).batches("test") for task in tasks(batch)
    ]
    assert one == two
    other = module(store, GivenPoints(1, 3, asked=2), seed=5)
    for (given, asked), (all_given, all_asked) in zip(
        tasks(next(other.batches("test"))), one, strict=True
    ):
        assert given == all_given and asked == all_asked[:2]


def test_training_asks_anew_in_every_pass(store: Path) -> None:
    loader = module(store, batch_size=3).train_dataloader()
    passes = [sorted(tasks(next(iter(loader)))) for _ in range(2)]
    assert passes[0] != passes[1]
    for given, asked in passes[1]:
        index = int(asked[0] // 100)
        assert len(given) + len(asked) == LENGTHS[index]


def test_how_many_are_given_is_spread_evenly() -> None:
    points = GivenPoints(3, 6)
    keys = [Key(0, 0, None, 20, (TRAIN, 0, place)) for place in range(4000)]
    given = np.bincount([points.of(key)[1] for key in keys], minlength=7)[3:]
    assert given.sum() == 4000 and (abs(given - 1000) < 4 * 1000**0.5).all()
    first = np.bincount([points.of(key)[0][0] for key in keys], minlength=20)
    assert (abs(first - 200) < 5 * 200**0.5).all()


def test_one_point_is_left_to_ask_for() -> None:
    order, given = GivenPoints(0, 50).draw(1, np.random.default_rng(0))
    assert order.tolist() == [0] and given == 0
    drawn = [GivenPoints(2, 50).draw(4, np.random.default_rng(seed))[1] for seed in range(60)]
    assert set(drawn) == {2, 3}
    with pytest.raises(
        ValueError, match="of 4 points or more, to give 3 .*found one of 3: set least"
    ):
        GivenPoints(3, 50).draw(3, np.random.default_rng(0))


def test_other_draws_of_the_noise_are_of_the_same_points(store: Path) -> None:
    points = GivenPoints(1, 3)
    first, again = (Key(3, 0, None, 7, seed) for seed in ((SCORE, 2, 3), (AGAIN, 2, 3, 5)))
    assert points.of(first)[0].tolist() == points.of(again)[0].tolist()
    data = module(store, noise=UniformDequantise(), batch_size=2)
    one, other = (next(data.batches("test", draw)) for draw in (0, 5))
    assert torch.equal(one.values.floor(), other.values.floor())
    assert not torch.equal(one.values, other.values)
    assert data.limit("test") is None


def test_the_description_counts_what_is_scored(store: Path) -> None:
    data = module(store, batch_size=2)
    said = data.describe("test")
    found = [task for batch in data.batches("test") for task in tasks(batch)]
    assert said["frames"] == sum(len(asked) for _, asked in found)
    assert said["frames_given"] == sum(len(given) for given, _ in found)
    assert said["sequences"] == 2


def test_texts_and_sampled_frames_are_as_they_were(store: Path) -> None:
    data, plain = module(store, batch_size=2, text=True), SequenceDataModule(store)
    plain.setup()
    batch = next(data.batches("test"))
    assert batch.text is not None and batch.text.shape == (2, 6)
    assert torch.equal(data.sample_frames(), plain.sample_frames())


def test_what_was_observed_goes_with_its_point(tmp_path: Path) -> None:
    path = tmp_path / "missing.h5"
    with StoreWriter(path, ["a", "b"], name="tasks", unit="one", missing=True) as writer:
        values = np.stack([np.arange(8.0), np.arange(8.0)], axis=1)
        writer.append(values, "train")
        writer.append(
            values, "test", observed=np.stack([values[:, 0] > 3, values[:, 0] < 6], axis=1)
        )
    data = module(path)
    batch = next(data.batches("test"))
    assert batch.observed is not None
    frame = batch.values.max(dim=-1).values
    assert torch.equal(batch.observed, torch.stack([frame > 3, frame < 6], dim=-1))


@pytest.mark.parametrize("wrong", [{"least": -1}, {"least": 5, "most": 4}, {"asked": 0}])
def test_there_must_be_such_numbers(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="expected 0 <= least <= most and asked of 1 or more"):
        GivenPoints(**wrong)


@pytest.mark.parametrize("wrong", [{"window": 3}, {"mark_end": True}])
def test_sets_are_whole(store: Path, wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="expected whole sequences without a mark"):
        SequenceDataModule(store, points=GivenPoints(), **wrong)
