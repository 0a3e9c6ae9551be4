"""What becomes of data when whoever writes them is killed at any moment."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from data_prep.digits import prepare
from seqmdn.data import Store, file_sha256
from tests.faults import killed, linux

pytestmark = linux
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("digits") / "digits.h5"
    prepare(out)
    return out


def prepare_and_kill(folder: Path, digits: Path, kills: int, seed: int) -> None:
    """Kill preparations until so many have been under way, half of them while they write."""
    rng = np.random.default_rng(seed)
    out, times = folder / "digits.h5", 0
    for kill in range(10 * kills):
        out.unlink(missing_ok=True)
        parts = set(folder.glob(".*"))

        def writing(parts: set[Path] = parts, early: bool = kill % 2 == 0) -> bool:
            return early or set(folder.glob(".*")) != parts or out.exists()

        times += killed(lambda: prepare(out), rng.uniform(0, 0.05), writing)
        assert not out.exists() or file_sha256(out) == file_sha256(digits)
        assert {path.name for path in folder.iterdir() if path.name[0] != "."} <= {out.name}
        # What lies there under a hidden name is in nobody's way.
        prepare(out)
        assert file_sha256(out) == file_sha256(digits)
        if times == kills:
            return
    pytest.fail(f"{times} of {10 * kills} kills came in time")


def test_a_preparation_that_is_killed_leaves_a_whole_store_or_none(
    tmp_path: Path, digits: Path
) -> None:
    prepare_and_kill(tmp_path, digits, 3, 0)


@pytest.mark.long
def test_a_preparation_is_killed_twenty_times(tmp_path: Path, digits: Path) -> None:
    prepare_and_kill(tmp_path, digits, 20, 1)


@pytest.mark.long
def test_a_collection_is_killed_twenty_times(tmp_path: Path) -> None:
    pytest.importorskip("gymnasium")
    rng = np.random.default_rng(2)
    whole, out = tmp_path / "whole" / "car_racing.h5", tmp_path / "again" / "car_racing.h5"

    def command(out: Path) -> list[str]:
        options = ["--episodes", "6", "--steps", "15", "--seed", "4", "--workers", "2"]
        return [sys.executable, "-m", "data_prep.car_racing", *options, "--out", str(out)]

    def episodes() -> int:
        return len(list(tmp_path.glob("again/*.episodes/0*.h5")))

    subprocess.run(command(whole), cwd=ROOT, check=True)
    times = 0
    for _ in range(20):
        # A kill comes after a random one of the episodes that are still to be played.
        there, more = episodes(), int(rng.integers(3))
        with subprocess.Popen(command(out), cwd=ROOT, start_new_session=True) as process:
            while process.poll() is None and episodes() < there + more:
                time.sleep(0.005)
            time.sleep(rng.uniform(0, 0.1 if more else 6))
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                times += 1
        if out.exists():
            with Store(out) as store:
                assert all(store.read(index)[0].max() > 0 for index in range(len(store)))
        if episodes() == 0 and out.exists():  # all of them are in the store: from the beginning
            assert out.read_bytes() == whole.read_bytes()
            out.unlink()
    subprocess.run(command(out), cwd=ROOT, check=True)
    assert times > 10
    assert out.read_bytes() == whole.read_bytes()
    assert {path.name for path in out.parent.iterdir() if path.name[0] != "."} == {out.name}
