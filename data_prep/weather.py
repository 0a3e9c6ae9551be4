"""Writes hourly weather of Szeged, 2006 to 2016: the apparent temperature, from everything else.

Reads ``weatherHistory.csv``, or ``weatherHistory.zip`` with it, as its owner ships it.

- **Target.** Apparent temperature in degree Celsius. It was rounded to 0.01 degree Fahrenheit,
  which is 1/180 here, and equals the temperature in more than half of the rows, so that its density
  is unbounded: train it with ``UniformDequantise(width=1/180, centred=True)``.
- **Inputs.** Temperature, humidity, wind speed, visibility and pressure in the owner's units; the
  bearing of the wind, the hour and the day of the year (both local) as sine and cosine; a column of
  0 and 1 for each kind of precipitation, of which ``null`` is one. Loud cover, which is always 0,
  and the words of the summaries are left out.
- **Unknown pressure.** A pressure of 0 is none: it becomes the mean of the known ones in training,
  and a column says that it was unknown.
- **Doubled times.** Of rows of the same time, the first is kept where all are the same; rows that
  are not are refused.
- **Split** by time: the last 20 % of the hours are the test, the 10 % before them validation.

    python -m data_prep.weather --source FOLDER --out data/weather.h5

Weather in Szeged 2006-2016 (Budincsevity, 2016).
"""

from __future__ import annotations

__all__ = ["INPUTS", "TARGET", "prepare"]

import datetime
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data_prep.categories import Categories
from data_prep.delimited import Delimited, read_delimited
from data_prep.rows import SHARES, RowTable, split_times, write_rows
from data_prep.sources import command_line, origin, read_zip, run

NAME = "weatherHistory"
TARGET = "Apparent Temperature (C)"
TIME, KIND, BEARING = "Formatted Date", "Precip Type", "Wind Bearing (degrees)"
TEMPERATURE, HUMIDITY, WIND = "Temperature (C)", "Humidity", "Wind Speed (km/h)"
VISIBILITY, PRESSURE = "Visibility (km)", "Pressure (millibars)"
KINDS = ("null", "rain", "snow")
INPUTS = (
    "temperature",
    "humidity",
    "wind speed",
    "visibility",
    "pressure",
    "pressure unknown",
    *(f"{what} {part}" for what in ("bearing", "hour", "year") for part in ("sin", "cos")),
    *(f"precipitation={kind}" for kind in KINDS),
)

_RESOLUTION = 1 / 180  # degree Celsius: a hundredth of a degree Fahrenheit
_DAY, _YEAR = 24.0, 365.2425


def prepare(source: Path, out: Path) -> list[str]:
    """Writes the store from the folder of the file, or from the file; says what was done.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is damaged, lacks a column, or has something else in one; with the line.
    """
    path, table = _read(source)
    table, doubled = _without_doubles(table)
    times = table.times(TIME)
    splits = split_times(times, SHARES)
    kinds = table.column(KIND)
    other = [row for row, kind in enumerate(kinds) if kind not in KINDS]
    if other:
        raise ValueError(
            f"{table.where}, line {table.lines[other[0]]}: expected a kind of precipitation among "
            f"{', '.join(KINDS)}, found {kinds[other[0]]!r}: download it again"
        )
    pressure, unknown = _pressure(table.numbers(PRESSURE), splits)
    hour, day = _local(table.where, table.column(TIME))
    inputs = [
        *(table.numbers(name) for name in (TEMPERATURE, HUMIDITY, WIND, VISIBILITY)),
        pressure,
        unknown,
        *_around(table.numbers(BEARING), 360.0),
        *_around(hour, _DAY),
        *_around(day, _YEAR),
        *Categories("precipitation", KINDS).one_hot(kinds, kinds).T,
    ]
    said = write_rows(
        out,
        RowTable(
            table.numbers(TARGET)[:, None],
            np.stack(inputs, axis=1),
            ["apparent temperature"],
            INPUTS,
            splits,
        ),
        name="weather",
        unit="degree Celsius",
        source=[origin(path)],
        licence="not stated with the file (Budincsevity, 2016): treat as non-commercial",
        command="python -m data_prep.weather --source $SEQMDN_DATA/weather",
        attributes={
            "split_by": "time",
            "resolution": _RESOLUTION,
            "doubled_times": doubled,
            "unknown_pressures": int(unknown.sum()),
        },
    )
    return [
        f"{doubled} rows of a time that an equal row has left out",
        f"{int(unknown.sum())} unknown pressures",
        *said,
    ]


