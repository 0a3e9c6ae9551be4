"""Szeged's weather: unknown pressures, doubled hours, clocks, and a test of later years."""

import zipfile
from pathlib import Path

import numpy as np
import pytest

from data_prep.weather import INPUTS, main, prepare
from seqmdn.data import SPLITS, SequenceDataModule, Store

HEADER = (
    "Formatted Date,Summary,Precip Type,Temperature (C),Apparent Temperature (C),Humidity,"
    "Wind Speed (km/h),Wind Bearing (degrees),Visibility (km),Loud Cover,Pressure (millibars),"
    "Daily Summary"
)
HOURS = 40
KINDS = ("rain", "snow", "null")


def line(hour: int, **changes: object) -> str:
    """The hour that is so many after midnight of 2006-01-01, by a clock an hour before UTC."""
    cells: dict[str, object] = {
        "time": f"2006-01-{1 + hour // 24:02} {hour % 24:02}:00:00.000 +0100",
        "summary": '"Clear, mostly"',
        "kind": KINDS[hour % 3],
        "temperature": hour / 2,
        "apparent": hour / 4,
        "humidity": hour / 100,
        "wind": hour % 7,
        "bearing": 90 * (hour % 4),
        "visibility": 16 - hour / 10,
        "cloud": 0.0,
        "pressure": 1000 + hour,
        "daily": "Clear.",
    }
    return ",".join(str(value) for value in {**cells, **changes}.values())


def write(folder: Path, lines: list[str], zipped: bool = False) -> Path:
    folder.mkdir(exist_ok=True)
    text = "\n".join([HEADER, *lines]) + "\n"
    if zipped:
        with zipfile.ZipFile(folder / "weatherHistory.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(zipfile.ZipInfo("weatherHistory.csv"), text)
    else:
        (folder / "weatherHistory.csv").write_text(text)
    return folder


def read(path: Path) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    store = Store(path)
    values, context = zip(*(store.read(index) for index in range(len(store))), strict=True)
    columns = np.concatenate(context).T
    return np.concatenate(values)[:, 0], dict(zip(store.context_names, columns, strict=True))


@pytest.mark.parametrize("zipped", [False, True])
def test_rows_are_in_the_order_of_time(tmp_path: Path, zipped: bool) -> None:
    hours = np.random.default_rng(0).permutation(HOURS).tolist()
    source = write(tmp_path / "raw", [line(hour) for hour in hours], zipped)
    main(["--source", str(source), "--out", str(tmp_path / "a.h5")])
    values, inputs = read(tmp_path / "a.h5")
    order = np.arange(HOURS)
    np.testing.assert_array_equal(values, order / 4)
    np.testing.assert_array_equal(inputs["temperature"], order / 2)
    np.testing.assert_allclose(inputs["bearing sin"], np.tile([0, 1, 0, -1], 10), atol=1e-6)
    np.testing.assert_allclose(inputs["bearing cos"], np.tile([1, 0, -1, 0], 10), atol=1e-6)
    for kind, word in enumerate(KINDS):
        assert inputs[f"precipitation={word}"].tolist() == (order % 3 == kind).tolist()
    store = Store(tmp_path / "a.h5")
    assert [len(store.indices(split)) for split in SPLITS] == [28, 4, 8]
    assert store.splits.tolist() == sorted(store.splits)
    assert store.attributes["left_out_inputs"] == "pressure unknown"
    assert store.context_names == [name for name in INPUTS if name != "pressure unknown"]
    module = SequenceDataModule(tmp_path / "a.h5", batch_size=5)
    module.setup()
    assert next(iter(module.train_dataloader())).context.shape == (5, 1, len(INPUTS) - 1)


def test_the_hour_is_that_of_clocks_and_the_order_is_not(tmp_path: Path) -> None:
    # At the end of summer time, clocks show 2 twice.
    clocks = ["2006-10-29 02:00:00.000 +0200", "2006-10-29 02:00:00.000 +0100"]
    later = [line(hour, time=f"2006-11-{hour + 1:02} 06:00:00.000 +0100") for hour in range(18)]
    lines = [line(1, time=clocks[1], apparent=2.0), *later, line(0, time=clocks[0], apparent=1.0)]
    prepare(write(tmp_path / "raw", lines), tmp_path / "a.h5")
    values, inputs = read(tmp_path / "a.h5")
    assert values[:2].tolist() == [1, 2]
    angles = np.arctan2(inputs["hour sin"], inputs["hour cos"]) / (2 * np.pi) * 24
    np.testing.assert_allclose(angles, [2, 2, *[6] * 18], atol=1e-5)
    days = np.arctan2(inputs["year sin"], inputs["year cos"]) / (2 * np.pi) * 365.2425 % 365.2425
    np.testing.assert_allclose(days[2:], 304.25 + np.arange(18), atol=1e-3)


def test_a_pressure_of_0_is_the_mean_of_the_known_ones_in_training(tmp_path: Path) -> None:
    unknown = (2, 5, 30, 39)
    lines = [line(hour, **{"pressure": 0} if hour in unknown else {}) for hour in range(HOURS)]
    said = prepare(write(tmp_path / "raw", lines), tmp_path / "a.h5")
    _, inputs = read(tmp_path / "a.h5")
    mean = np.mean([1000 + hour for hour in range(28) if hour not in unknown])
    expected = [mean if hour in unknown else 1000 + hour for hour in range(HOURS)]
    np.testing.assert_allclose(inputs["pressure"], expected, rtol=1e-7)
    assert np.flatnonzero(inputs["pressure unknown"]).tolist() == list(unknown)
    assert said[1] == "4 unknown pressures"
    assert Store(tmp_path / "a.h5").attributes["unknown_pressures"] == 4
    none = [line(hour, pressure=0) for hour in range(HOURS)]
    with pytest.raises(ValueError, match="above 0 in training, found none"):
        prepare(write(tmp_path / "raw", none), tmp_path / "b.h5")


def test_doubled_hours_are_kept_once_and_must_be_the_same(tmp_path: Path) -> None:
    lines = [line(hour) for hour in range(HOURS)]
    said = prepare(write(tmp_path / "raw", [*lines, line(3), line(3)]), tmp_path / "a.h5")
    assert said[0].startswith("2 rows of a time") and len(Store(tmp_path / "a.h5")) == HOURS
    assert Store(tmp_path / "a.h5").attributes["doubled_times"] == 2
    wrong = write(tmp_path / "raw", [*lines, line(3, apparent=9)])
    with pytest.raises(ValueError, match="line 42: expected what line 5 has of the same time"):
        prepare(wrong, tmp_path / "b.h5")


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda text: text.replace("Humidity,", ""), "line 2: expected 11 cells.*found 12"),
        (lambda text: text.replace("Humidity", "Wet"), "expected a column among .*'Humidity'"),
        (lambda text: text.replace(",snow,", ",hail,"), "line 3: expected a kind .*found 'hail'"),
        (lambda text: text.replace(",0.05,", ",wet,"), "line 7: .*column 'Humidity', found 'wet'"),
        (lambda text: text.replace("2006-01-01 05:00", "new year"), "line 7: .*a date like"),
        (lambda text: text[: len(HEADER)], "found no rows"),
        (lambda text: "", "found no rows"),
    ],
)
def test_another_table_is_one_line(tmp_path: Path, edit: object, message: str) -> None:
    source = write(tmp_path / "raw", [line(hour) for hour in range(HOURS)])
    path = source / "weatherHistory.csv"
    path.write_text(edit(path.read_text()))
    with pytest.raises(SystemExit, match=f"^data_prep.weather: .*{message}") as error:
        main(["--source", str(source), "--out", str(tmp_path / "a.h5")])
    assert "\n" not in str(error.value) and not (tmp_path / "a.h5").exists()


