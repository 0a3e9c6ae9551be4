"""What the preparations of speech share: what becomes frames, and what is left out."""

import io
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile

from data_prep.recordings import Source, write_recordings
from seqmdn.data import SequenceDataModule, Standardise, Store, UniformDequantise

RATE = 8000


def sound(length: int, seed: int, step: int = 1) -> np.ndarray:
    levels = np.random.default_rng(seed).normal(0, 900, length)
    return (step * np.rint(levels / step)).astype(np.int16)


def encoded(samples: np.ndarray, rate: int = RATE, subtype: str = "PCM_16") -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format="WAV", subtype=subtype)
    return file.getvalue()


def source(name: str, content: bytes, split: str = "train", samples: int | None = None) -> Source:
    return Source(name, partial(io.BytesIO, content), split, f"text of {name}", samples)


def write(
    out: Path,
    sources: list[Source],
    strict: bool = False,
    size: int = 10,
    convert: bool = False,
) -> list[str]:
    return write_recordings(
        out,
        sources,
        rate=RATE,
        size=size,
        strict=strict,
        seed=0,
        convert=convert,
        name="speech",
        licence="CC0",
    )


def test_frames_are_the_samples_in_their_order(tmp_path: Path) -> None:
    lengths = [57, 40, 123]
    sources = [
        source(f"{i}.wav", encoded(sound(length, i)), split)
        for i, (length, split) in enumerate(zip(lengths, ("train", "valid", "test"), strict=True))
    ]
    said = write(tmp_path / "a.h5", sources)
    store = Store(tmp_path / "a.h5")
    assert store.lengths.tolist() == [5, 4, 12] and store.splits.tolist() == [0, 1, 2]
    for i, length in enumerate(lengths):
        expected = sound(length, i)[: 10 * (length // 10)]
        np.testing.assert_array_equal(store.read(i)[0].ravel(), expected)
        assert store.text(i) == f"text of {i}.wav"
    assert said == [
        "10 samples behind the last whole frames dropped",
        "0 recordings use fewer levels than 16 bits have, and are spread",
        "0 of 3 recordings left out",
    ]
    expected = {"kind": "audio", "full_scale": 32768.0, "sample_rate": 8000.0, "unit": "step of 16"}
    for key, value in expected.items():
        assert str(store.attributes[key]).startswith(str(value))


def test_recordings_of_fewer_bits_are_spread(tmp_path: Path) -> None:
    coarse = sound(400, 1, step=256)
    sources = [source("a.wav", encoded(sound(400, 0))), source("b.wav", encoded(coarse))]
    said = write(tmp_path / "a.h5", sources)
    assert said[1].startswith("1 recordings use fewer levels")
    values = Store(tmp_path / "a.h5").read(1)[0].ravel()
    away = values - coarse
    assert away.min() >= -128 and away.max() <= 127 and len(np.unique(away)) > 150
    write(tmp_path / "b.h5", sources)
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


def nothing() -> io.BytesIO:
    raise FileNotFoundError("no such file")


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (source("bad.wav", b"no sound"), "expected a sound file"),
        (source("bad.wav", encoded(sound(0, 0))), "found 0"),
        (source("bad.wav", encoded(np.zeros(50, np.int16))), "silence"),
        (source("bad.wav", encoded(sound(50, 0), rate=16000)), "8000 .*, found 16000 of 16 bits"),
        (source("bad.wav", encoded(sound(50, 0), subtype="PCM_U8")), "found 8000 of 8 bits"),
        (source("bad.wav", encoded(sound(50, 0)), samples=51), "expected 51 samples, found 50"),
        (source("bad.wav", encoded(sound(19, 0))), "2 frames of 10 samples or more, found 19"),
        (Source("bad.wav", nothing, "train", ""), "of this name, found none"),
    ],
)
def test_what_cannot_be_used_is_named_or_stops(tmp_path: Path, bad: Source, why: str) -> None:
    good = [source(f"{i}.wav", encoded(sound(40, i))) for i in range(2)]
    said = write(tmp_path / "a.h5", [good[0], bad, good[1]])
    assert said[2].startswith("1 of 3 recordings left out\n  bad.wav: ")
    store = Store(tmp_path / "a.h5")
    assert len(store) == 2 and store.text(1) == "text of 1.wav"
    with pytest.raises(ValueError, match=f"^bad.wav: .*{why}"):
        write(tmp_path / "b.h5", [good[0], bad], strict=True)
    assert not (tmp_path / "b.h5").exists()
    with pytest.raises(ValueError, match="expected at least one sequence"):
        write(tmp_path / "b.h5", [bad])


def test_a_preparation_that_is_stopped_leaves_nothing(tmp_path: Path) -> None:
    def stop() -> io.BytesIO:
        assert [path.suffix for path in tmp_path.iterdir()] == [".partial"]
        raise KeyboardInterrupt

    sources = [source("a.wav", encoded(sound(400, 0))), Source("b.wav", stop, "train", "")]
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "a.h5", sources)
    assert not list(tmp_path.iterdir())


def test_conversion_is_for_who_asks(tmp_path: Path) -> None:
    finer = encoded(np.random.default_rng(5).normal(0, 0.1, 3000), 24_000, "PCM_24")
    plain, low = encoded(sound(400, 0)), encoded(sound(400, 1), 7000)
    short = encoded(np.random.default_rng(6).normal(0, 0.1, 30), 48_000, "PCM_24")
    sources = [source(n, c) for n, c in zip("abcd", (finer, plain, low, short), strict=True)]
    with pytest.raises(ValueError, match="^a: expected one channel of 8 or 16 bit"):
        write(tmp_path / "a.h5", sources, strict=True)
    said = [write(tmp_path / name, sources, convert=True) for name in ("a.h5", "b.h5")]
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()
    store = Store(tmp_path / "a.h5")
    assert store.lengths.tolist() == [100, 40]
    np.testing.assert_array_equal(store.read(1)[0].ravel(), sound(400, 0))
    # What was left out is not counted as converted.
    assert said[0][1] == "1 recordings resampled to 8000 samples a second: 1 from 24000"
    left = said[0][-1].split("\n")
    assert left[1].startswith("  c: expected 8000 samples a second or more, found 7000")
    assert left[2] == "  d: expected 2 frames of 10 samples or more, found 5"
    assert (
        store.attributes["left_out"] == 2 and store.attributes["requantised"] == "1: 1 from 24 bits"
    )
    write(tmp_path / "c.h5", sources[1:2])
    assert not {"left_out", "resampled"} & set(Store(tmp_path / "c.h5").attributes)


def test_frames_of_no_samples_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="1 sample or more, found 0"):
        write(tmp_path / "a.h5", [], size=0)


def test_a_gaussian_source_has_its_entropy_in_bits(tmp_path: Path) -> None:
    """White noise of deviation 900 steps: log2(900 sqrt(2 pi e)) bits a sample, no less."""
    sources = [source(f"{i}.wav", encoded(sound(20_000, i))) for i in range(3)]
    write(tmp_path / "a.h5", sources)
    module = SequenceDataModule(tmp_path / "a.h5", noise=UniformDequantise(centred=True))
    module.setup()
    frames = module.sample_frames().double()
    z, ladj = Standardise(10, shared=True).double().fit(frames).call_and_ladj(frames)
    nats = -(-0.5 * (z.square() + np.log(2 * np.pi))).sum(1) - ladj
    bits = nats.mean().item() / 10 / np.log(2)
    assert bits == pytest.approx(np.log2(900 * np.sqrt(2 * np.pi * np.e)), abs=0.01)
