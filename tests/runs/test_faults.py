"""What a run survives: kills at any moment, damaged checkpoints, disks that are full."""

from __future__ import annotations

import multiprocessing
import re
import resource
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seqmdn.checkpoints import LAST, PREVIOUS, read_checkpoint
from seqmdn.runs import Interrupted
from tests.faults import ended, flip, killed, linux, make_read_only, mount
from tests.small import Interrupt, differing, hidden_files, outcome, train

pytestmark = linux


@pytest.fixture(scope="module")
def whole(recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a run has come to that met no fault."""
    run = tmp_path_factory.mktemp("whole") / "run"
    assert ended(lambda: train(recipe, run)) == ""
    return outcome(run)


def begun(run: Path) -> bool:
    """Whether there is something to go on from; whatever has a name is whole."""
    kept = [run / "checkpoints" / name for name in (LAST, PREVIOUS, "best.ckpt")]
    for path in kept:
        if path.exists():
            read_checkpoint(path)
    return kept[0].exists() or kept[1].exists()


def survives(
    recipe: Path, run: Path, whole: dict[str, Any], kills: int, seed: int | list[int]
) -> int:
    """Kill a run at random moments; say how often it was still under way.

    Each comes up to 50 ms, in which there is time to write a checkpoint, after one of its steps.
    """
    rng = np.random.default_rng(seed)
    step = multiprocessing.get_context("fork").Value("i", 0)

    def report(now: int, steps: int, nll: float | None) -> None:
        step.value = now

    times = 0
    for _ in range(kills):
        resume, last = begun(run), int(rng.integers(13))
        step.value = 0
        times += killed(
            lambda resume=resume: train(recipe, run, resume=resume, report=report),
            rng.uniform(0, 0.05),
            lambda last=last: step.value >= last,
        )
    resume = begun(run)
    assert ended(lambda: train(recipe, run, resume=resume)) == ""
    assert differing(outcome(run), whole) == []
    assert not hidden_files(run)
    return times


def test_a_run_survives_being_killed_again_and_again(
    recipe: Path, tmp_path: Path, whole: dict[str, Any]
) -> None:
    assert survives(recipe, tmp_path / "run", whole, 6, 0) > 2


@pytest.mark.long
@pytest.mark.parametrize("seed", range(20))
def test_a_run_survives_a_kill_at_any_moment(
    recipe: Path, tmp_path: Path, whole: dict[str, Any], seed: int
) -> None:
    assert survives(recipe, tmp_path / "run", whole, 3, [1, seed]) > 0


@pytest.fixture
def stopped(recipe: Path, tmp_path: Path) -> Path:
    """A run that stopped at step 9, and had a checkpoint of step 8 before."""
    run = tmp_path / "run"
    with pytest.raises(Interrupted):
        train(recipe, run, report=Interrupt(8))
    steps = [read_checkpoint(run / "checkpoints" / n)["global_step"] for n in (LAST, PREVIOUS)]
    assert steps == [9, 8]
    return run


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5000])


@pytest.mark.parametrize("damage", [cut, flip, lambda path: path.write_bytes(b"")])
def test_a_damaged_checkpoint_falls_back_to_the_one_before(
    recipe: Path,
    stopped: Path,
    whole: dict[str, Any],
    damage: Callable[[Path], object],
) -> None:
    damage(stopped / "checkpoints" / LAST)
    with pytest.warns(UserWarning, match=r"last\.ckpt is damaged: going on .* of step 8"):
        train(recipe, stopped, resume=True)
    assert differing(outcome(stopped), whole) == []


def test_a_missing_one_falls_back_without_a_word(
    recipe: Path, stopped: Path, whole: dict[str, Any]
) -> None:
    (stopped / "checkpoints" / LAST).unlink()
    with pytest.raises(FileExistsError, match="holds a run already"):
        train(recipe, stopped)
    train(recipe, stopped, resume=True)
    assert differing(outcome(stopped), whole) == []


def test_without_a_whole_one_the_newest_is_named(recipe: Path, stopped: Path) -> None:
    for name in (LAST, PREVIOUS):
        cut(stopped / "checkpoints" / name)
    with pytest.raises(ValueError, match=r"last\.ckpt is damaged or no checkpoint"):
        train(recipe, stopped, resume=True)


def test_a_file_that_may_not_grow_leaves_the_last_checkpoint(
    recipe: Path, stopped: Path, whole: dict[str, Any]
) -> None:
    last = stopped / "checkpoints" / LAST
    before = last.read_bytes()

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, resource.RLIM_INFINITY))
        train(recipe, stopped, resume=True)

    said = ended(limited)
    assert said == (
        f"OSError: {stopped}: file too large; last.ckpt of step 9 is whole, make room and go on "
        f"by: seqmdn fit --resume {stopped}"
    )
    assert last.read_bytes() == before and not hidden_files(stopped)
    train(recipe, stopped, resume=True)
    assert differing(outcome(stopped), whole) == []


def test_a_full_disk_leaves_the_last_checkpoint(
    recipe: Path, stopped: Path, whole: dict[str, Any]
) -> None:
    """Whichever file is the first that finds no room."""
    result = whole

    def on_a_disk() -> None:
        disk = stopped.parent / "disk"
        disk.mkdir()
        mount(disk, 2**25)
        for room in range(4096, 2**20, 8192):
            run = disk / "run"
            shutil.copytree(stopped, run)
            filler = disk / "filler"
            filler.write_bytes(bytes(shutil.disk_usage(disk).free - room))
            try:
                train(recipe, run, resume=True)
            except OSError as error:
                assert re.search(
                    r": no space left on device; \w+\.ckpt of step \d+ is whole", str(error)
                )
            else:
                break
            filler.unlink()
            assert begun(run) and not hidden_files(run)
            train(recipe, run, resume=True)
            assert differing(outcome(run), result) == [], room
            shutil.rmtree(run)
        assert room > 3 * 8192

    assert ended(on_a_disk) == ""


def test_an_error_of_another_kind_keeps_its_words(recipe: Path, tmp_path: Path) -> None:
    def gone(*_: object) -> None:
        raise ConnectionError("the other side is gone")

    with pytest.raises(ConnectionError, match="^the other side is gone$"):
        train(recipe, tmp_path / "run", report=gone)


def test_a_folder_that_cannot_be_written_is_told_and_left(
    recipe: Path, stopped: Path, tmp_path: Path
) -> None:
    def read_only() -> None:
        disk = tmp_path / "disk"
        disk.mkdir()
        mount(disk, 2**25)
        shutil.copytree(stopped, disk / "run")
        make_read_only(disk)
        for run, resume in ((disk / "run", True), (disk / "new", False)):
            with pytest.raises(OSError, match="[Rr]ead-only file system"):
                train(recipe, run, resume=resume)

    assert ended(read_only) == ""
