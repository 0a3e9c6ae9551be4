"""Trainings by several processes, timed beside those by one."""

from pathlib import Path

import pytest

from benchmarks import processes
from benchmarks.processes import WAYS, WORKS, Way, Work, rows, step_seconds
from data_prep import digits
from seqmdn.checkpoints import read_checkpoint

README = Path(processes.__file__).with_name("README.md").read_text()


def test_ratios_are_those_of_one_round(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine is twice as slow in the second round, for all alike."""
    asked: list[Way] = []

    def step_seconds(work: Work, store: Path, out: Path, way: Way) -> float:
        asked.append(way)
        slow = 1 + (len(asked) > len(WAYS))
        return slow * {WAYS[0]: 0.3, WAYS[1]: 0.2, WAYS[2]: 0.1}[way]

    monkeypatch.setattr(processes, "step_seconds", step_seconds)
    lines = rows(WORKS[0], tmp_path / "a.h5", tmp_path, rounds=2)
    assert asked == [*WAYS, *WAYS]
    assert [line.split(" | ")[2:] for line in lines] == [
        ["1", "1", "450", "1.00 |"],
        ["1", "2", "300", "1.50 |"],
        ["2", "1", "150", "3.00 |"],
    ]


def test_the_readme_has_a_line_for_each_way() -> None:
    table = README.split(processes.BEGIN)[1].split(processes.END)[0]
    lines = [line for line in table.splitlines() if ", rmdn |" in line]
    assert len(lines) == len(WAYS) * len(WORKS)
    for line, (work, way) in zip(lines, [(w, v) for w in WORKS for v in WAYS], strict=True):
        assert line.startswith(
            f"| {work.recipe}, rmdn | {work.batch} | {way.processes} | {way.threads} |"
        )


@pytest.mark.long
def test_a_step_of_two_processes_is_timed(tmp_path: Path) -> None:
    digits.prepare(tmp_path / "digits.h5")
    work = Work("pixels/digits", 8, 2)
    found = step_seconds(work, tmp_path / "digits.h5", tmp_path / "run", Way(2, 1))
    assert 0 < found < 10
    assert read_checkpoint(tmp_path / "run" / "checkpoints" / "last.ckpt")["global_step"] == 6
