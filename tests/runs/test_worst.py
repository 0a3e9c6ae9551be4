"""The worst-scored sequences are those of the store, with what was expected of them."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from seqmdn.distributions import Flowed
from seqmdn.models import SequenceModel
from seqmdn.runs import load_run
from seqmdn.runs.worst import learned_names, show_scored, worst_and_typical
from tests.pens import write_pen_recipe, write_pens
from tests.small import train


def test_places_are_those_of_the_highest_and_of_the_middle() -> None:
    nll = [float(i) for i in range(21)]
    worst, typical = worst_and_typical(nll, 4)
    assert worst == [20, 19, 18, 17] and typical == [8, 9, 10, 11]
    assert worst_and_typical([1.0, math.inf, math.nan, 0.0], 2)[0] == [2, 1]
    assert worst_and_typical([1.0], 6) == ([0], [])


def test_sequences_are_those_of_the_store_and_expectations_those_of_the_model(
    small_run: Path,
) -> None:
    run = load_run(small_run)
    model = run.model
    assert isinstance(model, SequenceModel)
    nll = [float(i) for i in range(10)]
    first, second = show_scored(run, "test", [7, 2], nll, expected=True)
    indices = run.data.store.indices("test")
    assert (first.index, second.index) == (indices[7], indices[2])
    assert (first.nll, first.text, first.context) == (7.0, None, None)
    batch = run.data.sequences("test", [first.index])
    assert first.values == pytest.approx(batch.values[0].numpy())
    with torch.no_grad():
        density = Flowed(model.distributions(batch)[0], model.transform)
        std, mean = model.transform.std, model.transform.mean
        for name, q in (("low", 0.05), ("median", 0.5), ("high", 0.95)):
            expected = density.base.icdf(torch.tensor(q))[0] * std + mean
            assert getattr(first, name) == pytest.approx(expected.numpy(), rel=1e-4, abs=1e-4)
    assert show_scored(run, "test", [7], nll, expected=False)[0].median is None


def test_pens_are_judged_by_their_offsets_and_shown_whole(tmp_path: Path) -> None:
    recipe = write_pen_recipe(tmp_path / "recipe", write_pens(tmp_path / "pens.h5"))
    run = train(recipe, tmp_path / "run")
    assert learned_names(run) == ["dx", "dy", "eos", "end of the sequence"]
    (found,) = show_scored(run, "test", [1], [0.0, 2.0], expected=True)
    index = int(run.data.store.indices("test")[1])
    assert found.text == run.data.store.text(index)
    assert found.values.shape == (run.data.store.lengths[index], 3)
    assert found.judged is not None and found.low is not None and found.high is not None
    assert found.judged == pytest.approx(found.values[:, :2])
    assert found.low.shape == found.judged.shape and (found.low < found.high).all()
    assert np.isfinite(found.low).all()
