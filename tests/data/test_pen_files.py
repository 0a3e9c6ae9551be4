"""Files of one's own pen: what is read, and what is refused by file and place."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seqmdn.data import PenDrawing, read_pen_file


def save(path: Path, content: Any) -> Path:
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def same(drawing: PenDrawing, text: str | None, strokes: list[list[list[float]]]) -> None:
    assert drawing.text == text and len(drawing.strokes) == len(strokes)
    for found, expected in zip(drawing.strokes, strokes, strict=True):
        assert found.dtype == np.float64
        np.testing.assert_array_equal(found, expected)


def test_json_of_one_and_of_many(tmp_path: Path) -> None:
    one = {"strokes": [[[1, 2, 17, 0.5], [3.5, -4]], [[0, 0]]], "pen": "mine"}
    (drawing,) = read_pen_file(save(tmp_path / "a.json", one))
    same(drawing, None, [[[1, 2], [3.5, -4]], [[0, 0]]])
    many = [{**one, "text": "grüße"}, {"strokes": [[[5, 6]]], "text": None}]
    first, second = read_pen_file(save(tmp_path / "b.JSON", many))
    same(first, "grüße", [[[1, 2], [3.5, -4]], [[0, 0]]])
    same(second, None, [[[5, 6]]])


def test_csv_with_its_text_beside(tmp_path: Path) -> None:
    content = "t, y ,stroke,x\n0,2,a,1\n1,3,a,2\n\n2,1e1,b,-4.5\n3,0,a,0\n"
    path = save(tmp_path / "a.csv", content)
    (drawing,) = read_pen_file(path)
    same(drawing, None, [[[1, 2], [2, 3]], [[-4.5, 10]], [[0, 0]]])
    save(tmp_path / "a.txt", "hello there\n")
    assert read_pen_file(path)[0].text == "hello there"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "a.json, line 1: expected JSON, found none"),
        ('{\n"strokes": [[[1, 2]]\n', "a.json, line 3: expected JSON"),
        ("[" * 100_000, "found lists within lists|expected JSON"),
        ("[]", "found an empty list"),
        ("3", "drawing 1: expected .*found 3"),
        ({"points": []}, "drawing 1: expected .*strokes.*at least one stroke"),
        ({"strokes": []}, "drawing 1: expected .*at least one stroke"),
        ([{"strokes": [[[1, 2]]]}, {"strokes": [[]]}], r"drawing 2, stroke 1: .*found \[\]"),
        ({"strokes": [[[1, 2]], [[1, 2], [1]]]}, r"drawing 1, stroke 2, point 2: .*found \[1\]"),
        ({"strokes": [[[1, "2"]]]}, r"stroke 1, point 1: expected finite numbers"),
        ({"strokes": [[[1, True]]]}, r"stroke 1, point 1: expected finite numbers"),
        ({"strokes": [[1, 2]]}, r"stroke 1, point 1: expected finite numbers .*found 1"),
        ('{"strokes": [[[1, NaN]]]}', "stroke 1, point 1: .*nan"),
        ('{"strokes": [[[1e999, 0]]]}', "stroke 1, point 1: .*inf"),
        ('{"strokes": [[[1%s, 0]]]}' % ("0" * 400), "stroke 1, point 1: expected finite"),
        ({"strokes": [[[1, 2]]], "text": 3}, "drawing 1: expected text in quotes, found 3"),
    ],
)
def test_json_that_is_none_is_named(tmp_path: Path, content: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message) as error:
        read_pen_file(save(tmp_path / "a.json", content))
    assert str(error.value).startswith(str(tmp_path / "a.json")) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "line 1: expected a header with the columns stroke, x, y"),
        ("1,2,3\n", "line 1: expected a header .*found '1,2,3'"),
        ("stroke,x\n1,2\n", "line 1: expected a header"),
        ("stroke,x,y,x\n1,2,3,4\n", "line 1: expected a header"),
        ("stroke,x,y\n", "found none below the header"),
        ("stroke,x,y\n1,2,3\n1,2\n", "line 3: .*found '1,2'"),
        ("stroke,x,y\n1,2,3\n\n1,two,2\n", "line 4: .*found '1,two,2'"),
        ("stroke,x,y\n1,nan,2\n", "line 2: .*found '1,nan,2'"),
        ("stroke,x,y\n1,2,inf\n", "line 2: .*found '1,2,inf'"),
        ("stroke,x,y\n,2,3\n", "line 2: expected a stroke"),
    ],
)
def test_csv_that_is_none_is_named(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as error:
        read_pen_file(save(tmp_path / "a.csv", content))
    assert str(error.value).startswith(str(tmp_path / "a.csv")) and "\n" not in str(error.value)


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"\.json or \.csv, found the ending '\.svg'"):
        read_pen_file(save(tmp_path / "a.svg", ""))
    with pytest.raises(FileNotFoundError, match="a.json: .*found no such file"):
        read_pen_file(tmp_path / "a.json")
    (tmp_path / "b.json").write_bytes(b'{"strokes": "\xff"}')
    with pytest.raises(ValueError, match=r"b.json: expected text in UTF-8"):
        read_pen_file(tmp_path / "b.json")
