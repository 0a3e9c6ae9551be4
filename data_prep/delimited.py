"""Reads tables of delimited text, cell by cell, with errors that say which line and column."""

from __future__ import annotations

__all__ = ["MISSING", "Delimited", "read_delimited"]

import csv
import datetime
import difflib
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Words for a number that nobody knows.
MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "?"})

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


@dataclass(frozen=True)
class Delimited:
    r"""Holds the cells of a table without the spaces around them.

    Attributes:
        where: What errors call the table, such as its path.
        names: Of the columns, in their order.
        cells: Rows of as many cells as there are names.
        lines: The line of the text that each row ends in, from 1 on.

    Example:
        >>> table = read_delimited("t.csv", "day,wind\n1,3.5\n2,NA\n")
        >>> table.numbers("wind", missing=True).tolist(), table.lines
        ([3.5, nan], [2, 3])
        >>> table.column("winds")
        Traceback (most recent call last):
        ValueError: t.csv: expected a column among day, wind, found 'winds': did you mean 'wind'?
    """

    where: str
    names: list[str]
    cells: list[list[str]]
    lines: list[int]

    def column(self, name: str) -> list[str]:
        """Gives the cells of a column.

        Raises:
            ValueError: If there is none of this name; with the nearest ones.
        """
        if name not in self.names:
            # Letters in the other case are no typing error to difflib, but one to people.
            lower = {each.lower(): each for each in self.names}
            close = difflib.get_close_matches(name.lower(), lower, n=3, cutoff=0.5)
            near = " or ".join(repr(lower[each]) for each in close)
            other = ", or give the delimiter" if len(self.names) == 1 else ""
            listed = ", ".join(self.names[:20]) + (", ..." if len(self.names) > 20 else "")
            raise ValueError(
                f"{self.where}: expected a column among {listed}, found {name!r}"
                + (f": did you mean {near}?" if near else f": name one of these{other}")
            )
        place = self.names.index(name)
        return [row[place] for row in self.cells]

    def numbers(
        self, name: str, missing: bool = False, remedy: str = "leave the row out"
    ) -> NDArray[np.float64]:  # (N,)
        """Gives the numbers of a column.

        Args:
            name: Of the column.
            missing: Whether cells may hold none (:data:`MISSING`, in any letter case): NaN then.
            remedy: What an error says to do where one does.

        Raises:
            ValueError: If a cell holds no finite number; with its line.
        """
        found = np.empty(len(self.cells))
        for row, cell in enumerate(self.column(name)):
            if cell.lower() in MISSING:
                if not missing:
                    raise ValueError(self._wrong(row, name, "a number", remedy))
                found[row] = np.nan
                continue
            value = float(cell) if _NUMBER.fullmatch(cell) else np.inf
            if not np.isfinite(value):
                raise ValueError(
                    self._wrong(row, name, "a finite number", "mend the cell, or leave the row out")
                )
            found[row] = value
        return found

    def times(self, name: str) -> NDArray[np.float64]:  # (N,)
        """Gives the times of a column: numbers as they are, dates of ISO 8601 in seconds.

        Dates that name their distance to UTC are put on one clock.

        Raises:
            ValueError: If a cell is neither, or not of the kind of the first one.
        """
        cells = self.column(name)
        if cells and _NUMBER.fullmatch(cells[0]):
            return self.numbers(name)
        epoch: datetime.datetime | None = None
        found = np.empty(len(cells))
        for row, cell in enumerate(cells):
            try:
                # Some write a space before the distance to UTC, where the standard has none.
                moment = datetime.datetime.fromisoformat(re.sub(r" (?=[+-]\d)", "", cell))
                epoch = epoch or datetime.datetime(1970, 1, 1, tzinfo=moment.tzinfo)
                found[row] = (moment - epoch).total_seconds()
            # Dates with a distance to UTC cannot be compared with those without.
            except (ValueError, TypeError) as error:
                kind = "a number or a date like 2016-12-31 23:00, as in the rows before"
                raise ValueError(self._wrong(row, name, kind, "mend the cell")) from error
        return found

    def rows(self, places: Sequence[int]) -> Delimited:
        """Gives some of the rows, in the order of their places."""
        cells, lines = ([of[place] for place in places] for of in (self.cells, self.lines))
        return Delimited(self.where, self.names, cells, lines)

    def _wrong(self, row: int, name: str, expected: str, remedy: str) -> str:
        cell = self.cells[row][self.names.index(name)]
        return (
            f"{self.where}, line {self.lines[row]}: expected {expected} in column {name!r}, found "
            f"{cell[:60]!r}: {remedy}"
        )


def read_delimited(where: str, text: str, delimiter: str = ",") -> Delimited:
    """Reads a table whose first line names its columns; cells may be quoted, empty lines are not
    there.

    Raises:
        ValueError: If there are no rows, a name is empty or twice there, or a row has another
            number of cells; with its line.
    """
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    names: list[str] = []
    cells: list[list[str]] = []
    lines: list[int] = []
    try:
        for row in reader:
            if not row:
                continue
            stripped = [cell.strip() for cell in row]
            if not names:
                names = stripped
                continue
            if len(stripped) != len(names):
                raise ValueError(
                    f"{where}, line {reader.line_num}: expected {len(names)} cells, as the first "
                    f"line has, found {len(stripped)}: mend the line, or give the delimiter"
                )
            cells.append(stripped)
            lines.append(reader.line_num)
    except csv.Error as error:
        raise ValueError(
            f"{where}, line {reader.line_num}: expected cells of delimited text, found something "
            f"else ({error})"
        ) from error
    if not all(names) or len(set(names)) != len(names):
        raise ValueError(
            f"{where}: expected a first line of names, none of them empty or twice there, found "
            f"{', '.join(map(repr, names))[:200]}"
        )
    if not cells:
        raise ValueError(f"{where}: expected a line of names and rows below it, found no rows")
    return Delimited(where, names, cells, lines)
