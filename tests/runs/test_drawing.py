"""Draws of a run beside real sequences."""

from pathlib import Path

import numpy as np
import pytest
import torch

from seqmdn.data import Store
from seqmdn.runs import draw, load_run
from tests.small import SPLITS, train, write_recipe, write_store


def test_draws_are_like_real_sequences(small_run: Path) -> None:
    run = load_run(small_run)
    longest = int(run.data.store.lengths[run.data.store.indices("test")].max())
    drawn, real = draw(run, num=12, seed=1)
    assert drawn.values.shape == (12, longest, 2) and drawn.lengths.tolist() == [longest] * 12
    assert drawn.values.isfinite().all()
    assert torch.equal(real.values[:2], real.values[10:]), "10 real ones, again in turn"
    assert torch.equal(draw(run, num=12, seed=1)[0].values, drawn.values)
    assert not torch.equal(draw(run, num=12, seed=2)[0].values, drawn.values)
    assert draw(run, num=2, length=3)[0].values.shape == (2, 3, 2)


def test_primed_draws_begin_as_real_ones(small_run: Path) -> None:
    run = load_run(small_run)
    drawn, real = draw(run, num=3, prime=2, split="valid")
    assert drawn.start is not None and drawn.start.tolist() == [2, 2, 2]
    assert draw(run, num=3)[0].start is None
    assert torch.equal(drawn.values[:, :2], real.values[:, :2])
    assert not torch.equal(drawn.values[:, 2:4], real.values[:, 2:4])
    with pytest.raises(
        ValueError, match="prime must be a number of frames up to 4, or a share below 1, found 5"
    ):
        draw(run, num=10, prime=5)


def test_real_sequences_are_those_of_the_split(small_run: Path) -> None:
    run = load_run(small_run)
    for split in SPLITS:
        own = run.data.sequences(split, run.data.store.indices(split)[:3])
        assert torch.equal(draw(run, num=3, split=split)[1].values, own.values)


def test_draws_know_the_context(tmp_path: Path) -> None:
    store = write_store(tmp_path / "walks.h5", context=True)
    train(write_recipe(tmp_path / "recipe", store), tmp_path / "run")
    drawn, real = draw(load_run(tmp_path / "run"), num=10)
    assert drawn.context is not None
    assert torch.equal(drawn.context, real.context)
    # Behind the end of a sequence its context says nothing.
    assert torch.equal(drawn.lengths, real.lengths) and len(set(real.lengths.tolist())) > 1
    assert torch.equal(drawn.values.ne(0).any(2), drawn.mask())
    short, _ = draw(load_run(tmp_path / "run"), num=10, length=5)
    assert torch.equal(short.lengths, real.lengths.clamp(max=5))


def test_given_columns_are_drawn_under_and_handed_back(tmp_path: Path) -> None:
    store = write_store(tmp_path / "walks.h5", features=3, context=True)
    recipe = write_recipe(tmp_path / "recipe", store, given=["x1"])
    run = train(recipe, tmp_path / "run")
    assert (run.model.features, run.model.context) == (2, 2)
    drawn, real = draw(load_run(tmp_path / "run"), num=4, prime=2)
    with Store(store) as opened:
        for row, index in enumerate(opened.indices("test")[:4].tolist()):
            values, context = opened.read(index)
            end = len(values)
            for batch in (drawn, real):
                assert torch.equal(batch.context[row, :end], torch.from_numpy(context))
                assert torch.equal(batch.values[row, :end, 1], torch.from_numpy(values[:, 1]))
            # The other columns are dequantised above their level.
            floors = real.values[row, :end, [0, 2]].floor().numpy()
            np.testing.assert_array_equal(floors, values[:, [0, 2]])
    assert torch.equal(drawn.values[:, :2], real.values[:, :2])
    assert not torch.equal(drawn.values[:, 2:4, 0], real.values[:, 2:4, 0])
