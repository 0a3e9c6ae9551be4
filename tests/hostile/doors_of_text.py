"""JSON, text and tables."""

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

from tests.hostile.door import JSON, TABLE, TEXT, ZIP, Door, add, of_zip


def _write_json(folder: Path) -> None:
    content = {"nll": 1.5, "versions": {"git": "a"}, "per": [1.0, 2], "text": "é", "none": None}
    (folder / "metrics.json").write_text(json.dumps(content))


def _read_json(path: Path) -> None:
    from seqmdn.reading import read_json

    read_json(path, dict)


add(Door("JSON", "metrics.json", _write_json, _read_json, words=JSON))


def _write_pens(folder: Path) -> None:
    drawings = [{"strokes": [[[0, 0, 1], [1.5, 2, 2]], [[5, 5, 3]]], "text": "a"}]
    (folder / "a.json").write_text(json.dumps(drawings))
    (folder / "a.csv").write_text("stroke,x,y,t\n1,0,0,0\n1,2.5,1,1\n2,3,3,2\n")


def _read_pens(path: Path) -> None:
    from seqmdn.data import read_pen_file

    read_pen_file(path)


add(Door("pen strokes, JSON", "a.json", _write_pens, _read_pens, words=JSON))
add(Door("pen strokes, CSV", "a.csv", _write_pens, _read_pens, words=TABLE))


def _write_table(folder: Path) -> None:
    rows = [f"{n},{n / 7:.3f},{'ab'[n % 2]},2020-01-{n + 1:02d} 00:00" for n in range(20)]
    (folder / "a.csv").write_text("\n".join(["x,y,kind,when", *rows]))


def _read_table(path: Path) -> None:
    from data_prep.csv import prepare

    prepare(
        path, path.parent / "out.h5", ["x", "kind"], ["y"], ["kind"], split=("time", "when"),
        sort=True, unseen="zero",
    )  # fmt: skip


add(Door("table", "a.csv", _write_table, _read_table, words=TABLE, named=False))


def _write_arff(folder: Path) -> None:
    lines = ["@relation a", "@attribute 'x y' real", "@attribute z numeric", "@data"]
    (folder / "a.arff").write_text("\n".join([*lines, "0.5,1", "?,2", "% none", "1e3,-4"]))


def _read_arff(path: Path) -> None:
    from data_prep.arff import read_arff

    read_arff(path)


_ARFF = (b"@data", b"@attribute ", b"@relation ", b"'" + b"\\" * 5000, b"% ", b"{a,b}", *TABLE)
add(Door("ARFF", "a.arff", _write_arff, _read_arff, words=_ARFF))


def _write_quickdraw(folder: Path) -> None:
    lines = [
        json.dumps(
            {
                "key_id": str(number),
                "word": "cat",
                "recognized": True,
                "drawing": [[[0, 9.5, 30], [0, 7, number], [0, 5, 9]], [[4, 5], [6, 7], [10, 12]]],
            }
        )
        for number in range(30)
    ]
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("cat.ndjson", "\n".join(lines))
    (folder / "a.zip").write_bytes(stream.getvalue())


def _read_quickdraw(path: Path) -> None:
    from data_prep.quickdraw import prepare

    prepare(path, path.parent / "out.h5")


add(
    Door(
        name="drawings, zipped",
        file="a.zip",
        build=_write_quickdraw,
        read=_read_quickdraw,
        layers=of_zip,
        words=(*ZIP, *JSON),
        named=False,
    )
)


def _write_lists(folder: Path) -> None:
    entries = [
        {"file": f"{n}.flac", "text": "a b", "split": "train", "samples": 8} for n in range(3)
    ]
    (folder / "metadata.json").write_text(json.dumps(entries))
    (folder / "metadata.csv").write_text("LJ1|one 1|one one\nLJ2|two|two\n")
    columns = "age,filename,native_language,speakerid,file_missing?"
    rows = ["24,a1,english,1,FALSE", "30,b1,french,2,FALSE", "30,c1,french,3,TRUE"]
    (folder / "speakers_all.csv").write_text("\n".join([columns, *rows]))
    (folder / "pendigits.tra").write_text("\n".join(["1, " * 16 + "7"] * 3))
    (folder / "words.txt").write_text("one\ntwo\nthree\n")


def _list(module: str, function: str = "_read") -> Callable[[Path], None]:
    def read(path: Path) -> None:
        from importlib import import_module

        getattr(import_module(f"data_prep.{module}"), function)(path)

    return read


for _name, _file, _reader, _words in (
    ("list, JSON", "metadata.json", _list("kathleen"), JSON),
    ("list, bars", "metadata.csv", _list("ljspeech"), (b"|", *TABLE)),
    ("list, CSV", "speakers_all.csv", _list("accent"), TABLE),
    ("pen digits", "pendigits.tra", _list("pendigits"), TABLE),
    ("words", "words.txt", _list("omniglot_words", "read_words"), TEXT),
):
    add(Door(_name, _file, _write_lists, _reader, words=_words))


def _write_xml(folder: Path) -> None:
    points = "".join(f'<Point x="{n}" y="{n * n}" time="{n}.5"/>' for n in range(5))
    (folder / "a.xml").write_text(
        '<?xml version="1.0" encoding="ISO-8859-1"?>\n<WhiteboardCaptureSession>'
        '<WhiteboardDescription><SensorLocation corner="top_left"/></WhiteboardDescription>'
        f"<StrokeSet><Stroke>{points}</Stroke><Stroke>{points}</Stroke></StrokeSet>"
        "</WhiteboardCaptureSession>\n"
    )


def _read_xml(path: Path) -> None:
    from data_prep.whiteboard import read_whiteboard

    read_whiteboard(path)


_XML = (
    *(b'<!DOCTYPE a [<!ENTITY b "c">]>', b"&b;", b"<Point/>", b"<a>" * 2000, b"utf-16", b"hex"),
    *(b"<StrokeSet>", b"</Stroke>", b"&#0;", b"<![CDATA[", b"<!--", b"idna", b"rot13", *TEXT),
)
add(Door("XML", "a.xml", _write_xml, _read_xml, words=_XML))
