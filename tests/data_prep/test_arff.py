"""Weka's tables of numbers, and the line of whatever is none."""

import doctest
from pathlib import Path

import numpy as np
import pytest

import data_prep.arff
from data_prep.arff import read_arff

TEXT = """\
% A comment.
@RELATION 'two words'

@attribute plain numeric
@ATTRIBUTE 'it''s' REAL
@attribute "Land use = 1"   integer
% Another one.
@DATA
1, -2.5e3 ,?

.5,?,3
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.arff"


def test_numbers_names_and_lines(path: Path) -> None:
    path.write_text(TEXT.replace("it''s", r"it\'s"))
    found = read_arff(path)
    assert found.names == ["plain", "it's", "Land use = 1"] and found.lines == [9, 11]
    np.testing.assert_array_equal(found.values, [[1, -2500, np.nan], [0.5, np.nan, 3]])


def test_example() -> None:
    found = doctest.testmod(data_prep.arff)
    assert found.attempted and not found.failed


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (".5,?,3", ".5,?", "line 11: expected 3 numbers or question marks, found '.5,\\?' of 2"),
        (".5,?,3", ".5,?,3,4", "line 11: expected 3 numbers"),
        (".5,?,3", ".5,wet,3", "line 11: expected 3 numbers"),
        (".5,?,3", ".5,inf,3", "line 11: expected 3 numbers"),
        (".5,?,3", "{0 1, 2 3}", "line 11: expected 3 numbers"),
        ("plain numeric", "plain {a, b}", "line 4: expected @attribute, a name and a kind among"),
        ("plain numeric", "plain", "line 4: expected @attribute, a name and a kind among"),
        ("plain numeric", "plain date", "line 4: expected @attribute, a name and a kind among"),
        ("plain", "'Land use = 1'", "expected each name once, found Land use = 1 twice"),
        ("@RELATION 'two words'", "", "line 4: expected @relation, then @attribute lines"),
        ("@DATA", "", "line 9: expected @relation, then @attribute lines, then @data"),
        ("@RELATION", "<html>", "line 2: expected @relation"),
    ],
)
def test_what_is_wrong_is_named_by_its_line(path: Path, old: str, new: str, message: str) -> None:
    text = TEXT.replace("it''s", "its")
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(ValueError, match=f"a.arff.*{message}") as error:
        read_arff(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("lines", [0, 4, 8])
def test_a_file_that_ends_early_is_refused(path: Path, lines: int) -> None:
    path.write_text("\n".join(TEXT.replace("it''s", "its").splitlines()[:lines]))
    with pytest.raises(ValueError, match="expected attributes and rows of ARFF, found"):
        read_arff(path)
