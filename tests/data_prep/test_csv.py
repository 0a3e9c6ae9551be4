"""One's own table: inputs, targets, categories and splits, and one line for what is wrong."""

from pathlib import Path

import numpy as np
import pytest

from data_prep.csv import main
from seqmdn.data import SPLITS, SequenceDataModule, Store

ROWS = 40
SKIES = ("clear", "rain", "snow")


def lines(sky: str = "clear rain snow") -> list[str]:
    skies = sky.split()
    return ["when;a;b;sky;y;z"] + [
        f"{2000 + row}-01-01;{row};{row * row};{skies[row % len(skies)]};{row / 4};{-row}"
        for row in range(ROWS)
    ]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "raw" / "my table.csv"
    path.parent.mkdir()
    path.write_text("\n".join(lines()), encoding="utf-8-sig")
    return path


def run(source: Path, *words: str, inputs: str = "a b", targets: str = "y z") -> Store:
    out = source.parent.parent / "a.h5"
    main(
        ["--source", str(source), "--out", str(out), "--delimiter", ";", "--inputs"]
        + [*inputs.split(), "--targets", *targets.split(), *words]
    )
    return Store(out)


def refused(source: Path, message: str, *words: str, **names: str) -> None:
    with pytest.raises(SystemExit, match=f"^data_prep.csv: .*{message}") as error:
        run(source, *words, **names)
    assert "\n" not in str(error.value)
    assert [path.name for path in source.parent.parent.iterdir()] == ["raw"]


def table(store: Store) -> tuple[np.ndarray, np.ndarray]:
    rows = [store.read(index) for index in range(len(store))]
    values, context = zip(*rows, strict=True)
    return np.concatenate(values), np.concatenate(context)


def test_columns_are_those_asked_for(source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = run(source, "--seed", "2", inputs="b a", targets="z")
    values, context = table(store)
    assert values[:, 0].tolist() == [-row for row in range(ROWS)]
    assert context.tolist() == [[row * row, row] for row in range(ROWS)]
    assert (store.names, store.context_names, store.name) == (["z"], ["b", "a"], "my table")
    assert capsys.readouterr().out.startswith("28 train, 4 valid, 8 test rows\nwrote ")
    assert store.attributes["command"] == (
        "python -m data_prep.csv --source 'my table.csv' --inputs b a --targets z --delimiter ';' "
        "--split random --shares 70,10,20 --seed 2 --unseen refuse"
    )
    assert [entry["file"] for entry in store.attributes["source"]] == ["my table.csv"]
    module = SequenceDataModule(store.path, batch_size=7)
    module.setup()
    assert next(iter(module.train_dataloader())).context.shape == (7, 1, 2)
    assert (run(source, "--seed", "3", targets="z").splits != store.splits).any()


def test_words_are_columns_of_those_of_training(source: Path) -> None:
    store = run(source, "--categories", "sky", inputs="a sky b")
    assert store.context_names == ["a", *(f"sky={sky}" for sky in SKIES), "b"]
    _, context = table(store)
    assert context[:, 1:4].argmax(1).tolist() == [row % 3 for row in range(ROWS)]
    assert (context[:, 1:4].sum(1) == 1).all()


def test_a_word_that_training_has_not_is_refused_or_nothing(
    source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = source.read_text(encoding="utf-8-sig").replace(";39;1521;clear", ";39;1521;hail")
    source.write_text(text)
    words = ("--categories", "sky", "--split", "time", "when")
    message = r"line 41: expected a category of column 'sky' .*\(clear, rain, snow\), found 'hail'"
    refused(source, message, *words, inputs="sky")
    store = run(source, *words, "--unseen", "zero", inputs="sky")
    assert "1 rows with a 'sky' that training has not: all zeros" in capsys.readouterr().out
    assert table(store)[1][-2:].tolist() == [[0, 0, 1], [0, 0, 0]]


def test_the_last_rows_of_time_are_the_test(source: Path) -> None:
    store = run(source, "--split", "time", "when", "--shares", "50,25,25")
    assert [store.indices(split).tolist() for split in SPLITS] == [
        list(range(20)),
        list(range(20, 30)),
        list(range(30, 40)),
    ]
    first, *rest = lines()
    source.write_text("\n".join([first, *rest[::-1]]))
    message = "line 3: expected rows in the order of 'when', found '2038-01-01' below '2039-01-01'"
    store.path.unlink()
    refused(source, message, "--split", "time", "when")
    again = run(source, "--split", "time", "when", "--sort", "--shares", "50,25,25")
    np.testing.assert_array_equal(table(again)[0], table(run(source, inputs="a"))[0][::-1])
    assert again.splits.tolist() == store.splits.tolist()


def test_targets_may_be_missing_where_that_is_asked_for(source: Path) -> None:
    text = source.read_text(encoding="utf-8-sig").replace(";2.5;-10", ";NaN;-10")
    source.write_text(text)
    refused(source, "line 12: expected a number in column 'y', found 'NaN': .*give --missing")
    store = run(source, "--missing")
    assert store.missing and store.observed(10).tolist() == [[False, True]]
    assert store.observed(9).tolist() == [[True, True]]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (";7;49;", ";7;wet;", "line 9: expected a finite number in column 'b', found 'wet'"),
        (";7;49;", ";7;;", "line 9: expected a number in column 'b', found ''"),
        (";7;49;", ";49;", "line 9: expected 6 cells, as the first line has, found 5"),
        (";7;49;rain;", ";7;49;;", "line 9: expected a word in column 'sky', found none"),
        ("when;a;b;sky;y;z", "when;a;b;sky;y;y", "none of them empty or twice there"),
    ],
)
def test_what_is_wrong_is_named_by_its_line(source: Path, old: str, new: str, message: str) -> None:
    text = source.read_text(encoding="utf-8-sig")
    assert old in text
    source.write_text(text.replace(old, new))
    refused(source, message, "--categories", "sky", inputs="a b sky")


