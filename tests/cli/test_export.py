"""Exporting a run from the command line."""

import json
import re
import shutil
from pathlib import Path

import onnxruntime
import pytest

from seqmdn.cli import main
from seqmdn.provenance import git_revision
from seqmdn.runs import evaluate


def refused(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    with pytest.raises(SystemExit) as caught:
        main(["export", *map(str, words)])
    assert caught.value.code in (1, 2)
    return capsys.readouterr().err


def test_a_run_becomes_a_graph(
    small_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "deep" / "walks.onnx"
    main(["export", str(small_run), "--to", "onnx", "--out", str(out)])
    told = capsys.readouterr().out.splitlines()
    assert told[0].startswith("one step as an ONNX graph, 0.0") and told[0].endswith(str(out))
    assert re.search(r"over [4-7] steps of 5 real sequences", told[1])
    differences = {line.split()[0]: line.split()[1:] for line in told[2:]}
    assert set(differences) == {
        *("logits", "loc", "diagonal", "draw", "next_state_0", "next_state_1")
    }
    assert differences["draw"][1] == "m"
    assert all(float(words[0]) < 1e-5 for words in differences.values())
    said = onnxruntime.InferenceSession(str(out)).get_modelmeta().custom_metadata_map
    assert json.loads(said["features"]) == ["x0", "x1"] and said["exported_by"]
    assert said["trained_by"] == said["exported_by"] == git_revision()
    assert [path.name for path in out.parent.iterdir()] == ["walks.onnx"]


def test_a_run_becomes_safetensors_that_every_command_reads(
    small_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Path(shutil.copytree(small_run, tmp_path / "run"))
    main(["export", str(run), "--to", "safetensors"])
    out = run / "model.safetensors"
    assert f"read by every command in the place of a checkpoint: seqmdn evaluate {out}" in (
        capsys.readouterr().out
    )
    alone = Path(shutil.move(out, tmp_path / "alone.safetensors"))
    main(["evaluate", str(alone)])
    nll = evaluate(run / "checkpoints" / "best.ckpt")["nll"]
    assert f"{nll:.4f}" in capsys.readouterr().out
    main(["sample", str(alone), "--num", "2", "--out", str(tmp_path / "two.npz")])
    main(["sample", str(run), "--num", "2", "--out", str(tmp_path / "same.npz")])
    assert (tmp_path / "two.npz").read_bytes() == (tmp_path / "same.npz").read_bytes()


def test_what_is_asked_for_in_vain_is_refused(
    small_run: Path, vae_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    error = refused(capsys, small_run, "--to", "onnx", "--out", tmp_path / "a.pt")
    assert "--out must end in .onnx, as the format does; found 'a.pt'" in error
    error = refused(capsys, small_run, "--to", "safetensors", "--outputs", "draw")
    assert "expected no --outputs with --to safetensors" in error
    error = refused(capsys, vae_run, "--to", "onnx", "--out", tmp_path / "a.onnx")
    assert "found a FrameVAE: it can be exported as safetensors" in error
    assert "there is no checkpoint" in refused(capsys, tmp_path / "none", "--to", "onnx")
    assert "--to" in refused(capsys, small_run)
    assert not list(tmp_path.iterdir())


def test_an_autoencoder_becomes_safetensors(vae_run: Path, tmp_path: Path) -> None:
    out = tmp_path / "eye.safetensors"
    main(["export", str(vae_run), "--to", "safetensors", "--out", str(out)])
    first, second = evaluate(vae_run / "checkpoints" / "best.ckpt"), evaluate(out)
    assert first["nll_per_sequence"] == second["nll_per_sequence"]
