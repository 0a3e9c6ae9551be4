"""The numbers of a comparison: means, standard errors, paired differences."""

import math
from pathlib import Path
from typing import Any

import pytest

from seqmdn.comparison import markdown_table, summarise
from tests.comparison.runs import in_other_units, runs_of, with_adapted, with_scores


def test_a_result_without_a_limit_of_the_validation_is_a_table_all_the_same() -> None:
    found = runs_of(a=1.0)
    for run in found.values():
        run["limit"] = 0.5
    old, new = (summarise(Path("recipe"), found, "", limit) for limit in (None, 0.75))
    assert "limit_valid" not in old and new.pop("limit_valid") == 0.75
    assert old == new
    assert "No model can be below 0.50 nats/frame." in markdown_table(old)


def test_frames_that_pieces_leave_out_are_said_only_of_pieces() -> None:
    found = runs_of(a=1.0, b=2.0)
    assert "test_frames_left_out" not in summarise(Path("recipe"), found, "")["dataset"]
    for run in found.values():
        run["dataset"] = {**run["dataset"], "frames_left_out": 7}
    assert summarise(Path("recipe"), found, "")["dataset"]["test_frames_left_out"] == 7
    run["dataset"]["frames_left_out"] = 0
    with pytest.raises(ValueError, match="other data: expected frames_left_out 7, found 0"):
        summarise(Path("recipe"), found, "")


def test_every_pair_is_compared_the_later_minus_the_earlier() -> None:
    result = summarise(Path("recipe"), runs_of(a=1.0, b=3.0, c=2.0), "command")
    deltas = {name: pair["delta"] for name, pair in result["paired"].items()}
    assert deltas == {"b - a": 2.0, "c - a": 1.0, "c - b": -1.0}
    shares = [pair["share_of_sequences_better"] for pair in result["paired"].values()]
    assert shares == [0.0, 0.0, 1.0]
    assert [pair["stderr"] for pair in result["paired"].values()] == [0.0, 0.0, 0.0]
    assert result["models"]["b"]["stderr"] == pytest.approx(1 / math.sqrt(3))
    assert "limit" not in result and "gap_to_limit" not in result["models"]["a"]
    assert "limit" not in markdown_table(result)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"dataset": {"name": "other", "sha256": "1"}},
            "b, seed 0 was scored on other data: expected sha256 0, found 1",
        ),
        ({"unit": "nats/walk"}, "expected unit nats/frame, found nats/walk"),
        ({"split": "valid"}, "b, seed 0 was last scored on the split 'valid': .*evaluate b`"),
    ],
)
def test_runs_scored_otherwise_are_refused(change: dict[str, Any], message: str) -> None:
    found = runs_of(a=1.0, b=2.0)
    list(found.values())[1].update(change)
    with pytest.raises(ValueError, match=message):
        summarise(Path("recipe"), found, "command")


def test_scores_are_means_over_seeds_with_both_kinds_of_chance() -> None:
    first = with_scores(1.0, 0, crps=2.0, energy_score=5.0, coverage_90=0.8, accuracy=0.7)
    second = with_scores(1.0, 1, crps=3.0, energy_score=7.0, coverage_90=0.9, accuracy=0.6)
    for runs in (first, first | second):
        entry = summarise(Path("recipe"), runs, "")["models"]["a"]
        for key in ("crps", "energy_score", "coverage_90", "accuracy"):
            values = [found[key] for found in runs.values()]
            assert entry[key] == pytest.approx(sum(values) / len(values))
            # Two values vary by half of their squared distance, their mean by half of that.
            seeds = (values[-1] - values[0]) ** 2 / 4
            assert entry[f"{key}_stderr"] == pytest.approx(math.sqrt(0.3**2 + seeds))