def main(arguments: list[str] | None = None) -> None:
    """Runs the command line."""
    layout = f"{NAME}.csv or {NAME}.zip, or the file itself"
    run(command_line("weather", "hourly weather of Szeged", layout), prepare, arguments)


def _read(source: Path) -> tuple[Path, Delimited]:
    """Gives the file that was read, and its table."""
    paths = [source / f"{NAME}.csv", source / f"{NAME}.zip"] if source.is_dir() else [source]
    path = next((path for path in paths if path.is_file()), None)
    if path is None:
        raise FileNotFoundError(
            f"expected {NAME}.csv or {NAME}.zip at {source}, found neither: take it from "
            "kaggle.com/datasets/budincsevity/szeged-weather"
        )
    where, content = str(path), path.read_bytes()
    if path.suffix == ".zip":
        members = read_zip(path, ".csv")
        if len(members) != 1:
            raise ValueError(
                f"{path}: expected one csv file in it, found {len(members)}: download it again"
            )
        where, content = f"{path}/{members[0][0]}", members[0][1]
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{where}: expected text in UTF-8, found other bytes ({error}): download it again"
        ) from error
    return path, read_delimited(where, text)


def _without_doubles(table: Delimited) -> tuple[Delimited, int]:
    """Gives the rows in the order of time, one a time, and how many were left out."""
    times = table.times(TIME)
    order = np.argsort(times, kind="stable")
    kept = [int(order[0])]
    for row in order[1:].tolist():
        if times[row] > times[kept[-1]]:
            kept.append(row)
        elif table.cells[row] != table.cells[kept[-1]]:
            raise ValueError(
                f"{table.where}, line {table.lines[row]}: expected what line "
                f"{table.lines[kept[-1]]} has of the same time, found something else: leave one out"
            )
    return table.rows(kept), len(order) - len(kept)


def _pressure(
    pressure: NDArray[np.float64], splits: Sequence[str]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:  # (N,), (N,)
    """Gives pressures with the mean of training where unknown, and 1 where they are."""
    unknown = pressure == 0
    training = np.asarray(splits) == "train"
    known = pressure[training & ~unknown]
    if not len(known):
        raise ValueError(f"expected a {PRESSURE!r} above 0 in training, found none")
    return np.where(unknown, known.mean(), pressure), unknown.astype(np.float64)


def _local(where: str, words: Sequence[str]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Gives the hour of the day and the day of the year, as clocks show them."""
    # What comes behind is the distance to UTC, for which people's clocks do not care.
    try:
        moments = [datetime.datetime.fromisoformat(word[:19]) for word in words]
    except ValueError as error:  # numbers are times to a table, and no hours of a day
        raise ValueError(
            f"{where}: expected dates such as 2016-12-31 23:00 in column {TIME!r}, found another "
            f"time ({error}): mend it"
        ) from error
    hours = np.array([moment.hour + moment.minute / 60 for moment in moments])
    days = np.array([moment.timetuple().tm_yday - 1.0 for moment in moments])
    return hours, days + hours / _DAY


def _around(values: NDArray[np.float64], circle: float) -> tuple[NDArray[np.float64], ...]:
    angle = 2 * np.pi * values / circle
    return np.sin(angle), np.cos(angle)


if __name__ == "__main__":
    main()
