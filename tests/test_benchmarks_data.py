"""The benchmark of loading: its store is a whole one, and what it measures is what it says."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
import torch

from benchmarks import data, measure, readme
from benchmarks.corpus import CHUNK, FEATURES, FRAMES, evict, write_corpus
from seqmdn.data import Store

ROOT = Path(data.__file__).parents[1]
README = Path(data.__file__).with_name("README.md").read_text()


def test_the_corpus_repeats_whole_recordings(tmp_path: Path) -> None:
    path = tmp_path / "noise.h5"
    write_corpus(path, hours=0.032, distinct=0.009)
    assert list(tmp_path.iterdir()) == [path]
    with Store(path) as store:
        assert len(store) == 36 and store.frames == 36 * FRAMES  # 32 are asked for, in nines
        assert [len(store.indices(split)) for split in ("train", "valid", "test")] == [34, 1, 1]
        first = store.read(3)[0]
        assert first.shape == (FRAMES, FEATURES) and (first == np.rint(first)).all()
        assert np.abs(first).max() < 2**15 and 100 < first.std() < 3000
        for number in (12, 21, 30):
            np.testing.assert_array_equal(store.read(number)[0], first)
        assert (store.read(4)[0] != first).any()
    with h5py.File(path) as file:
        values = file["values"]
        places = {
            values.id.get_chunk_info(i).byte_offset for i in range(values.id.get_num_chunks())
        }
        assert len(places) == 36 * FRAMES // CHUNK  # each has bytes of its own to be read
        assert values.id.get_storage_size() / values.size == pytest.approx(1.66, abs=0.1)


def test_a_file_that_was_evicted_is_the_same(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"a" * 10_000)
    evict(path)
    assert path.read_bytes() == b"a" * 10_000


_HOLDING = """
import multiprocessing
import numpy as np
from benchmarks.process import memory, read_from_disk

before = memory()
kept = np.ones(10_000_000)
after = memory()
for grown in (after.resident, after.proportional, after.own):
    assert grown >= kept.nbytes
assert 0.9 * kept.nbytes < after.own - before.own < 1.1 * kept.nbytes
assert after.own <= after.proportional <= after.resident
assert read_from_disk() >= 0
process = multiprocessing.get_context("fork").Process(target=multiprocessing.Event().wait)
process.start()
try:
    assert memory(process.pid).own < kept.nbytes  # it shares what it was forked with
finally:
    process.kill()
    process.join()
"""


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="needs Linux's /proc")
def test_memory_is_that_of_the_process() -> None:
    # A process of its own: of one that has run for long, the system takes back what lies idle.
    command = [sys.executable, "-c", _HOLDING]
    found = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert found.returncode == 0, found.stderr


def test_waiting_is_told_from_working(monkeypatch: pytest.MonkeyPatch) -> None:
    wall = processor = 0.0

    def spend(seconds: float, work: float) -> None:
        nonlocal wall, processor
        wall, processor = wall + seconds, processor + work

    def source() -> Iterator[int]:
        for number in range(100):
            spend(0.5, 0.1)
            yield number

    clock = SimpleNamespace(perf_counter=lambda: wall, process_time=lambda: processor)
    monkeypatch.setattr(measure, "time", clock)
    steps: list[int] = []
    found = measure.fed(source(), lambda batch: (steps.append(batch), spend(2.0, 0.9)), 4, 3)
    assert found == pytest.approx((2.0, 2.5, 1.25, 0.2, 0.1))
    kept, come = [0, 1, 2, 3], iter(range(4, 100))
    expected = [0]
    for _ in range(3):
        expected += [*kept, *(next(come) for _ in range(4))]
    assert steps == expected


def test_a_run_writes_its_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    copy = tmp_path / "README.md"
    copy.write_text(f"before\n{data.BEGIN}\nold\n{data.END}\nafter\n")
    monkeypatch.setattr(data, "put", partial(readme.put, readme=copy))
    monkeypatch.setattr(data, "MODELS", ("rmdn",))
    monkeypatch.setattr(data, "RECIPE", _small_recipe(tmp_path / "recipe"))
    store = tmp_path / "kept" / "noise.h5"
    words = ["--hours", "0.02", "--store", str(store), "--quick", "--write"]
    threads = torch.get_num_threads()
    try:
        data.main([*words, "--threads", "1", "--workers", "0"])
    finally:
        torch.set_num_threads(threads)
    assert store.exists() and multiprocessing.active_children() == []
    text, printed = copy.read_text(), capsys.readouterr().out
    assert text.startswith("before\n") and text.endswith("after\n") and "old" not in text
    assert "0.036 hours, 36 recordings, 10368 frames" in text
    for header in (data.OPENING, data.LOADING, data.HOLDING, data.TRAINING):
        head, line, row = text[text.index(header) :].splitlines()[:3]
        assert head.count("|") == line.count("|") == row.count("|")
        assert row in printed
    assert "| rmdn | 1 | 0 |" in text


def test_what_is_measured_is_the_recipe(tmp_path: Path) -> None:
    path = tmp_path / "noise.h5"
    write_corpus(path, hours=0.01)
    module, step = data.configured("frmdn", path, 0)
    assert (module.batch_size, module.window, module.burn_in, module.workers) == (32, 40, 4, 0)
    assert repr(module.noise) == "UniformDequantise(width=1.0, centred=True)"
    assert next(data.endless(module)).values.shape == (32, 44, FEATURES) and callable(step)


def _small_recipe(folder: Path) -> Path:
    """The recipe with another size."""
    folder.mkdir()
    sizes = {"batch_size: 32": "batch_size: 4", "hidden: 256": "hidden: 8"}
    sizes["components: 20"] = "components: 2"
    for name in ("base.yaml", "rmdn.yaml"):
        text = (data.RECIPE / name).read_text()
        for size, small in sizes.items():
            text = text.replace(size, small)
        (folder / name).write_text(text)
    return folder


def test_the_readme_holds_every_table_of_loading() -> None:
    table = README.split(data.BEGIN)[1].split(data.END)[0]
    assert "100 hours, 100296 recordings, 28885248 frames" in table
    for header in (data.OPENING, data.LOADING, data.HOLDING, data.TRAINING):
        assert header in table
    for model in data.MODELS:
        for workers in (0, 1):
            assert f"| {model} | 1 | {workers} |" in table
