"""Differences of two models on the same sequences, and their errors."""

import math

import numpy as np
import pytest

from seqmdn.comparison.pairs import difference_to, paired, standard_error


def test_of_one_seed_the_error_is_that_of_sequences() -> None:
    values = np.array([[1.0, 2.0, 4.0, 9.0]])
    assert standard_error(values) == pytest.approx(values.std(ddof=1) / 2)


def test_the_error_has_both_kinds_of_chance() -> None:
    # Seeds and sequences that add up: the mean varies by either, with its own variance.
    rng = np.random.default_rng(0)
    seeds, sequences, repeats = 3, 8, 4000
    values = rng.normal(size=(repeats, seeds, 1)) + 2 * rng.normal(size=(repeats, 1, sequences))
    squared = np.mean([standard_error(each) ** 2 for each in values])
    assert squared == pytest.approx(1 / seeds + 4 / sequences, rel=0.05)
    assert squared == pytest.approx(values.mean(axis=(1, 2)).var(), rel=0.1)


def test_a_difference_is_paired_sequence_by_sequence() -> None:
    first = np.array([[1.0, 5.0, 30.0], [3.0, 5.0, 32.0]])
    second = np.array([[2.0, 5.0, 33.0], [4.0, 5.0, 35.0]])
    found = paired(first, second)
    assert found["delta"] == pytest.approx(-4 / 3)
    assert found["stderr"] == pytest.approx(np.std([-1, 0, -3], ddof=1) / math.sqrt(3))
    assert (found["sequences_better"], found["sequences_worse"]) == (2, 0)
    assert found["share_of_sequences_better"] == pytest.approx(2 / 3)
    assert found["sign_test_p"] == pytest.approx(0.5)


def test_a_pair_is_found_whichever_way_round_it_stands() -> None:
    result = {"paired": {"b - a": {"delta": 2.0, "stderr": 0.5, "sign_test_p": 0.1}}}
    assert difference_to(result, "b", "a") == result["paired"]["b - a"]
    assert difference_to(result, "a", "b") == {"delta": -2.0, "stderr": 0.5, "sign_test_p": 0.1}
    assert difference_to(result, "a", "a") is None
