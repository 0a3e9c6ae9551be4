"""Drawn sequences as files."""

import hashlib
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import soundfile
import torch
from PIL import Image

from seqmdn import drawings
from seqmdn.data import Batch, Store
from seqmdn.drawings import save_sequences
from seqmdn.files import written_whole
from seqmdn.plotting import save_samples
from seqmdn.plotting.page import GIVEN, INK, PEN
from tests.small import write_store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(write_store(tmp_path / "walks.h5", noisy=True))


@pytest.fixture
def drawn() -> Batch:
    return Batch(torch.randn(3, 5, 2), torch.tensor([5, 2, 4]))


@pytest.fixture
def best(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What stands for a checkpoint: of it no more than the name and the bytes matter here."""
    path = tmp_path_factory.mktemp("runs") / "rmdn-0" / "checkpoints" / "best.ckpt"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"weights")
    return path


def save(path: Path, drawn: Batch, store: Store, best: Path) -> list[str]:
    """Write the file; return the names in its folder."""
    path.parent.mkdir(exist_ok=True)
    real = Batch(torch.zeros(2, 5, 2), torch.tensor([5, 3]))
    save_sequences(path, drawn, real, store, best, "seqmdn sample rmdn-0")
    return [found.name for found in path.parent.iterdir()]


def test_npz_holds_values_and_lengths(
    tmp_path: Path, store: Store, drawn: Batch, best: Path
) -> None:
    assert save(tmp_path / "out" / "a.npz", drawn, store, best) == ["a.npz"]
    with np.load(tmp_path / "out" / "a.npz") as found:
        assert sorted(found) == ["lengths", "values"]
        assert np.array_equal(found["values"], drawn.values.numpy())
        assert found["lengths"].tolist() == [5, 2, 4]
    primed = drawn._replace(start=torch.tensor([2, 0, 1]))
    save(tmp_path / "out" / "a.npz", primed, store, best)
    with np.load(tmp_path / "out" / "a.npz") as found:
        assert found["start"].tolist() == [2, 0, 1]


def test_h5_is_a_store_of_the_drawn_sequences(
    tmp_path: Path, store: Store, drawn: Batch, best: Path
) -> None:
    assert save(tmp_path / "out" / "a.h5", drawn, store, best) == ["a.h5"]
    with Store(tmp_path / "out" / "a.h5") as found:
        assert found.names == ["x0", "x1"] and found.unit == "m" and found.name == "walks, drawn"
        assert found.indices("test").tolist() == [0, 1, 2] and found.lengths.tolist() == [5, 2, 4]
        for i, length in enumerate([5, 2, 4]):
            assert np.array_equal(found.read(i)[0], drawn.values[i, :length].numpy())


def test_h5_says_of_itself_what_the_real_store_does(
    tmp_path: Path, drawn: Batch, best: Path
) -> None:
    look = {"kind": "image", "height": 5, "width": 2, "levels": 17, "sequence": "image"}
    more = {"latent_mean": np.array([0.5, -2.0]), "seed": 3}
    path = write_store(
        tmp_path / "walks.h5", step="row", licence="free", attributes=look | more, sample_rate=8.0
    )
    with h5py.File(path, "a") as file:
        file.attrs["authors"] = ["of another program", "this one keeps none"]
        file.attrs["limit_test"] = 1.5  # of the real rows, not of drawn ones
    real = Store(path)
    save(tmp_path / "out" / "a.h5", drawn, real, best)
    with Store(tmp_path / "out" / "a.h5") as found:
        own = {"name", "source", "command", "authors"}
        assert set(found.attributes) == set(real.attributes) - {"authors", "limit_test"}
        for key in set(found.attributes) - own:
            assert np.array_equal(found.attributes[key], real.attributes[key]), key
        for key, value in (look | more | {"step": "row", "licence": "free"}).items():
            assert np.array_equal(found.attributes[key], value), key
        assert found.attributes["source"] == [
            {
                "file": "rmdn-0/checkpoints/best.ckpt",
                "sha256": hashlib.sha256(b"weights").hexdigest(),
            },
            {"file": "walks.h5", "sha256": real.sha256},
        ]
        assert found.attributes["command"] == "seqmdn sample rmdn-0"
        pictures = []
        for store in (real, found):
            picture = tmp_path / "a.png"
            save_samples(picture, drawn.values, None, store.attributes)
            pictures.append(picture.read_bytes())
        assert pictures[0] == pictures[1], "drawn sequences look as real ones do"


def test_h5_names_a_lone_checkpoint_by_its_name(tmp_path: Path, store: Store, drawn: Batch) -> None:
    (tmp_path / "mine.ckpt").write_bytes(b"")
    save(tmp_path / "out" / "a.h5", drawn, store, tmp_path / "mine.ckpt")
    with Store(tmp_path / "out" / "a.h5") as found:
        assert [entry["file"] for entry in found.attributes["source"]] == ["mine.ckpt", "walks.h5"]


def test_h5_keeps_the_context_of_the_frames_that_count(
    tmp_path: Path, drawn: Batch, best: Path
) -> None:
    store = Store(write_store(tmp_path / "walks.h5", context=True))
    known = drawn._replace(context=torch.randn(3, 5, 1))
    save(tmp_path / "out" / "a.h5", known, store, best)
    with Store(tmp_path / "out" / "a.h5") as found:
        assert found.context_names == ["c"]
        for i, length in enumerate([5, 2, 4]):
            context = found.read(i)[1]
            assert context is not None and np.array_equal(context, known.context[i, :length])


def test_pictures_are_pictures(tmp_path: Path, store: Store, drawn: Batch, best: Path) -> None:
    assert save(tmp_path / "out" / "a.png", drawn, store, best) == ["a.png"]
    with Image.open(tmp_path / "out" / "a.png") as picture:
        assert picture.format == "PNG" and min(picture.size) > 200
        assert len(set(picture.convert("L").tobytes())) > 3, "something is drawn"
    save(tmp_path / "out" / "a.svg", drawn, store, best)
    text = (tmp_path / "out" / "a.svg").read_text()
    assert "<svg" in text and text.rstrip().endswith("</svg>")


def test_pictures_show_drawn_sequences_below_real_ones(
    tmp_path: Path, store: Store, drawn: Batch, best: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[tuple[Any, ...]] = []

    def keep(path: Path, values: Any, lengths: Any, attributes: Any, **real: Any) -> None:
        assert attributes == store.attributes
        shown.append((values, lengths, real["reference"], real["reference_lengths"]))

    monkeypatch.setattr(drawings, "save_samples", keep)
    real = Batch(torch.randn(20, 5, 2), torch.arange(20) % 5 + 1)
    save_sequences(tmp_path / "a.png", drawn, real, store, best)
    wanted = (drawn.values, drawn.lengths, real.values[:16], real.lengths[:16])
    for found, expected in zip(shown[0], wanted, strict=True):
        assert np.array_equal(found, expected.numpy())


@pytest.mark.parametrize("ending", ["wav", "flac"])
def test_sound_is_all_sequences_one_after_another(
    tmp_path: Path, drawn: Batch, best: Path, ending: str
) -> None:
    look = {"kind": "audio", "full_scale": 4.0}
    audio = Store(write_store(tmp_path / "a.h5", sample_rate=8000, attributes=look))
    assert save(tmp_path / "out" / f"a.{ending}", drawn, audio, best) == [f"a.{ending}"]
    sound, rate = soundfile.read(tmp_path / "out" / f"a.{ending}")
    rows = [drawn.values[i, :n].flatten() for i, n in enumerate([5, 2, 4])]
    silence = torch.zeros(2000)
    expected = torch.cat([rows[0], silence, rows[1], silence, rows[2]]).numpy() / 4
    assert rate == 8000 and np.abs(expected).max() < 1
    np.testing.assert_allclose(sound, expected, atol=0.5001 / 32768)


def test_sound_is_shown_with_its_spectrogram(
    tmp_path: Path, drawn: Batch, best: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[Any] = []

    def keep(
        path: Path, values: Any, lengths: Any, look: Any, spectrogram: Any, **more: Any
    ) -> None:
        shown.append((spectrogram, more))

    monkeypatch.setattr(drawings, "save_sounds", keep)
    look = {"kind": "audio", "full_scale": 4.0}
    audio = Store(write_store(tmp_path / "a.h5", sample_rate=8000, attributes=look))
    given = drawn._replace(start=torch.tensor([2, 0, 1]))
    save_sequences(tmp_path / "a.png", given, None, audio, best, titles=["x", "y", "z"])
    ((spectrogram, more),) = shown
    assert more == {"reference": None, "reference_lengths": None, "starts": [2, 0, 1]}
    assert spectrogram(np.zeros(800)).decibels.shape == (64, 13)
    # Without a rate there is no frequency to show.
    mute = Store(write_store(tmp_path / "b.h5", attributes=look))
    assert save(tmp_path / "out" / "b.png", drawn, mute, best) == ["b.png"] and len(shown) == 1


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a.wav", "walks is not sound: choose another ending than .wav"),
        ("a.flac", "walks is not sound: choose another ending than .flac"),
        ("a.gif", "walks holds no strokes: choose another ending than .gif"),
        (
            "a.txt",
            "--out must end in one of .png, .svg, .gif, .npz, .h5, .wav, .flac; found 'a.txt'",
        ),
        ("a", "found 'a'"),
    ],
)
def test_other_endings_are_refused(
    tmp_path: Path, store: Store, drawn: Batch, best: Path, name: str, message: str
) -> None:
    with pytest.raises(ValueError, match=message.replace(".", r"\.")):
        save(tmp_path / "out" / name, drawn, store, best)
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("ending", ["png", "svg", "npz", "h5"])
def test_what_cannot_be_written_leaves_nothing(
    tmp_path: Path, store: Store, drawn: Batch, best: Path, ending: str
) -> None:
    (tmp_path / "file").write_text("old")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(OSError, match="file"):
        save_sequences(tmp_path / "file" / f"a.{ending}", drawn, drawn, store, best)
    assert sorted(tmp_path.rglob("*")) == before and (tmp_path / "file").read_text() == "old"


def test_a_disk_that_is_full_keeps_the_old_file(
    tmp_path: Path, store: Store, drawn: Batch, best: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.npz"
    with written_whole(path) as partial:
        partial.write_text("old")

    def fail(target: Path, **arrays: Any) -> None:
        Path(target).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez_compressed", fail)
    with pytest.raises(OSError, match="No space left"):
        save_sequences(path, drawn, drawn, store, best)
    assert path.read_text() == "old" and not list(tmp_path.glob(".*"))


@pytest.fixture
def strokes(tmp_path: Path) -> Store:
    return Store(write_store(tmp_path / "pens.h5", features=3, attributes={"kind": "strokes"}))


def test_strokes_are_written_by_a_pen(tmp_path: Path, strokes: Store, best: Path) -> None:
    drawn = Batch(torch.randn(3, 5, 3), torch.tensor([5, 2, 4]), start=torch.tensor([2, 0, 0]))
    real = Batch(torch.randn(20, 6, 3), torch.full((20,), 6))
    titles = ["a", "b", "c"]
    for ending in ("svg", "gif", "png"):
        save_sequences(tmp_path / f"a.{ending}", drawn, real, strokes, best, titles=titles)
    text = (tmp_path / "a.svg").read_text()
    assert all(f">{title}</text>" in text for title in (*titles, "real", "sampled"))
    assert PEN in text and GIVEN in text and INK in text
    with Image.open(tmp_path / "a.gif") as picture:
        assert picture.format == "GIF" and picture.n_frames == 5
    with Image.open(tmp_path / "a.png") as picture:
        colours = {c for _, c in picture.convert("RGB").getcolors(100_000)}
    assert any(max(abs(c - 0xAB) for c in each) < 4 for each in colours), "given frames are grey"


def test_padding_is_not_drawn(tmp_path: Path, strokes: Store, best: Path) -> None:
    values = torch.randn(2, 5, 3)
    for name, more in [("a", 0.0), ("b", 9.0)]:
        values[1, 3:] = more
        batch = Batch(values, torch.tensor([5, 3]))
        for ending in ("svg", "gif"):
            save_sequences(tmp_path / f"{name}.{ending}", batch, batch, strokes, best)
    for ending in ("svg", "gif"):
        assert (tmp_path / f"a.{ending}").read_bytes() == (tmp_path / f"b.{ending}").read_bytes()
