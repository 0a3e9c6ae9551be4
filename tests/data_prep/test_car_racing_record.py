"""The recorded frames: their order, their colours, what led to them, and what is refused."""

import json
from pathlib import Path

import numpy as np
import pytest

from data_prep.car_racing_record import main, prepare
from seqmdn.data import Store

ROLLOUTS, STEPS = 8, 5
NAMES = [f"{number}.npz" for number in (30, 200, 1, 77, 5, 64, 9, 8)]
INDEX = "record_to_series_index.json"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A few small rollouts in the layout of the real ones; file i is row i, its level is i."""
    folder = tmp_path / "carracing"
    (folder / "record").mkdir(parents=True)
    for row, name in enumerate(NAMES):
        write(folder, name, np.full((STEPS, 64, 64, 3), row, np.uint8))
    index = {name: NAMES.index(name) for name in sorted(NAMES)}
    (folder / INDEX).write_text(json.dumps(index))
    return folder


def write(source: Path, name: str, recorded: np.ndarray, **arrays: np.ndarray) -> None:
    action = np.arange(STEPS * 3).reshape(STEPS, 3).astype(np.float16) / 16
    np.savez_compressed(source / "record" / name, **{"obs": recorded, "action": action, **arrays})


def test_rollouts_are_in_the_order_of_the_series(source: Path, tmp_path: Path) -> None:
    prepare(source, tmp_path / "a.h5")
    with Store(tmp_path / "a.h5") as store:
        assert store.splits.tolist() == [0, 0, 1, 1, 2, 2, 2, 2]
        for row in range(ROLLOUTS):
            assert (store.read(row)[0] == row + 1).all()


def test_colours_are_those_that_were_seen(source: Path, tmp_path: Path) -> None:
    seen = np.random.default_rng(0).integers(0, 256, (STEPS, 64, 64, 3))
    # As the code computed it: (1 - x) 255, and what a byte keeps of it.
    recorded = ((1.0 - seen) * 255).round().astype(np.int64).astype(np.uint8)
    write(source, NAMES[0], recorded)
    prepare(source, tmp_path / "a.h5")
    values = Store(tmp_path / "a.h5").read(0)[0]
    np.testing.assert_array_equal(values.reshape(seen.shape), seen)


def test_frames_without_white_were_stretched(source: Path, tmp_path: Path) -> None:
    seen = np.random.default_rng(0).integers(0, 230, (STEPS, 64, 64, 3))
    seen[:, 32:] = (102, 204, 102)
    stretched = np.rint(seen * 255 / 229)
    stretched[0] = seen[0]
    write(source, NAMES[0], (stretched - 1).astype(np.int64).astype(np.uint8))
    prepare(source, tmp_path / "a.h5")
    store = Store(tmp_path / "a.h5")
    values = store.read(0)[0].reshape(seen.shape)
    np.testing.assert_array_equal(values, seen)
    assert store.attributes["stretched_frames"] == STEPS - 1


def test_the_context_is_the_action_before(source: Path, tmp_path: Path) -> None:
    prepare(source, tmp_path / "a.h5")
    store = Store(tmp_path / "a.h5")
    assert store.context_names == ["previous steer", "previous gas", "previous brake"]
    context = store.read(2)[1]
    assert context is not None
    np.testing.assert_array_equal(context[0], 0)
    np.testing.assert_array_equal(context[1:], np.arange((STEPS - 1) * 3).reshape(-1, 3) / 16)


def test_the_store_says_what_it_is(source: Path, tmp_path: Path) -> None:
    main(["--source", str(source), "--out", str(tmp_path / "a.h5")])
    attributes = Store(tmp_path / "a.h5").attributes
    expected = {"kind": "frames", "sequence": "episode", "height": 64, "width": 64, "channels": 3}
    assert {key: attributes[key] for key in expected} == expected
    assert [entry["file"] for entry in attributes["source"]] == [INDEX, "record/*.npz"]
    assert str(tmp_path).encode() not in (tmp_path / "a.h5").read_bytes()


def rewrite(source: Path, content: object) -> None:
    (source / INDEX).write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda s: (s / INDEX).unlink(), "order of the recorded files at .*found no such file"),
        (lambda s: (s / INDEX).write_text("{"), "json, line 1: expected JSON, found none"),
        (lambda s: rewrite(s, [1, 2]), r"expected a JSON object, found '\[1, 2\]'"),
        (lambda s: rewrite(s, {"a.npz": "x", "b.npz": 1}), "expected a JSON object"),
        (lambda s: rewrite(s, dict.fromkeys(NAMES, 0)), r"each once, .*found \[0, 0"),
        (lambda s: rewrite(s, {NAMES[0]: 0}), r"of more than 6 files, found \[0\]"),
        (lambda s: rewrite(s, {f"../{n}": i for i, n in enumerate(NAMES)}), "expected names of"),
        (lambda s: (s / "record" / NAMES[3]).unlink(), "a recorded rollout at .*77.npz, found no"),
        (lambda s: (s / "record" / NAMES[3]).write_bytes(b"PK\x03\x04"), "77.npz: expected an npz"),
        (lambda s: (s / "record" / NAMES[3]).write_bytes(b""), "77.npz: expected an npz"),
        (lambda s: np.savez(s / "record" / NAMES[3], obs=np.ones(1)), "77.npz: expected .*action"),
        (
            lambda s: write(s, NAMES[3], np.zeros((STEPS, 32, 64, 3), np.uint8)),
            r"77.npz: expected obs of shape .*found uint8 of shape \(5, 32, 64, 3\)",
        ),
        (
            lambda s: write(s, NAMES[3], np.zeros((STEPS, 64, 64, 3))),
            "77.npz: expected obs .*found float64",
        ),
        (lambda s: write(s, NAMES[3], np.array(1)), r"77.npz: expected obs .*of shape \(\)"),
        (
            lambda s: write(s, NAMES[3], np.zeros((4, 64, 64, 3), np.uint8)),
            r"77.npz: expected .*and float16 of shape \(5, 3\)",
        ),
        (
            lambda s: write(
                s,
                NAMES[3],
                np.zeros((STEPS, 64, 64, 3), np.uint8),
                action=np.full((STEPS, 3), np.nan),
            ),
            "context of sequence 3: expected finite",
        ),
    ],
)
def test_another_source_is_one_line(
    source: Path, tmp_path: Path, edit: object, message: str
) -> None:
    edit(source)
    with pytest.raises(SystemExit, match=f"^data_prep.car_racing_record: .*{message}") as error:
        main(["--source", str(source), "--out", str(tmp_path / "a.h5")])
    assert "\n" not in str(error.value)
    assert not (tmp_path / "a.h5").exists()


def test_real_frames_look_as_played_ones_do(data_root: Path, tmp_path: Path) -> None:
    source = data_root / "carracing"
    index = json.loads((source / INDEX).read_text())
    (tmp_path / "record").mkdir()
    chosen = sorted(index, key=index.__getitem__)[:7]
    for name in chosen:
        with np.load(source / "record" / name) as archive:
            arrays = {key: archive[key][:60] for key in ("obs", "action")}
        np.savez_compressed(tmp_path / "record" / name, **arrays)
    (tmp_path / INDEX).write_text(json.dumps({name: row for row, name in enumerate(chosen)}))
    prepare(tmp_path, tmp_path / "a.h5")
    store = Store(tmp_path / "a.h5")
    assert 0 < store.attributes["stretched_frames"] < store.frames
    for rollout in range(len(chosen)):
        frames = store.read(rollout)[0].reshape(-1, 64, 64, 3)
        # What lies beyond the playfield is black, and grass is (102, 204, 102) in every frame.
        assert (frames[0, 0] == 0).all()
        grass = np.count_nonzero((frames[30:] == (102, 204, 102)).all(-1), (1, 2))
        assert (grass > 64 * 64 / 10).all()
