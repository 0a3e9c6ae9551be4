"""Processes that work off numbers: what they say, how they end, and what becomes of the killed."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from data_prep.crew import run_crew

Tell = Callable[[int], None]


def make(folder: Path) -> Callable[[int, Tell], None]:
    return partial(work, folder)


def work(folder: Path, number: int, tell: Tell) -> None:
    with (folder / f"{number}").open("a") as file:
        file.write(f"{os.getpid()}\n")
    tell(10)
    tell(number)


def make_deadly(folder: Path, times: int) -> Callable[[int, Tell], None]:
    return partial(die, folder, times)


def die(folder: Path, times: int, number: int, tell: Tell) -> None:
    work(folder, number, tell)
    if number == 1 and len((folder / "1").read_text().splitlines()) <= times:
        os.kill(os.getpid(), signal.SIGKILL)


def make_wrong() -> Callable[[int, Tell], None]:
    raise ValueError("no such policy")


def hang(number: int, tell: Tell) -> None:
    while True:
        tell(1)
        time.sleep(0.01)


def make_hanging() -> Callable[[int, Tell], None]:
    return hang


def alive(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_each_number_is_worked_off_once(tmp_path: Path) -> None:
    said = [each for each in run_crew(partial(make, tmp_path), range(5), workers=2) if each]
    assert sorted(each.number for each in said if each.done) == list(range(5))
    for number in range(5):
        counts = [each.count for each in said if each.number == number]
        assert counts == [10, number, 0]
    processes = [(tmp_path / str(number)).read_text().split() for number in range(5)]
    assert all(len(each) == 1 for each in processes)
    assert len({each for (each,) in processes} | {str(os.getpid())}) == 3


def test_a_killed_worker_is_replaced(tmp_path: Path) -> None:
    said = [each for each in run_crew(partial(make_deadly, tmp_path, 1), range(3), 1) if each]
    assert [each.number for each in said if each.done] == [0, 1, 2]
    assert len((tmp_path / "1").read_text().splitlines()) == 2


def test_a_number_that_kills_is_given_up(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"expected 1 to be worked off.*killed 2 times .*-9"):
        list(run_crew(partial(make_deadly, tmp_path, 9), [1], workers=1))


def test_what_a_worker_raises_is_raised() -> None:
    with pytest.raises(ValueError, match="no such policy"):
        list(run_crew(make_wrong, [0], workers=1))
    with pytest.raises(ValueError, match="expected 1 worker or more, found 0"):
        list(run_crew(make_wrong, [0], workers=0))


def test_workers_end_with_the_work() -> None:
    crew = run_crew(make_hanging, [7], workers=1)
    while next(crew) is None:
        pass
    crew.close()
    assert multiprocessing.active_children() == []


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGINT])
def test_workers_end_with_whoever_started_them(ending: signal.Signals) -> None:
    program = (
        "from data_prep.crew import run_crew\n"
        "import multiprocessing, signal\n"
        # A shell lets what it starts in the background ignore Ctrl-C.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from tests.data_prep.test_crew import make_hanging\n"
        "if __name__ == '__main__':\n"
        "    for said in run_crew(make_hanging, [7], workers=1):\n"
        "        if said:\n"
        "            print(multiprocessing.active_children()[0].pid, flush=True)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        worker = int(process.stdout.readline())
        assert alive(worker)
        process.send_signal(ending)
        process.communicate(timeout=30)
    until = time.monotonic() + 10
    while alive(worker) and time.monotonic() < until:
        time.sleep(0.05)
    assert not alive(worker)
