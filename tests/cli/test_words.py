"""How progress is told."""

import json
from pathlib import Path

import pytest

from seqmdn.cli import main
from tests.small import (
    words,
)


def test_fit_tells_programs_in_json(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["fit", *words(recipe), "--out", str(tmp_path / "run"), "--progress", "json"])
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert all(set(line) == {"step", "steps", "nll"} for line in lines)
    assert lines[-1]["step"] == lines[-1]["steps"] == 12 and lines[-1]["nll"] is not None


def test_fit_shows_a_bar(recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["fit", *words(recipe), "--out", str(tmp_path / "run"), "--progress", "bar"])
    printed = capsys.readouterr()
    assert "12/12" in printed.err and "validation NLL" in printed.err