def test_an_archive_must_be_whole_and_hold_the_table(tmp_path: Path) -> None:
    source = write(tmp_path / "raw", [line(hour) for hour in range(HOURS)], zipped=True)
    path = source / "weatherHistory.zip"
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(ValueError, match="expected a whole zip archive, found something else"):
        prepare(source, tmp_path / "a.h5")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "")
    with pytest.raises(ValueError, match="expected one csv file in it, found 0"):
        prepare(source, tmp_path / "a.h5")
    path.unlink()
    for missing in (source, path):
        with pytest.raises(FileNotFoundError, match=r"weatherHistory.csv or weatherHistory.zip at"):
            prepare(missing, tmp_path / "a.h5")


def test_the_real_hours_are_all_there(data_root: Path, tmp_path: Path) -> None:
    said = prepare(data_root / "weather", tmp_path / "a.h5")
    assert said == [
        "24 rows of a time that an equal row has left out",
        "1288 unknown pressures",
        "67500 train, 9643 valid, 19286 test rows",
    ]
    store = Store(tmp_path / "a.h5")
    assert store.context_names == list(INPUTS) and store.unit == "degree Celsius"
    module = SequenceDataModule(tmp_path / "a.h5", eval_batch_size=2000)
    module.setup()
    first = next(module.batches("train"))
    # 2006-01-01 00:00 and the hours behind it, as the file has them.
    np.testing.assert_allclose(first.values[:2, 0, 0], [-4.05, -3.238889], rtol=1e-6)
    grid = first.values.double().numpy() * 180
    np.testing.assert_allclose(grid, grid.round(), atol=2e-3)
