"""The spoken digits: takes decide the split, names the text."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from data_prep.fsdd import main, prepare
from seqmdn.data import SPLITS, Store, file_sha256

TAKES = range(12)
SPEAKERS = ("theo", "george")


def encoded(seed: int, length: int = 640) -> bytes:
    file = io.BytesIO()
    samples = np.random.default_rng(seed).integers(-900, 900, length).astype(np.int16)
    soundfile.write(file, samples, 8_000, format="WAV")
    return file.getvalue()


def recordings() -> dict[str, bytes]:
    return {
        f"{digit}_{speaker}_{take}.wav": encoded(100 * digit + take)
        for digit in (0, 7)
        for speaker in SPEAKERS
        for take in TAKES
    }


def pack(folder: Path, content: dict[str, bytes]) -> Path:
    folder.mkdir(exist_ok=True)
    with zipfile.ZipFile(folder / "recordings.zip", "w") as file:
        for name, data in content.items():
            file.writestr(zipfile.ZipInfo(f"recordings/{name}"), data)
    return folder


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return pack(tmp_path / "fsdd", recordings())


def test_takes_decide_the_split(source: Path, tmp_path: Path) -> None:
    prepare(source, tmp_path / "a.h5")
    store = Store(tmp_path / "a.h5")
    counts = {split: len(store.indices(split)) for split in SPLITS}
    assert counts == {"train": 8, "valid": 20, "test": 20}
    place = 0
    for digit in (0, 7):
        for speaker in sorted(SPEAKERS):
            for take in TAKES:
                assert store.text(place) == f"{digit}/{speaker}"
                expected, _ = soundfile.read(io.BytesIO(encoded(100 * digit + take)), dtype="int16")
                np.testing.assert_array_equal(store.read(place)[0].ravel(), expected[:600])
                split = "test" if take < 5 else "valid" if take < 10 else "train"
                assert SPLITS[store.splits[place]] == split
                place += 1
    sha256 = file_sha256(source / "recordings.zip")
    assert store.attributes["source"] == [{"file": "recordings.zip", "sha256": sha256}]
    assert store.attributes["sample_rate"] == 8_000


def test_a_folder_holds_what_the_archive_does(source: Path, tmp_path: Path) -> None:
    folder = tmp_path / "clone" / "recordings"
    folder.mkdir(parents=True)
    for name, data in recordings().items():
        (folder / name).write_bytes(data)
    prepare(source, tmp_path / "a.h5")
    prepare(folder.parent, tmp_path / "b.h5")
    zipped, cloned = Store(tmp_path / "a.h5"), Store(tmp_path / "b.h5")
    assert cloned.attributes["source"][0]["file"] == "recordings/*.wav"
    assert zipped.splits.tolist() == cloned.splits.tolist()
    for place in range(len(zipped)):
        np.testing.assert_array_equal(zipped.read(place)[0], cloned.read(place)[0])


def test_labels_are_a_context_of_every_frame(source: Path, tmp_path: Path) -> None:
    words = ["--source", str(source), "--out", str(tmp_path / "a.h5"), "--labels"]
    main(words)
    prepare(source, tmp_path / "b.h5")
    store, plain = Store(tmp_path / "a.h5"), Store(tmp_path / "b.h5")
    assert (store.name, plain.name) == ("fsdd_labels", "fsdd") and not plain.context_names
    assert store.attributes["command"].endswith("--labels")
    kinds = [name.split()[0] for name in store.context_names]
    assert kinds == sorted(kinds) and set(kinds) == {"digit", "speaker"}
    for place in range(len(store)):
        values, context = store.read(place)
        assert context is not None and len(context) == len(values)
        assert (context == context[0]).all()
        said = [
            name.split()[1] for name, on in zip(store.context_names, context[0], strict=True) if on
        ]
        assert "/".join(said) == store.text(place)
        np.testing.assert_array_equal(values, plain.read(place)[0])


def test_what_is_too_short_is_left_out(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pack(source, recordings() | {"3_theo_20.wav": encoded(1, length=399)})
    words = ["--source", str(source), "--out", str(tmp_path / "a.h5")]
    main(words)
    assert "1 of 49 recordings left out\n  3_theo_20.wav: expected 2 frames" in (
        capsys.readouterr().out
    )
    with pytest.raises(SystemExit, match="^data_prep.fsdd: 3_theo_20.wav: expected 2 frames"):
        main([*words, "--strict"])


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda s: (s / "recordings.zip").unlink(), "recordings.zip or a folder .*found neither"),
        (lambda s: (s / "recordings.zip").write_bytes(b"PK"), "expected a whole zip archive"),
        (lambda s: pack(s, {"readme.md": b""}), "such as 7_jackson_32.wav, found none"),
        (lambda s: pack(s, {"seven.wav": encoded(0)}), "names such as .*found 'seven.wav': remove"),
    ],
)
def test_another_source_is_one_line(
    source: Path, tmp_path: Path, edit: Callable[[Path], object], message: str
) -> None:
    edit(source)
    with pytest.raises(SystemExit, match=f"^data_prep.fsdd: .*{message}") as error:
        main(["--source", str(source), "--out", str(tmp_path / "a.h5")])
    assert "\n" not in str(error.value) and not (tmp_path / "a.h5").exists()


def test_real_recordings_are_all_there(data_root: Path, tmp_path: Path) -> None:
    said = prepare(data_root / "fsdd", tmp_path / "a.h5", strict=True)
    store = Store(tmp_path / "a.h5")
    assert [len(store.indices(split)) for split in SPLITS] == [2400, 300, 300]
    assert store.frames == 50_999 and said[0].startswith("298624 samples")
    # One of the six speakers was recorded with 8 bits.
    assert said[1].startswith("500 recordings use fewer levels")
    texts = {store.text(index) for index in store.indices("test").tolist()}
    assert len(texts) == 60 and "7/jackson" in texts