@pytest.mark.parametrize(
    ("words", "names", "message"),
    [
        ((), {"inputs": "a c"}, "expected a column among when, a, .*found 'c'"),
        ((), {"targets": "skies"}, r"found 'skies': did you mean 'sky'\?"),
        ((), {"inputs": "a y"}, "each column once among them, found y twice"),
        ((), {"inputs": "a sky"}, "line 2: expected a finite number in column 'sky'.*'clear'"),
        (("--categories", "sky"), {}, "categories to be among the inputs, found sky"),
        (("--split", "time"), {}, "a split 'random' or 'time COLUMN', found 'time'"),
        (("--split", "time", "sky"), {}, "line 2: expected a number or a date .*'sky'"),
        (("--sort",), {}, "--sort with a split by time, found a random one"),
        (("--shares", "98,1,1"), {}, "by 98/1/1 percent, found 40, none for"),
        (("--delimiter", "::"), {}, "a delimiter of one letter, or tab, found '::'"),
        (("--delimiter", ","), {}, "name one of these, or give the delimiter"),
    ],
)
def test_what_is_asked_for_must_make_sense(
    source: Path, words: tuple[str, ...], names: dict[str, str], message: str
) -> None:
    refused(source, message, *words, **names)


def test_a_constant_target_is_refused(source: Path) -> None:
    first, *rest = lines()
    source.write_text("\n".join([first, *(";".join([*row.split(";")[:-1], "3"]) for row in rest)]))
    refused(source, "target 'z': expected values that vary in training, found 3 in each of 28 rows")


def test_another_file_is_one_line(source: Path) -> None:
    source.write_bytes(b"a;b\n\xff\xfe;1\n")
    refused(source, "expected text in UTF-8, found other bytes")
    source.unlink()
    refused(source, "expected a table of delimited text at .*my table.csv, found no such file")
