"""Sound from the command line: seconds, clips, files written as they are drawn, pictures."""

import sys
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image

from seqmdn.cli import main, sample
from seqmdn.data import audio
from seqmdn.runs import draw, load_run
from tests.small import train, write_recipe, write_store

Refused = Callable[..., str]
SIZE, RATE = 4, 400
CENTRED = {"class_path": "seqmdn.data.UniformDequantise", "init_args": {"centred": True}}
CLIP = np.random.default_rng(1).integers(-9, 9, 11).astype(np.int16)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("sound")
    look = {"kind": "audio", "full_scale": 32768.0}
    store = write_store(folder / "sound.h5", features=SIZE, sample_rate=RATE, attributes=look)
    recipe = write_recipe(folder / "recipe", store, noise=CENTRED)
    for model in ("rmdn", "frmdn"):
        train(recipe, folder / model, "--trainer.max_steps=2", model=model)
    return {model: folder / model for model in ("rmdn", "frmdn")}


@pytest.fixture(scope="module")
def run(runs: dict[str, Path]) -> Path:
    return runs["rmdn"]


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    soundfile.write(tmp_path / "clip.wav", CLIP, RATE)
    return tmp_path / "clip.wav"


def values(run: Path, folder: Path, *options: object) -> np.ndarray:
    main(["sample", str(run), "--out", f"{folder}/a.npz", *map(str, options)])
    with np.load(folder / "a.npz") as found:
        return found["values"]


def heard(run: Path, path: Path, *options: object) -> np.ndarray:
    main(["sample", str(run), "--out", str(path), *map(str, options)])
    sound, rate = soundfile.read(path, dtype="int16")
    assert rate == RATE and soundfile.info(path).subtype == "PCM_16"
    return sound


