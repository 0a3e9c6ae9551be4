"""What sample shows beside sequences, from the command line: an autoencoder's frames."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seqmdn.cli import main
from seqmdn.runs import draw_frames, load_run, reconstruct_frames

Refused = Callable[..., str]


@pytest.mark.parametrize("show", ["drawn", "reconstructed"])
@pytest.mark.parametrize("ending", ["png", "svg", "npz"])
def test_sample_writes_frames(
    vae_run: Path,
    tmp_path: Path,
    show: str,
    ending: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / f"a.{ending}"
    main(["sample", str(vae_run), "--num", "3", "--show", show, "--out", str(path)])
    assert capsys.readouterr().out == f"3 frames, {show}: {path}\n"
    assert list(tmp_path.iterdir()) == [path]
    if ending == "npz":
        run = load_run(vae_run)
        made, real = draw_frames(run, 3) if show == "drawn" else reconstruct_frames(run, 3)
        with np.load(path) as found:
            assert list(found) == ["real", show]
            np.testing.assert_allclose(found[show], made, atol=1e-3)
            np.testing.assert_array_equal(found["real"], real)
    elif ending == "png":
        with Image.open(path) as picture:
            assert picture.format == "PNG"
    else:
        assert "<svg" in path.read_text()


def test_options_of_frames_are_heard(vae_run: Path, tmp_path: Path) -> None:
    found = []
    for number, words in enumerate([[], ["--seed", "1"], ["--split", "valid"], ["--alone"]]):
        path = tmp_path / f"{number}.npz"
        main(["sample", str(vae_run), "--num", "2", "--out", str(path), *words])
        with np.load(path) as arrays:
            found.append(dict(arrays))
    plain, seeded, valid, alone = found
    assert not np.array_equal(seeded["drawn"], plain["drawn"])
    assert not np.array_equal(valid["real"], plain["real"])
    np.testing.assert_array_equal(alone["drawn"], plain["drawn"])
    assert list(alone) == ["drawn"]


def test_what_is_not_for_frames_is_refused(
    vae_run: Path, small_run: Path, tmp_path: Path, refused: Refused
) -> None:
    for ending in ("h5", "gif", "wav"):
        message = refused("sample", vae_run, "--out", tmp_path / f"a.{ending}")
        assert f"one by one, which are no sequences, found 'a.{ending}'" in message
    out = ("--out", tmp_path / "a.png")
    for option, value in {"length": 3, "prime": 2, "text": "a", "show": "density"}.items():
        message = refused("sample", vae_run, *out, f"--{option}", value)
        assert f"expected no --{option}" in message and "single frames" in message
    message = refused("sample", small_run, *out, "--show", "reconstructed")
    assert "expected the run of a FrameVAE" in message
