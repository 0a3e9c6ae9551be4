"""The archive's list and recordings, and what is wrong with either."""

from collections.abc import Callable
from pathlib import Path

import pytest
import soundfile

from data_prep.accent import main, prepare
from data_prep.splits import split_percent
from seqmdn.data import SPLITS, Store
from tests.data_prep.sounds import LANGUAGES, accent, sound, write

pytestmark = pytest.mark.skipif(
    "MP3" not in soundfile.available_formats(), reason="libsndfile without mp3"
)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return accent(tmp_path / "raw", length=3000)


def test_languages_and_split_by_speaker(source: Path, tmp_path: Path) -> None:
    said = prepare(source, tmp_path / "a.h5")
    store = Store(tmp_path / "a.h5")
    assert [len(store.indices(split)) for split in SPLITS] == [22, 1, 1]
    expected = split_percent([str(number) for number in range(24)], 0, (90, 5, 5))
    for number in range(24):
        assert store.text(number) == LANGUAGES[number % 4]
        assert SPLITS[store.splits[number]] == expected[str(number)]
    assert store.attributes["text_is"] == "name" and store.attributes["sample_rate"] == 16_000
    assert said[0] == "1 speakers have no recording, as the list says"
    assert said[1] == "24 recordings mixed down to one channel"
    assert said[-1] == "0 of 24 recordings left out"


def test_recordings_may_lie_one_folder_higher_in_any_case(source: Path, tmp_path: Path) -> None:
    prepare(source, tmp_path / "a.h5")
    for path in (source / "recordings" / "recordings").iterdir():
        path.rename(source / "recordings" / path.name.upper())
    (source / "recordings" / "recordings").rmdir()
    prepare(source, tmp_path / "b.h5")
    one, other = Store(tmp_path / "a.h5"), Store(tmp_path / "b.h5")
    assert one.splits.tolist() == other.splits.tolist() and one.frames == other.frames


def test_list_and_recordings_need_not_agree(source: Path, tmp_path: Path) -> None:
    folder = source / "recordings" / "recordings"
    (folder / "arabic1.mp3").rename(folder / "unknown.mp3")
    write(folder / "english1.mp3", sound(0), 8000, format="WAV")
    said = prepare(source, tmp_path / "a.h5")[-1].split("\n")
    assert said[0] == "3 of 25 recordings left out"
    assert said[1] == "  arabic1.mp3: expected a recording of this name, found none"
    assert said[2].startswith("  english1.mp3: expected 16000 samples a second or more, found 8000")
    assert said[3] == "  unknown.mp3: expected a row of speakers_all.csv for it, found none"
    assert Store(tmp_path / "a.h5").attributes["left_out"] == 3
    with pytest.raises(SystemExit, match="^data_prep.accent: arabic1.mp3: expected a recording"):
        main(["--source", str(source), "--out", str(tmp_path / "b.h5"), "--strict"])


def rewrite(source: Path, old: str, new: str) -> None:
    path = source / "speakers_all.csv"
    path.write_text(path.read_text().replace(old, new))


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda s: (s / "speakers_all.csv").unlink(), "the list of speakers at .*found no such"),
        (lambda s: rewrite(s, "native_language", "L1"), "expected columns filename, native_lang"),
        (
            lambda s: rewrite(s, ",FALSE,", ",TRUE,"),
            "speakers with recordings, found none",
        ),
        (
            lambda s: rewrite(s, "arabic2", "arabic1"),
            "line 7: .* a file name that comes once",
        ),
        (lambda s: rewrite(s, "arabic1", "../a"), "line 3: expected a file name"),
        (
            lambda s: (s / "recordings").rename(s / "sound"),
            "recordings/recordings or rec",
        ),
    ],
)
def test_another_source_is_one_line(
    source: Path, tmp_path: Path, edit: Callable[[Path], object], message: str
) -> None:
    edit(source)
    with pytest.raises(SystemExit, match=f"^data_prep.accent: .*{message}") as error:
        main(["--source", str(source), "--out", str(tmp_path / "a.h5")])
    assert "\n" not in str(error.value) and not (tmp_path / "a.h5").exists()
