"""What a store takes, check by check; that the writer asks them is in test_writer."""

import re

import numpy as np
import pytest

from seqmdn.data.checks import check_attribute, check_frames, check_names, check_observed


def test_what_fits_is_given_back() -> None:
    assert check_names("features", "x", least=1) == ["x"]
    assert check_names("context", (), least=0) == []
    assert check_attribute("note", "a word", ["unit"]) == "a word"
    assert check_attribute("rates", [1, 2], []).tolist() == [1, 2]
    frames = check_frames([[1, 2.5]], ["x", "y"], "sequence 0")
    assert frames.dtype == np.float32 and frames.tolist() == [[1, 2.5]]
    assert check_observed(None, (1, 2), missing=False, where="") is None
    everything = check_observed(None, (1, 2), missing=True, where="")
    assert everything is not None and everything.all() and everything.shape == (1, 2)
    some = np.array([[True, False]])
    assert check_observed(some, (1, 2), missing=True, where="") is some


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ([], "features to be 1 names or more, found 0"),
        (["x", "x"], "none of them empty or twice there, found ['x', 'x']"),
        (["x", ""], "none of them empty or twice there, found ['x', '']"),
    ],
)
def test_names_that_are_none_are_refused(names: list[str], words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        check_names("features", names, least=1)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({}, "a string, a number or an array of numbers, found {}"),
        (["a", "b"], "a string, a number or an array of numbers, found ['a', 'b']"),
        (np.zeros(10_000), "at most 60000 bytes, found 80000"),
    ],
)
def test_attributes_that_cannot_be_kept_are_refused(value: object, words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        check_attribute("extra", value, ["unit"])
    with pytest.raises(ValueError, match="attribute 'unit': expected another name"):
        check_attribute("unit", 1, ["unit"])


def test_frames_that_do_not_fit_are_refused() -> None:
    for wrong in ([1.0, 2.0], [[1.0]], [["a", "b"]]):
        with pytest.raises(ValueError, match=r"row 3: expected numbers of shape \(frames, 2\)"):
            check_frames(wrong, ["x", "y"], "row 3")
    with pytest.raises(ValueError, match="row 3"):
        check_frames([[np.inf, 0.0]], ["x", "y"], "row 3")
    with pytest.raises(ValueError, match="row 3"):
        check_frames([[1e300, 0.0]], ["x", "y"], "row 3")


def test_what_was_observed_must_be_asked_for_and_fit() -> None:
    seen = np.ones((1, 2), np.bool_)
    with pytest.raises(ValueError, match="make the StoreWriter with missing=True"):
        check_observed(seen, (1, 2), missing=False, where="row 3")
    for wrong in (seen[:, :1], seen.astype(int)):
        with pytest.raises(ValueError, match="expected observed to be boolean of shape"):
            check_observed(wrong, (1, 2), missing=True, where="row 3")
