"""TIMIT in its owner's layout: parts, letter case, copies, transcriptions."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from data_prep.timit import main, prepare
from seqmdn.data import SPLITS, Store
from tests.data_prep.sounds import SENTENCES, SPEAKERS, TESTERS, sound, timit, write


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return timit(tmp_path / "timit")


def texts(store: Store, split: str) -> set[str]:
    return {str(store.text(index)) for index in store.indices(split).tolist()}


def test_parts_texts_and_samples(source: Path, tmp_path: Path) -> None:
    said = prepare(source, tmp_path / "a.h5")
    store = Store(tmp_path / "a.h5")
    assert [len(store.indices(split)) for split in SPLITS] == [19, 1, 10]
    assert texts(store, "test") == {
        f"She said {sentence} to {speaker}." for _, speaker in TESTERS for sentence in SENTENCES
    }
    written = {
        f"She said {sentence} to {speaker}.": len(SENTENCES) * place + number
        for place, (_, speaker) in enumerate(SPEAKERS + TESTERS)
        for number, sentence in enumerate(SENTENCES)
    }
    for index in range(len(store)):
        expected = sound(written[str(store.text(index))])[:800]
        np.testing.assert_array_equal(store.read(index)[0].ravel(), expected)
    assert said[0] == ("20 utterances in TRAIN and 10 in TEST; the whole corpus has 4620 and 1680")
    assert store.attributes["text_is"] == "transcription"
    assert store.attributes["sample_rate"] == 16_000
    assert str(tmp_path).encode() not in (tmp_path / "a.h5").read_bytes()


def test_the_validation_part_follows_from_the_seed(source: Path, tmp_path: Path) -> None:
    chosen = []
    for seed in (0, 0, 1, 2):
        prepare(source, tmp_path / "a.h5", seed=seed)
        chosen.append(texts(Store(tmp_path / "a.h5"), "valid"))
    assert chosen[0] == chosen[1] and len({frozenset(each) for each in chosen}) > 1


def test_letter_case_and_nesting_play_no_part(source: Path, tmp_path: Path) -> None:
    timit(tmp_path / "other" / "TIMIT" / "data", lower=True)
    mixed = timit(tmp_path / "mixed")
    (mixed / "TRAIN" / "DR1").rename(mixed / "TRAIN" / "dr1")
    prepare(source, tmp_path / "a.h5")
    upper = Store(tmp_path / "a.h5")
    for number, tree in enumerate((tmp_path / "other", mixed)):
        prepare(tree, tmp_path / f"{number}.h5")
        other = Store(tmp_path / f"{number}.h5")
        assert upper.splits.tolist() == other.splits.tolist()
        for index in range(len(upper)):
            assert upper.text(index) == other.text(index)
            np.testing.assert_array_equal(upper.read(index)[0], other.read(index)[0])


def test_of_a_copy_and_its_original_one_is_read(source: Path, tmp_path: Path) -> None:
    for number, path in enumerate(sorted(source.rglob("*.WAV"))):
        write(path.with_name(f"{path.name}.wav"), sound(1000 + number), format="WAV")
    prepare(source, tmp_path / "a.h5")
    store = Store(tmp_path / "a.h5")
    assert len(store) == 30
    first = next(i for i in range(30) if store.text(i) == "She said SA1 to FCJF0.")
    np.testing.assert_array_equal(store.read(first)[0].ravel(), sound(0)[:800])
    for path in source.rglob("*.WAV"):
        path.unlink()
    prepare(source, tmp_path / "b.h5")  # copies only
    assert len(Store(tmp_path / "b.h5")) == 30
    assert not np.array_equal(Store(tmp_path / "b.h5").read(first)[0], store.read(first)[0])


def test_without_the_sentences_that_all_read(source: Path, tmp_path: Path) -> None:
    main(["--source", str(source), "--out", str(tmp_path / "a.h5"), "--without-sa"])
    store = Store(tmp_path / "a.h5")
    assert len(store) == 18 and not any("SA" in str(store.text(i)) for i in range(18))
    assert store.attributes["command"].endswith("--seed 0 --without-sa")


def test_what_cannot_be_used_is_named(source: Path, tmp_path: Path) -> None:
    folder = source / "TRAIN/DR1/FCJF0"
    write(folder / "SA1.WAV", sound(1), 8000, format="NIST")
    (folder / "SA2.WAV").write_bytes((folder / "SA2.WAV").read_bytes()[:-500])
    (folder / "SI648.TXT").unlink()
    (folder / "SX37.TXT").write_text("She had\n")
    said = prepare(source, tmp_path / "a.h5")[-1].split("\n")
    assert said[0] == "4 of 30 recordings left out"
    for line, why in zip(
        said[1:],
        (
            "SA1.WAV: expected 16000 samples a second of 16 bits, found 8000 of 16 bits",
            "SA2.WAV: expected 900 samples, found 650",
            "SI648.WAV: expected a transcription *.TXT beside it, found none",
            "SX37.WAV: expected a transcription such as '0 46797 She had ...', found 'She had'",
        ),
        strict=True,
    ):
        assert line.strip() == f"TRAIN/DR1/FCJF0/{why}"
    assert len(Store(tmp_path / "a.h5")) == 26
    with pytest.raises(ValueError, match="^TRAIN/DR1/FCJF0/SA1.WAV: expected 16000"):
        prepare(source, tmp_path / "b.h5", strict=True)
    assert not (tmp_path / "b.h5").exists()


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda s: shutil.rmtree(s), "folders TRAIN and TEST in .*timit, found nothing"),
        (lambda s: shutil.rmtree(s / "TEST"), "folders TRAIN and TEST in .*, found TRAIN: give"),
        (lambda s: (s / "TRAIN/DR8").rename(s / "DR8"), None),
        (lambda s: [p.unlink() for p in (s / "TEST").rglob("*.WAV")], "TEST, found none among DR1"),
    ],
)
def test_another_source_is_one_line(
    source: Path, tmp_path: Path, edit: Callable[[Path], object], message: str | None
) -> None:
    edit(source)
    words = ["--source", str(source), "--out", str(tmp_path / "a.h5")]
    if message is None:  # a smaller tree is said, not refused
        main(words)
        return
    with pytest.raises(SystemExit, match=f"^data_prep.timit: .*{message}") as error:
        main(words)
    assert "\n" not in str(error.value) and not (tmp_path / "a.h5").exists()
