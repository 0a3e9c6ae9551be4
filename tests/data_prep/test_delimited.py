"""Tables of delimited text: cells, numbers and times, and the line of whatever is wrong."""

import doctest

import numpy as np
import pytest

import data_prep.categories
import data_prep.delimited
from data_prep.categories import MOST, Categories
from data_prep.delimited import read_delimited

TEXT = """\
when, wind ,sky
2016-01-01 01:00,3.5,"clear, cold"

2016-01-01 02:00,-1e-3,"rain
all day"
2016-01-01 03:00,NA,rain
"""


def test_cells_are_read_as_they_are_meant() -> None:
    table = read_delimited("t.csv", TEXT)
    assert table.names == ["when", "wind", "sky"] and table.lines == [2, 5, 6]
    assert table.column("sky") == ["clear, cold", "rain\nall day", "rain"]
    np.testing.assert_array_equal(table.numbers("wind", missing=True), [3.5, -1e-3, np.nan])
    assert np.diff(table.times("when")).tolist() == [3600, 3600]
    back = table.rows([2, 0])
    assert back.column("sky") == ["rain", "clear, cold"] and back.lines == [6, 2]
    assert read_delimited("t", "a;b\r\n1;2\r\n", ";").numbers("b").tolist() == [2]


def test_times_of_two_clocks_are_put_on_one() -> None:
    table = read_delimited("t", "t\n2016-10-30 02:00:00.000 +0200\n2016-10-30 02:00:00.000 +0100\n")
    assert np.diff(table.times("t")).tolist() == [3600]
    assert read_delimited("t", "t\n5\n2.5\n").times("t").tolist() == [5, 2.5]


@pytest.mark.parametrize("word", ["", "NA", "nan", "Null", "?", "N/A", "None"])
def test_what_is_missing_is_refused_unless_asked_for(word: str) -> None:
    table = read_delimited("t.csv", f"a,b\n1,2\n{word},2\n")
    assert np.isnan(table.numbers("a", missing=True)).tolist() == [False, True]
    with pytest.raises(ValueError, match="^t.csv, line 3: expected a number in column 'a', found"):
        table.numbers("a")


@pytest.mark.parametrize("word", ["wet", "1_000", "inf", "1e999", "1,5", "0x10", "--1", "."])
def test_text_among_numbers_is_named_by_its_line(word: str) -> None:
    table = read_delimited("t.csv", f"a;b\n1;2\n\n3;{word}\n", ";")
    with pytest.raises(ValueError, match=f"^t.csv, line 4: .*in column 'b', found '{word}'"):
        table.numbers("b", missing=True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected a line of names and rows below it, found no rows"),
        ("a,b\n", "found no rows"),
        ("a,a\n1,2\n", "none of them empty or twice there, found 'a', 'a'"),
        ("a,\n1,2\n", "none of them empty or twice there, found 'a', ''"),
        ("a,b\n1,2\n1,2,3\n", "line 3: expected 2 cells, as the first line has, found 3"),
        ("a,b\n1\n", "line 2: expected 2 cells, as the first line has, found 1"),
        ('a,b\n1,"2\n', "line 2: expected cells of delimited text, found something else"),
    ],
)
def test_what_is_no_table_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"^t.csv.*{message}"):
        read_delimited("t.csv", text)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("presure", "among Pressure, wind, found 'presure': did you mean 'Pressure'?$"),
        ("WIND", "did you mean 'wind'?$"),
        ("zzz", "found 'zzz': name one of these$"),
    ],
)
def test_a_column_that_is_not_there_has_near_ones(name: str, message: str) -> None:
    table = read_delimited("t.csv", "Pressure,wind\n1,2\n")
    with pytest.raises(ValueError, match=message.replace("?", r"\?")):
        table.column(name)
    with pytest.raises(ValueError, match="found 'a': name one of these, or give the delimiter"):
        read_delimited("t.csv", "Pressure;wind\n1;2\n").column("a")


@pytest.mark.parametrize("cell", ["yesterday", "2016-01-01 02:00+01:00", "5"])
def test_a_time_of_another_kind_is_named(cell: str) -> None:
    table = read_delimited("t.csv", f"t\n2016-01-01 01:00\n{cell}\n")
    with pytest.raises(ValueError, match="^t.csv, line 3: expected a number or a date like"):
        table.times("t")


def test_categories_are_those_of_training() -> None:
    kinds = Categories("sky", ["b", "a", "b"])
    assert kinds.names == ["sky=a", "sky=b"]
    assert kinds.one_hot(["b", "a"], ["", ""]).tolist() == [[0, 1], [1, 0]]
    message = r"^line 9: expected a category of column 'sky' that training has \(a, b\), found 'c'"
    with pytest.raises(ValueError, match=message):
        kinds.one_hot(["a", "c"], ["line 8", "line 9"])
    zero = Categories("sky", ["b", "a"], "zero")
    assert zero.one_hot(["c", "a"], ["", ""]).tolist() == [[0, 0], [1, 0]]
    assert zero.count_unseen(["c", "a", "d"]) == 2
    with pytest.raises(ValueError, match=f"at most {MOST} categories in training, found 257"):
        Categories("name", [str(number) for number in range(257)])


@pytest.mark.parametrize("module", [data_prep.categories, data_prep.delimited])
def test_examples(module: object) -> None:
    found = doctest.testmod(module)
    assert found.attempted and not found.failed
