"""A run's ONNX file: what it says of itself, and that a wrong one is never left."""

import json
from pathlib import Path

import pytest
import torch

from seqmdn.exporting import ExportError, Step, export_onnx
from seqmdn.exporting.onnx import describe_step
from seqmdn.runs import load_run
from tests.small import hidden_files


def test_a_file_says_what_it_is(small_run: Path) -> None:
    run = load_run(small_run)
    found = describe_step(run, Step(run.model))
    assert found["unit"] == "m" and found["data_noise"] == "UniformDequantise"
    assert [found[name] for name in ("model", "backbone", "head")] == [
        *("SequenceModel", "LSTMBackbone", "MixtureHead")
    ]
    said = {name: json.loads(found[name]) for name in ("features", "state", "context", "dataset")}
    assert said["features"] == ["x0", "x1"] and said["context"] == []
    assert said["state"] == {"state_0": [1, 8], "state_1": [1, 8]}
    assert said["dataset"]["sha256"] == run.data.store.sha256
    transform = json.loads(found["transform"])
    assert transform["name"] == "Standardise"
    torch.testing.assert_close(torch.tensor(transform["std"]), run.model.transform.std)
    checkpoint = json.loads(found["checkpoint"])
    assert checkpoint["file"] == "run/checkpoints/best.ckpt" and len(checkpoint["sha256"]) == 64
    assert str(small_run.parent) not in json.dumps(found)


def test_what_cannot_be_exported_leaves_nothing(vae_run: Path, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="found a FrameVAE"):
        export_onnx(load_run(vae_run), tmp_path / "a.onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.long
def test_a_file_that_does_not_agree_is_not_left(small_run: Path, tmp_path: Path) -> None:
    run = load_run(small_run)

    class Forgetful(type(run.model)):  # type: ignore[misc]
        """What torch exports is another model than the one that it is compared with."""

        def advance(self, *given: object, **options: object) -> object:
            h, state = super().advance(*given, **options)
            return (2 * h if torch.compiler.is_exporting() else h), state

    run.model.__class__ = Forgetful
    (tmp_path / "a.onnx").write_text("what was there before")
    with pytest.raises(ExportError, match="is not what PyTorch gives"):
        export_onnx(run, tmp_path / "a.onnx")
    assert (tmp_path / "a.onnx").read_text() == "what was there before"
    assert not hidden_files(tmp_path)
