"""What Linux says of a process: its memory, and what it had from the disk."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

__all__ = ["AddressSpace", "Memory", "address_space", "memory", "read_from_disk"]


class Memory(NamedTuple):
    """Bytes that a process holds."""

    resident: int
    """All that is in memory, what it shares with others counted in full (RSS)."""
    proportional: int
    """The same, what n processes share counted as one nth (PSS)."""
    own: int
    """What would be free without it (USS)."""


class AddressSpace(NamedTuple):
    """Bytes of addresses that a process has, and the most of what lay behind them."""

    now: int
    peak: int
    peak_resident: int


def memory(process: int | str = "self") -> Memory:
    """Reads what a process holds at this moment."""
    found = _fields(Path(f"/proc/{process}/smaps_rollup"))
    own = found["Private_Clean"] + found["Private_Dirty"] + found.get("Private_Hugetlb", 0)
    return Memory(found["Rss"], found["Pss"], own)


def address_space() -> AddressSpace:
    """Reads what addresses this process has, and has had."""
    found = _fields(Path("/proc/self/status"))
    return AddressSpace(found["VmSize"], found["VmPeak"], found["VmHWM"])


def read_from_disk(process: int | str = "self") -> int:
    """Reads how many bytes the system has fetched from a disk for a process so far."""
    return _fields(Path(f"/proc/{process}/io"))["read_bytes"]


def _fields(path: Path) -> dict[str, int]:
    pairs = [line.split(":", 1) for line in path.read_text().splitlines() if ":" in line]
    found = {}
    for name, rest in pairs:
        words = rest.split()
        if words and words[0].isdigit():
            found[name.strip()] = int(words[0]) * (1024 if words[1:] == ["kB"] else 1)
    return found
