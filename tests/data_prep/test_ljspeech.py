"""The list of passages and their recordings."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from data_prep.ljspeech import main, prepare
from seqmdn.data import SPLITS, Store
from tests.data_prep.sounds import sound, write


@pytest.fixture
def source(tmp_path: Path) -> Path:
    lines = []
    for place in range(20):
        name = f"LJ001-{place:04}"
        write(tmp_path / "raw" / "wavs" / f"{name}.wav", sound(place), 22_050)
        lines.append(f'{name}|In 18{place:02}, "he said|In eighteen {place}, "he said')
    (tmp_path / "raw" / "metadata.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return tmp_path / "raw"


def test_the_rate_is_kept(source: Path, tmp_path: Path) -> None:
    said = prepare(source, tmp_path / "a.h5")
    store = Store(tmp_path / "a.h5")
    assert [len(store.indices(split)) for split in SPLITS] == [18, 1, 1]
    for place in range(20):
        assert store.text(place) == f'In eighteen {place}, "he said'
        np.testing.assert_array_equal(store.read(place)[0].ravel(), sound(place)[:800])
    assert store.attributes["sample_rate"] == 22_050
    assert store.attributes["text_is"] == "transcription"
    assert said[1] == "0 recordings resampled to 22050 samples a second"


def test_another_rate_is_converted_to(source: Path, tmp_path: Path) -> None:
    main(["--source", str(source), "--out", str(tmp_path / "a.h5"), "--rate", "16000"])
    store = Store(tmp_path / "a.h5")
    assert store.attributes["sample_rate"] == 16_000 and store.lengths.tolist() == [3] * 20
    assert store.attributes["resampled"] == "20: 20 from 22050"
    with pytest.raises(SystemExit, match="expected at least one sequence"):
        main(["--source", str(source), "--out", str(tmp_path / "b.h5"), "--rate", "44100"])
    with pytest.raises(SystemExit, match="a rate of 1 sample a second or more, found 0"):
        main(["--source", str(source), "--out", str(tmp_path / "b.h5"), "--rate", "0"])


def rewrite(source: Path, old: str, new: str) -> None:
    path = source / "metadata.csv"
    path.write_text(path.read_text().replace(old, new, 1))


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda s: (s / "metadata.csv").unlink(), "list of recordings at .*found no such file"),
        (lambda s: (s / "metadata.csv").write_text(""), "line 1: expected 'id|text|normal"),
        (lambda s: rewrite(s, "LJ001-0003|", "LJ001-0002|"), "line 4: .* an id that comes once"),
        (lambda s: rewrite(s, "LJ001-0003|", "../a|"), "line 4: expected"),
        (lambda s: rewrite(s, "|In", "|In|so"), "line 1: expected"),
        (lambda s: (s / "wavs").rename(s / "wav"), "recordings in .*wavs, found no such folder"),
    ],
)
def test_another_source_is_one_line(
    source: Path, tmp_path: Path, edit: Callable[[Path], object], message: str
) -> None:
    edit(source)
    message = message.replace("|", r"\|")
    with pytest.raises(SystemExit, match=f"^data_prep.ljspeech: .*{message}") as error:
        main(["--source", str(source), "--out", str(tmp_path / "a.h5")])
    assert "\n" not in str(error.value) and not (tmp_path / "a.h5").exists()


def test_a_recording_that_is_missing_is_named(source: Path, tmp_path: Path) -> None:
    (source / "wavs" / "LJ001-0007.wav").unlink()
    said = prepare(source, tmp_path / "a.h5")[-1]
    assert said == (
        "1 of 20 recordings left out\n  LJ001-0007: expected a recording of this name, found none"
    )
