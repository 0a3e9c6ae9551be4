"""A store that is collected for hours, and can be read, killed and gone on with meanwhile.

Each episode is a store of its own in the folder ``OUT.episodes``, under its number. ``OUT`` shows
those that are there; once all are, it holds them, and the folder goes. More can be added later:
what ``OUT`` holds then becomes the folder's first part.
"""

from __future__ import annotations

__all__ = ["Episodes", "held_out"]

import fcntl
import os
import shutil
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, Self

from data_prep.sources import advance
from data_prep.splits import split_last
from seqmdn.data import Part, Store, join_parts, link_parts
from seqmdn.files import save_json
from seqmdn.reading import read_json

_SETTINGS = "collection.json"
_PAUSE = 10.0  # seconds between two renewals of the view
_EFFORT = 20  # and at least as many times as long as one takes


class Episodes:
    """Keeps the episodes of one store, from the first to the last.

    To be used in a ``with`` block, which only one process at a time may be in.

    Args:
        out: The store.
        total: How many episodes it shall have.
        settings: What all of them follow from.
        command: What writes the store, kept with it.

    Raises:
        ValueError: If the store or its folder has episodes of other settings, or more than asked
            for, or if another process collects them; on entering the block.
    """

    def __init__(self, out: Path, total: int, settings: Mapping[str, Any], command: str) -> None:
        if total < 1:
            raise ValueError(f"expected 1 episode or more, found {total}")
        self.out = out
        self.total = total
        self.settings = dict(settings)
        self.command = command
        self.folder = out.with_name(f"{out.name}.episodes")
        self._parts: dict[int, Part] = {}  # by the number of the first episode
        self._held: IO[str] | None = None
        self._linked, self._pause = -float("inf"), _PAUSE

    @property
    def missing(self) -> list[int]:
        """The numbers of the episodes that are not there, in order."""
        there = {n for first, part in self._parts.items() for n in _numbers(first, part)}
        return [number for number in range(self.total) if number not in there]

    def path(self, number: int) -> Path:
        """Names the file of one episode."""
        return self.folder / f"{number:06d}.h5"

    def add(self, number: int) -> None:
        """Takes note of an episode that was written; from time to time, the store shows it."""
        self._parts[number] = Part.read(self.path(number))
        if time.monotonic() - self._linked >= self._pause:
            self.link()

    def link(self) -> None:
        """Makes the store show what is there, if anything is."""
        if self._held is None or not self._parts:
            return
        begun = time.monotonic()
        link_parts(self.out, *self._arguments())
        self._linked = time.monotonic()
        self._pause = max(_PAUSE, _EFFORT * (self._linked - begun))

    def join(self) -> None:
        """Makes the store hold all episodes, and removes their folder."""
        if self._held is None:
            return
        join_parts(self.out, *self._arguments(), lambda parts: advance(parts, "joining"))
        # Under its name the folder is whole, or not there.
        done = self.folder.with_name(f".{self.folder.name}.{uuid.uuid4().hex}.done")
        self.folder.rename(done)
        shutil.rmtree(done)

    def __enter__(self) -> Self:
        if not self.folder.is_dir():
            held = self._check_store() if self.out.exists() else 0
            if held == self.total:
                self._parts[0] = Part.read(self.out)
                return self
            self._begin(held)
        self._held = self._hold()
        try:
            self._check(read_json(self.folder / _SETTINGS, dict), self.folder)
            self._tidy()
            for path in sorted(self.folder.glob("[0-9]*.h5")):
                self._parts[int(path.stem)] = Part.read(path)
            self._check_count(sum(len(part.lengths) for part in self._parts.values()))
        except BaseException:
            self._held.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._held is not None:
            self._held.close()
            self._held = None

    def _arguments(self) -> tuple[list[Part], list[str], dict[str, str]]:
        parts = [self._parts[first] for first in sorted(self._parts)]
        count = sum(len(part.lengths) for part in parts)
        few = held_out(count)
        return parts, split_last(count, few, few), {"command": self.command}

    def _check_store(self) -> int:
        """Gives the number of episodes of a store without a folder."""
        with Store(self.out) as store:
            self._check(store.attributes, self.out)
            self._check_count(len(store))
            return len(store)

    def _check(self, found: Mapping[str, Any], where: Path) -> None:
        other = [key for key in self.settings if found.get(key) != self.settings[key]]
        if other:
            expected = ", ".join(f"{key} {self.settings[key]}" for key in other)
            said = ", ".join(f"{key} {found.get(key)}" for key in other)
            raise ValueError(
                f"{where}: expected episodes of {expected}, found {said}: collect with these, give "
                "another --out, or remove it to begin anew"
            )

    def _check_count(self, found: int) -> None:
        last = max((first + len(part.lengths) for first, part in self._parts.items()), default=0)
        if max(found, last) > self.total:
            raise ValueError(
                f"{self.out}: expected at most {self.total} episodes, found {max(found, last)}: "
                f"ask for {max(found, last)} or more, give another --out, or remove it to begin "
                "anew"
            )

    def _begin(self, held: int) -> None:
        """Makes the folder, in which the episodes that the store holds are the first part."""
        new = self.folder.with_name(f".{self.folder.name}.{uuid.uuid4().hex}.new")
        new.mkdir(parents=True)
        try:
            save_json(new / _SETTINGS, self.settings)
            if held:
                _same_file(self.out, new / self.path(0).name)
            new.rename(self.folder)
        except BaseException:
            shutil.rmtree(new)
            raise

    def _hold(self) -> IO[str]:
        """Holds the folder for this process; what ends it lets go."""
        file = (self.folder / _SETTINGS).open("r", encoding="utf-8")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not self.folder.is_dir():
                raise BlockingIOError
        except BlockingIOError:
            file.close()
            raise ValueError(
                f"{self.folder}: expected nobody else to collect episodes there, found somebody: "
                "let it end, or give another --out"
            ) from None
        return file

    def _tidy(self) -> None:
        """Removes what was under way when something was killed."""
        for partial in self.folder.glob(".*.partial"):
            partial.unlink()
        for ending in ("done", "new"):
            for left in self.folder.parent.glob(f".{self.folder.name}.*.{ending}"):
                shutil.rmtree(left, ignore_errors=True)


def held_out(count: int) -> int:
    """Gives how many episodes are for the test, and as many for validation.

    A twentieth of them; of fewer than a hundred five, or a fifth if that is less, as the error of a
    mean over one or two episodes says nothing; none of fewer than three.

    Example:
        >>> [held_out(count) for count in (2, 3, 20, 100, 10_000)]
        [0, 1, 4, 5, 500]
    """
    return 0 if count < 3 else max(count // 20, min(5, count // 5), 1)


def _numbers(first: int, part: Part) -> range:
    return range(first, first + len(part.lengths))


def _same_file(path: Path, name: Path) -> None:
    try:
        os.link(path, name)
    except OSError:  # file systems without links
        shutil.copyfile(path, name)
