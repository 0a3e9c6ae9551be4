"""Likelihoods of adapting weights and of seeds together."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seqmdn.comparison import Task
from seqmdn.comparison.otherwise import other_likelihoods, read_frames
from tests.comparison.runs import frames_of, runs_of, with_adapted

Runs = dict[Task, dict[str, Any]]


def two_seeds() -> Runs:
    """Two models of two seeds; adapted, the second seed is a nat a frame better."""
    first = with_adapted(runs_of(a=3.0, b=2.0), a=1.0, b=1.5)
    return first | with_adapted(runs_of(seed=1, a=3.5, b=2.5), a=0.0, b=0.5)


def frames(found: Runs) -> dict[Task, dict[str, Any]]:
    return {task: frames_of(task, run) for task, run in found.items()}


def test_seeds_together_are_an_equal_mixture_of_each_frame() -> None:
    found = two_seeds()
    each = frames(found)
    random = np.random.default_rng(0)
    for arrays in each.values():
        arrays["log_prob"] = random.normal(size=9)
    together = other_likelihoods(found, each)["ensemble"]["a"]
    one, other = (each[task]["log_prob"] for task in found if task.model == "a")
    log_prob = np.log((np.exp(one) + np.exp(other)) / 2)
    nats = -np.array([log_prob[:2].sum(), log_prob[2:5].sum(), log_prob[5:].sum()])
    assert together.nll == pytest.approx((nats / [2, 3, 4])[np.newaxis])
    assert together.bits_per_dim == pytest.approx(nats.sum() / 18 / math.log(2))
    for run in found.values():
        run["unit"] = "nats/walk"
    whole = other_likelihoods(found, each)["ensemble"]["a"]
    assert whole.nll == pytest.approx(nats[np.newaxis])
    assert whole.bits_per_dim == together.bits_per_dim


def test_what_seeds_gain_together_is_paired_with_their_mean() -> None:
    found = two_seeds()
    others = other_likelihoods(found, frames(found))
    assert list(others) == ["adapted", "ensemble", "ensemble_adapted"]
    own = np.array([[3.0, 4.0, 5.0], [3.5, 4.5, 5.5]])
    entry = others["ensemble"]["a"].entry(own, limit=1.0)
    # Frames of 3 and 3.5 nats, and so on, at even odds.
    gain = -math.log((1 + math.exp(-0.5)) / 2) - 0.25
    assert entry["members"] == 2 and "rate" not in entry
    assert entry["nll"] == pytest.approx(4.25 + gain)
    assert entry["gap_to_limit"] == pytest.approx(3.25 + gain)
    assert entry["gain"]["delta"] == pytest.approx(gain)
    assert entry["gain"]["stderr"] == pytest.approx(0, abs=1e-12)
    both = others["ensemble_adapted"]["a"].entry(own, None)
    assert (both["members"], both["rate"]) == (2, 1e-3)
    assert both["nll"] == pytest.approx(2 - math.log((1 + math.e) / 2))


def test_densities_far_apart_are_mixed_in_log_space() -> None:
    found = with_adapted(runs_of(a=2e4), a=1.0) | with_adapted(runs_of(seed=1, a=1e4), a=1.0)
    together = other_likelihoods(found, frames(found))["ensemble"]["a"]
    assert together.nll[0] == pytest.approx(np.array([1e4, 1e4 + 1, 1e4 + 2]) + math.log(2))


def test_all_models_have_it_or_none() -> None:
    found = two_seeds()
    complete = frames(found)
    last = list(found)[-1]
    assert list(other_likelihoods(found, {})) == ["adapted"]
    assert list(other_likelihoods(found, complete | {last: {}})) == ["adapted"]
    partial = {name: array for name, array in complete[last].items() if name != "adapted"}
    assert list(other_likelihoods(found, complete | {last: partial})) == ["adapted", "ensemble"]
    found[last]["adapted"] = found[last]["adapted"] | {"rate": 1e-2}
    assert list(other_likelihoods(found, complete)) == ["ensemble"]
    del found[last]["adapted"]
    assert list(other_likelihoods(found, complete)) == ["ensemble"]
    single = {task: run for task, run in found.items() if task.seed == 0}
    assert "ensemble" not in other_likelihoods(single, frames(single))


def test_frames_are_read_without_pickles(tmp_path: Path) -> None:
    assert read_frames(tmp_path) == {}
    np.savez(tmp_path / "frames.npz", lengths=np.array([2]), log_prob=np.zeros(2))
    assert {name: array.tolist() for name, array in read_frames(tmp_path).items()} == {
        "lengths": [2],
        "log_prob": [0.0, 0.0],
    }
    np.savez(tmp_path / "frames.npz", log_prob=np.array([object()]))
    with pytest.raises(ValueError, match="allow_pickle"):
        read_frames(tmp_path)
