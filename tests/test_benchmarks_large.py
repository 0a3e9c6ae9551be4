"""Training on data larger than what a process may hold."""

from __future__ import annotations

import multiprocessing
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import yaml

from benchmarks import large, readme
from benchmarks.corpus import FEATURES, FRAMES, SECONDS, write_corpus
from benchmarks.process import address_space
from seqmdn.data import Store

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's /proc")
README = Path(large.__file__).with_name("README.md").read_text()
GIGABYTE = 1e9 / (4 * FRAMES * FEATURES) * SECONDS / 3600  # hours of float32


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Words of a command that trains three steps of a small model."""
    path = tmp_path_factory.mktemp("small") / "small.yaml"
    network = {"class_path": "seqmdn.backbones.LSTMBackbone", "init_args": {"hidden": 8}}
    head = {"class_path": "seqmdn.heads.MixtureHead", "init_args": {"components": 2}}
    scale = {"class_path": "seqmdn.data.Standardise", "init_args": {"shared": True}}
    arguments = {"backbone": network, "head": head, "transform": scale}
    noise = {"class_path": "seqmdn.data.UniformDequantise", "init_args": {"centred": True}}
    data = {"window": 40, "burn_in": 4, "batch_size": 32, "noise": noise}
    configuration = {
        "data": {"class_path": "seqmdn.data.SequenceDataModule", "init_args": data},
        "model": {"class_path": "seqmdn.models.SequenceModel", "init_args": arguments},
        "trainer": {"max_steps": 3, "val_check_interval": 3},
    }
    path.write_text(yaml.safe_dump(configuration))
    return ["-c", str(path), "--data.path", "x"]


def test_six_gigabytes_are_trained_on_in_a_quarter_of_that(
    tmp_path: Path, small: list[str]
) -> None:
    """Silence, which takes few bytes on a disk and as many as any sound in memory."""
    store = tmp_path / "silence.h5"
    write_corpus(store, 6 * GIGABYTE, distinct=0.01, scored=10, loudness=-10.0)
    with Store(store) as opened:
        assert 4 * opened.frames * opened.features > 6e9
        assert [len(opened.indices(part)) for part in ("valid", "test")] == [10, 10]
    assert store.stat().st_size < 1e8
    used = large.train(store, tmp_path / "run", small)
    assert (tmp_path / "run" / "metrics.json").exists()
    assert 0 < used.beyond < large.LIMIT and used.resident < 2e9


def _ask() -> None:
    large.hold_to(large.LIMIT)
    kept = np.ones(10**9, np.int8)
    with pytest.raises(MemoryError):
        np.ones(len(kept), np.int8)


def test_what_needs_more_than_the_limit_is_refused() -> None:
    process = multiprocessing.get_context("fork").Process(target=_ask)
    process.start()
    process.join()
    assert process.exitcode == 0


def test_addresses_are_counted() -> None:
    before = address_space()
    assert 0 < before.peak_resident < before.now <= before.peak


def test_a_run_writes_its_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "README.md"
    copy.write_text(f"before\n{large.BEGIN}\nold\n{large.END}\nafter\n")
    monkeypatch.setattr(large, "put", partial(readme.put, readme=copy))
    used = large.Used(10**9, 5 * 10**8, 9 * 10**8, 12.0)
    given = []

    def train(store: Path, out: Path, words: list[str]) -> large.Used:
        given.append((store, *words[-4:]))
        return used

    monkeypatch.setattr(large, "train", train)
    large.main(["--gigabytes", "0.01", "--steps", "7", "--write"])
    text = copy.read_text()
    assert "old" not in text and text.endswith("after\n") and large.HEADER in text
    last = text.split(large.END)[0].strip().splitlines()[-1]
    assert (
        last.endswith("| 7 | 12 | 1.00 | 0.50 | 1.5 | 0.90 |") and last in capsys.readouterr().out
    )
    assert last.count("|") == large.HEADER.count("|")
    assert given[0][1:] == ("--trainer.max_steps", "7", "--trainer.val_check_interval", "7")
    assert not given[0][0].exists(), "gigabytes are not left behind"


@pytest.mark.long
def test_six_gigabytes_on_a_disk(tmp_path: Path) -> None:
    """With the recipe's own model."""
    row = large.row(6, tmp_path, steps=20)
    assert float(row.split("|")[1]) > 5.8


def test_the_readme_holds_the_table() -> None:
    table = README.split(large.BEGIN)[1].split(large.END)[0]
    assert large.HEADER in table
    rows = [
        [float(cell) for cell in line.split("|")[1:-1]]
        for line in table.split("---|\n")[-1].splitlines()
    ]
    assert [round(row[0], 0) for row in rows] == [0, 1, 6]
    assert all(row[6] < row[7] < row[1] for row in rows[1:]) and rows[2][6] < 1.2 * rows[0][6]
