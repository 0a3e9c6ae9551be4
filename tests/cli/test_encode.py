"""Encoding a store of frames, from the command line."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from seqmdn.cli import main
from seqmdn.data import Store
from tests.frames import write_frames

Refused = Callable[..., str]


def test_encode_writes_the_latents_of_the_store_trained_on_or_another(
    vae_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "new" / "latents.h5"
    main(["encode", str(vae_run), "--out", str(path), "--batch", "4"])
    told = capsys.readouterr()
    with Store(path) as found:
        encoder = found.attributes["encoder"][:12]
        assert told.out == f"6 sequences of 34 frames: {path}, encoder {encoder}\n"
        assert found.attributes["command"] == f"seqmdn encode {vae_run} --out {path} --batch 4"
    assert "frames" in told.err and "34/34" in told.err
    other = write_frames(tmp_path / "other.h5", answers=(), length=3)
    main(["encode", str(vae_run), "--data", str(other), "--out", str(path)])
    with Store(path) as found:
        assert found.lengths.tolist() == [3, 4, 5, 3, 3, 4]
        assert np.shape(found.attributes["latent_mean"]) == (3,)


def test_encode_refuses_what_it_cannot_do(
    vae_run: Path, small_run: Path, tmp_path: Path, refused: Refused
) -> None:
    out = tmp_path / "a.h5"
    assert "expected the run of a FrameVAE" in refused("encode", small_run, "--out", out)
    assert "must end in .h5" in refused("encode", vae_run, "--out", tmp_path / "a.npz")
    wrong = small_run.parent / "walks.h5"
    assert "model of 12288 features, the data have 2" in refused(
        "encode", vae_run, "--out", out, "--data", wrong
    )
