"""Put a table where benchmarks/README.md has it."""

from __future__ import annotations

from pathlib import Path

__all__ = ["README", "put"]

README = Path(__file__).parent / "README.md"


def put(begin: str, end: str, table: str, readme: Path = README) -> None:
    """Replace what stands between two marks, which stay."""
    before, rest = readme.read_text().split(begin)
    readme.write_text(f"{before}{begin}\n{table}\n{end}{rest.split(end)[1]}")
