"""Evolution: it climbs, it goes on where it stopped, and it takes nobody else's file."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from seqmdn.worlds.evolution import Evolution


def hill(candidates: np.ndarray) -> np.ndarray:
    return -((candidates - 0.5) ** 2).sum(1)


def climb(path: Path, generations: int, **options: float) -> Evolution:
    evolution = Evolution(path, **({"size": 40, "population": 10, "sigma": 0.3} | options))
    while evolution.generation < generations:
        evolution.tell(hill(evolution.ask()))
    return evolution


def test_it_climbs(tmp_path: Path) -> None:
    evolution = climb(tmp_path / "e.json", 60)
    assert np.mean(evolution.scores[-1]) > np.mean(evolution.scores[0]) / 3
    assert hill(evolution.mean[None])[0] > hill(np.zeros((1, 40)))[0] / 2


def test_stopped_anywhere_it_goes_on_as_if_never_stopped(tmp_path: Path) -> None:
    whole = climb(tmp_path / "whole.json", 7)
    for generations in (1, 2, 5):
        stopped = climb(tmp_path / "parts.json", generations)
        stopped.ask()  # and killed before the scores were told
    went_on = climb(tmp_path / "parts.json", 7)
    assert went_on.scores == whole.scores
    np.testing.assert_array_equal(went_on.ask(), whole.ask())
    np.testing.assert_array_equal(went_on.mean, whole.mean)


def test_the_global_generator_is_left_alone_and_says_nothing(tmp_path: Path) -> None:
    np.random.seed(0)
    first = climb(tmp_path / "a.json", 2)
    after = np.random.get_state()[1]
    np.random.seed(1)
    assert climb(tmp_path / "b.json", 2).scores == first.scores
    np.random.seed(0)
    np.testing.assert_array_equal(np.random.get_state()[1], after)
    assert climb(tmp_path / "c.json", 2, seed=1).scores != first.scores


def test_asking_twice_gives_the_same_candidates(tmp_path: Path) -> None:
    evolution = climb(tmp_path / "e.json", 1)
    asked = evolution.ask()
    asked[:] = 0  # what is done to them does not reach the evolution
    assert (evolution.ask() != 0).any()
    np.testing.assert_array_equal(evolution.ask(), evolution.ask())


def test_other_settings_are_refused(tmp_path: Path) -> None:
    climb(tmp_path / "e.json", 1)
    for options in ({"sigma": 0.4}, {"population": 12}, {"size": 41}, {"seed": 1}):
        with pytest.raises(ValueError, match="expected an evolution of .* found .*: give these"):
            climb(tmp_path / "e.json", 2, **options)


@pytest.mark.parametrize("content", ["", "[]", '{"format": 1}', '{"a": 1'])
def test_what_is_no_evolution_is_refused_and_left_alone(tmp_path: Path, content: str) -> None:
    path = tmp_path / "e.json"
    path.write_text(content)
    with pytest.raises(ValueError, match="expected the scores of an evolution, found"):
        climb(path, 1)
    assert path.read_text() == content


def test_damaged_scores_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "e.json"
    climb(path, 2)
    content = json.loads(path.read_text())
    content["scores"][1] = content["scores"][1][:-1]
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match="expected 10 finite scores, found"):
        climb(path, 3)


def test_scores_that_are_not_finite_are_refused_and_not_written(tmp_path: Path) -> None:
    evolution = climb(tmp_path / "e.json", 1)
    with pytest.raises(ValueError, match="expected 10 finite scores, found .*nan"):
        evolution.tell([np.nan] + [0.0] * 9)
    assert climb(tmp_path / "e.json", 1).generation == 1


def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cma", None)
    with pytest.raises(ImportError, match=r"expected the package cma, found none .* pip install"):
        Evolution(tmp_path / "e.json", 3)
