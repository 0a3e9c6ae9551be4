"""Whiteboard strokes in XML: points in their order, and files that are hostile or cut off."""

from pathlib import Path

import numpy as np
import pytest

from data_prep.whiteboard import read_whiteboard

HEAD = """<?xml version="1.0" encoding="ISO-8859-1"?>
<WhiteboardCaptureSession>
  <WhiteboardDescription>
    <SensorLocation corner="top_left"/>
    <DiagonallyOppositeCoords x="6512" y="1376"/>
  </WhiteboardDescription>
  <StrokeSet>
"""
TAIL = "  </StrokeSet>\n</WhiteboardCaptureSession>\n"


def session(strokes: list[list[tuple[float, float]]], head: str = HEAD) -> str:
    """A file as the database's owner writes it."""
    lines = []
    for stroke in strokes:
        lines.append('    <Stroke colour="black" start_time="769.05" end_time="769.64">')
        lines += [f'      <Point x="{x}" y="{y}" time="769.05"/>' for x, y in stroke]
        lines.append("    </Stroke>")
    return head + "\n".join(lines) + "\n" + TAIL


def test_strokes_and_corner(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text(session([[(1, 2), (3, 4.5)], [], [(-7, 0)]]))
    strokes, corner = read_whiteboard(tmp_path / "a.xml")
    assert corner == "top_left" and [stroke.tolist() for stroke in strokes] == [
        [[1, 2], [3, 4.5]],
        [[-7, 0]],
    ]
    assert strokes[0].dtype == np.float64


LAUGHS = '<?xml version="1.0"?>\n<!DOCTYPE a [\n<!ENTITY b "ha">\n' + "".join(
    f'<!ENTITY b{number} "{f"&b{number - 1 if number else str()};" * 10}">\n'
    for number in range(30)
)
OUTSIDE = '<?xml version="1.0"?>\n<!DOCTYPE a [<!ENTITY b SYSTEM "secret.txt">]>\n<a>&b;</a>'


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (LAUGHS + "]>\n<a>&b29;</a>", "line 2: expected no document type"),
        (OUTSIDE, "line 2: expected no document type"),
        (OUTSIDE.encode("utf-16"), "line 2: expected no document type"),
        ('<!DOCTYPE a SYSTEM "a.dtd"><a/>', "line 1: expected no document type"),
        (session([[(1, 2)]])[:-40], r"line 1\d: expected XML, found none"),
        ("", "line 1: expected XML, found none"),
        ("x,y\n1,2\n", "line 1: expected XML, found none"),
        ("<a>\n&b;</a>", "line 2: expected XML, found none .*entity"),
        (session([[(1, 2), (float("nan"), 2)]]), "line 10: expected a Point with finite x and y"),
        (session([[(1, 2), (2, float("inf"))]]), "line 10: expected a Point"),
        (session([[(1, 2)]]).replace('y="2"', ""), "line 9: expected a Point"),
        (session([[(1, 2)]]).replace('y="2"', 'y="two"'), "line 9: expected a Point .*two"),
        (session([]), "expected a StrokeSet with strokes, found none"),
        (session([[]]), "expected a StrokeSet with strokes, found none"),
        ('<a><Stroke><Point x="1" y="2"/></Stroke></a>', "expected a StrokeSet with strokes"),
    ],
)
def test_a_file_that_is_none_is_named(tmp_path: Path, content: str | bytes, message: str) -> None:
    path = tmp_path / "a.xml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(ValueError, match=message) as error:
        read_whiteboard(path)
    assert str(error.value).startswith(str(path)) and "\n" not in str(error.value)