@pytest.mark.parametrize(("model", "ending"), [("rmdn", "wav"), ("frmdn", "flac")])
def test_sound_is_what_the_arrays_hold(
    runs: dict[str, Path],
    tmp_path: Path,
    model: str,
    ending: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = runs[model]
    options = ["--num", 3, "--seconds", 0.105, "--seed", 5]
    expected = np.rint(values(run, tmp_path, *options))
    assert expected.shape == (3, 11, SIZE), "0.105 s are 42 samples: 11 frames"
    drawn, _ = draw(load_run(run), 3, 11, seed=5)
    np.testing.assert_array_equal(expected, drawn.values.round().numpy())
    capsys.readouterr()
    path = tmp_path / f"a.{ending}"
    sound = heard(run, path, *options)
    pieces = [row.ravel() for row in expected]
    silence = np.zeros(RATE // 4)
    np.testing.assert_array_equal(
        sound, np.concatenate([pieces[0], silence, pieces[1], silence, pieces[2]])
    )
    assert capsys.readouterr().out == (
        f"3 sequences of 11 frames, 0.25 s of silence between them: {path}\n"
        "0 of 132 samples beyond full scale, clipped to it\n"
    )


def test_sound_is_as_long_as_real_ones_by_default(run: Path, tmp_path: Path) -> None:
    longest = int(draw(load_run(run), 2)[1].lengths.max())
    assert len(heard(run, tmp_path / "a.wav", "--num", 1)) == longest * SIZE
    assert len(heard(run, tmp_path / "a.wav", "--num", 1, "--length", 9)) == 9 * SIZE


@pytest.mark.parametrize("model", ["rmdn", "frmdn"])
def test_a_clip_goes_first(
    runs: dict[str, Path],
    tmp_path: Path,
    model: str,
    clip: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = runs[model]
    options = ["--num", 2, "--prime", clip, "--seconds", 0.1]
    expected = np.rint(values(run, tmp_path, *options))
    assert expected.shape == (2, 12, SIZE), "10 frames behind the clip's 2 whole ones"
    np.testing.assert_array_equal(expected[:, :2].reshape(2, -1), [CLIP[:8]] * 2)
    with np.load(tmp_path / "a.npz") as found:
        assert found["start"].tolist() == [2, 2]
    capsys.readouterr()
    sound = heard(run, tmp_path / "a.wav", *options)
    np.testing.assert_array_equal(sound[: 12 * SIZE], expected[0].ravel())
    np.testing.assert_array_equal(sound[-12 * SIZE :], expected[1].ravel())
    assert "what is drawn begins at 0.020 s of each\n" in capsys.readouterr().out
    alone = heard(run, tmp_path / "b.wav", "--num", 1, "--seconds", 0.1)
    assert not np.array_equal(sound[8 : 12 * SIZE], alone)


def test_numbers_prime_sound_as_before(run: Path, tmp_path: Path) -> None:
    options = ["--num", 2, "--prime", 2, "--length", 6]
    expected = values(run, tmp_path, *options)
    real = draw(load_run(run), 2)[1].values.numpy()
    np.testing.assert_array_equal(expected[:, :2], real[:, :2])
    sound = heard(run, tmp_path / "a.wav", *options)
    np.testing.assert_array_equal(sound[: 6 * SIZE], np.rint(expected[0]).ravel())


def test_what_is_too_loud_is_counted(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--num", 2, "--length", 9, "--scale", 1e9]
    beyond = np.rint(values(run, tmp_path, *options))
    count = int(((beyond > 32767) | (beyond < -32768)).sum())
    assert 0 < count < beyond.size
    capsys.readouterr()
    sound = heard(run, tmp_path / "a.wav", *options)
    assert f"{count} of 72 samples beyond full scale, clipped to it\n" in capsys.readouterr().out
    np.testing.assert_array_equal(sound[:36], beyond[0].clip(-32768, 32767).ravel())


def test_frames_reach_the_file_as_they_are_drawn_and_are_let_go(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[int] = []
    alive: list[weakref.ref] = []
    drawn = sample.stream_draws

    class Counting(soundfile.SoundFile):
        def write(self, samples: np.ndarray) -> None:
            written.append(len(samples))
            super().write(samples)

    def watched(*arguments: object, **options: object) -> SimpleNamespace:
        found = drawn(*arguments, **options)

        def frames() -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
            for t, piece in enumerate(found.frames):
                assert written == [SIZE] * t, "a frame waits for others"
                assert sum(each() is not None for each in alive) <= 1
                alive.append(weakref.ref(piece[0]))
                yield piece

        return SimpleNamespace(frames=frames(), length=found.length, start=found.start)

    monkeypatch.setattr(soundfile, "SoundFile", Counting)
    monkeypatch.setattr(sample, "stream_draws", watched)
    main(["sample", str(run), "--num", "1", "--length", "9", "--out", str(tmp_path / "a.wav")])
    assert written == [SIZE] * 9


def test_a_bar_shows_how_far_it_is(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    heard(run, tmp_path / "a.wav", "--num", 1, "--length", 9)
    assert "9/9" in capsys.readouterr().err


def test_pictures_show_waveform_and_spectrogram(run: Path, tmp_path: Path, clip: Path) -> None:
    sizes = {}
    for name, options in {"a": [], "b": ["--alone"], "c": ["--prime", str(clip)]}.items():
        path = tmp_path / f"{name}.png"
        main(["sample", str(run), "--num", "1", "--seconds", "1", "--out", str(path), *options])
        with Image.open(path) as picture:
            sizes[name] = picture.size
            # The colours of the spectrograms.
            assert len(picture.convert("RGB").getcolors(1 << 20)) > 100
    assert sizes["a"] == sizes["c"] and sizes["a"][0] > 1.5 * sizes["b"][0]
    main(["sample", str(run), "--num", "1", "--out", str(tmp_path / "a.svg")])
    assert (tmp_path / "a.svg").read_text().count("<image") >= 2


def test_without_torchaudio_a_picture_says_what_to_install(
    run: Path, tmp_path: Path, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(_: str) -> None:
        raise ModuleNotFoundError("No module named 'torchaudio'", name="torchaudio")

    monkeypatch.setattr(audio, "import_module", load)
    message = refused("sample", run, "--num", 1, "--out", tmp_path / "a.png")
    assert "pip install 'seqmdn[speech]'" in message


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--seconds", "1", "--length", "9"], "expected one length, found --length and --seconds"),
        (["--seconds", "0"], "--seconds: expected a positive number of seconds, found 0.0"),
        (["--seconds", "nan"], "expected a positive number of seconds, found nan"),
        (["--prime", "none.wav"], "none.wav: expected a sound file, found none"),
        (["--prime", "nan"], "nan: expected a sound file, found none"),
        (["--prime", "short.wav"], "short.wav: expected a frame of 4 samples or more (10 ms at"),
        (["--prime", "silent.wav"], "silent.wav: expected sound, found 9 samples of 0: silence"),
        (["--prime", "corrupt.wav"], "corrupt.wav: expected a sound file, found something else"),
        (["--prime", "clip.wav", "--length", "0"], "length must be at least 1, found 0"),
    ],
)
def test_sound_that_makes_no_sense(
    run: Path,
    tmp_path: Path,
    clip: Path,
    refused: Refused,
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    soundfile.write("short.wav", CLIP[:3], RATE)
    soundfile.write("silent.wav", np.zeros(9, np.int16), RATE)
    Path("corrupt.wav").write_bytes(clip.read_bytes()[:20])
    assert message in refused("sample", run, "--out", "a.wav", *options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--seconds", "1"], "--seconds: walks is not sound: expected a store of kind 'audio'"),
        (["--prime", "clip.wav"], "walks is not sound: expected a store of kind 'audio'"),
        (["--out", "a.flac"], "walks is not sound: choose another ending than .flac"),
    ],
)
def test_other_data_have_no_seconds_and_no_clips(
    small_run: Path,
    tmp_path: Path,
    clip: Path,
    refused: Refused,
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert message in refused("sample", small_run, "--out", "a.npz", *options)


def test_a_stopped_command_leaves_what_was_there(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.wav").write_text("old")

    def stopped(*_: object, **__: object) -> SimpleNamespace:
        def frames() -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
            yield torch.zeros(1, SIZE), torch.ones(1, dtype=torch.bool)
            raise KeyboardInterrupt

        return SimpleNamespace(frames=frames(), length=9, start=torch.zeros(1))

    monkeypatch.setattr(sample, "stream_draws", stopped)
    with pytest.raises(SystemExit) as caught:
        main(["sample", str(run), "--num", "1", "--out", str(tmp_path / "a.wav")])
    assert caught.value.code == 130 and "interrupted" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["a.wav"]
    assert (tmp_path / "a.wav").read_text() == "old"