def test_signs_are_counted_over_sequences() -> None:
    found = runs_of(a=1.0, b=1.0)
    list(found.values())[1]["nll_per_sequence"] = [0.0, 2.0, 1.0]  # better, equal, better
    pair = summarise(Path("recipe"), found, "")["paired"]["b - a"]
    assert (pair["sequences_better"], pair["sequences_worse"]) == (2, 0)
    assert pair["sign_test_p"] == pytest.approx(0.5)
    assert pair["share_of_sequences_better"] == pytest.approx(2 / 3)


def test_a_grid_is_paired_with_its_best_and_what_is_asked_for() -> None:
    result = summarise(Path("recipe"), runs_of(a=3.0, b=1.0, c=2.0), "", pairs=[])
    assert {name: pair["delta"] for name, pair in result["paired"].items()} == {
        "a - b": 2.0,
        "c - b": 1.0,
    }
    more = summarise(Path("recipe"), runs_of(a=3.0, b=1.0, c=2.0), "", pairs=[("c", "a")])
    assert more["paired"]["c - a"]["delta"] == -1.0 and len(more["paired"]) == 3


def test_times_to_draw_are_those_of_one_measurement() -> None:
    found = runs_of(a=1.0, b=2.0)
    for number, run in enumerate(found.values()):
        run["draw"] = {"seconds": 0.5 + number, "unit": "s/frame", "measured": "then"}
    result = summarise(Path("recipe"), found, "", budget={"held": "steps", "steps": 2})
    assert [entry["draw_seconds"] for entry in result["models"].values()] == [0.5, 1.5]
    assert result["draw"] == {"unit": "s/frame", "measured": "then"}
    assert result["budget"] == {"held": "steps", "steps": 2}
    old = markdown_table(summarise(Path("recipe"), runs_of(a=1.0, b=2.0), ""))
    assert markdown_table(result) == old, "the table of a README is the same with and without"
    list(found.values())[1]["draw"]["measured"] = "at another time"
    result = summarise(Path("recipe"), found, "")
    assert "draw" not in result and "draw_seconds" not in result["models"]["a"]


def test_other_likelihoods_stand_in_each_entry_and_are_paired() -> None:
    found = with_adapted(runs_of(a=3.0, b=2.0), a=1.0, b=1.5)
    result = summarise(Path("recipe"), found, "")
    a = result["models"]["a"]["adapted"]
    assert (a["rate"], a["nll"], a["gain"]["delta"]) == (1e-3, 2.0, -2.0)
    assert a["stderr"] == pytest.approx(1 / math.sqrt(3)) and a["gain"]["stderr"] == 0
    assert result["paired_adapted"]["b - a"]["delta"] == 0.5
    assert result["paired"]["b - a"]["delta"] == -1.0
    assert "ensemble" not in result["models"]["a"] and "gap_to_limit" not in a
    for run in found.values():
        run["limit"] = 0.5
    limited = summarise(Path("recipe"), found, "")["models"]["a"]["adapted"]
    assert limited == a | {"gap_to_limit": 1.5}


def test_other_units_are_means_over_seeds_where_every_run_has_them() -> None:
    found = runs_of(a=1.0, b=3.0) | runs_of(seed=1, a=2.0)
    assert "normalised" not in summarise(Path("recipe"), found, "")["models"]["a"]
    found = in_other_units(found)
    result = summarise(Path("recipe"), found, "")
    assert result["frame_unit"] == "nats/pen point"
    # The NLL of a run is that of its name plus 1; frames are four a sequence, a scale takes 8 away.
    a, b = result["models"]["a"], result["models"]["b"]
    assert a["nll_per_frame"] == pytest.approx((2 / 4 + 3 / 4) / 2)
    assert a["normalised"] == pytest.approx(
        {"nll": (2 - 8 + 3 - 8) / 2, "nll_per_frame": (2 - 8 + 3 - 8) / 2 / 4}
    )
    assert b["normalised"] == pytest.approx({"nll": 4 - 8, "nll_per_frame": (4 - 8) / 4})
    del list(found.values())[-1]["normalised"]
    some = summarise(Path("recipe"), found, "")["models"]
    assert "normalised" in some["b"] and not {"normalised", "nll_per_frame"} & some["a"].keys()
