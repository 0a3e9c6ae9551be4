"""Files of safetensors: the same model, bit for bit, and nothing else that is believed."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from seqmdn.checkpoints import FORMAT, read_checkpoint
from seqmdn.runs import draw, evaluate, load_run
from seqmdn.weight_files import read_weights, save_weights


@pytest.fixture(scope="module")
def good(small_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    save_weights(path, read_checkpoint(small_run / "checkpoints" / "best.ckpt"))
    return path


def test_weights_and_description_come_back(small_run: Path, good: Path) -> None:
    content = read_checkpoint(small_run / "checkpoints" / "best.ckpt")
    found = read_weights(good)
    assert found["seqmdn"] == content["seqmdn"]
    weights = {k: v for k, v in content["state_dict"].items() if k.startswith("model.")}
    assert found["state_dict"].keys() == weights.keys()
    for name, value in weights.items():
        assert torch.equal(found["state_dict"][name], value)
        assert found["state_dict"][name].dtype == value.dtype
    assert read_checkpoint(good)["seqmdn"] == content["seqmdn"]


def test_other_programs_read_the_weights_as_the_model_has_them(small_run: Path, good: Path) -> None:
    with safe_open(str(good), framework="np") as file:
        names = set(file.keys())
    assert names == set(load_run(small_run).model.state_dict())


def test_scores_and_draws_are_the_same_bit_for_bit(small_run: Path, good: Path) -> None:
    checkpoint = small_run / "checkpoints" / "best.ckpt"
    first, second = evaluate(checkpoint), evaluate(good)
    assert first.pop("checkpoint") == "best.ckpt"
    assert second.pop("checkpoint") == "small.safetensors"
    assert first == second
    (one, _), (other, _) = (draw(load_run(path), 4, seed=3) for path in (checkpoint, good))
    assert torch.equal(one.values, other.values)


def saved(path: Path, weights: dict[str, Any], described: Any) -> Path:
    save_file(weights, str(path), metadata={"seqmdn": json.dumps(described)})
    return path


@pytest.mark.parametrize("part", [0, 1, 7, 8, 0.01, 0.5, 0.999, -1])
def test_a_truncated_file_is_refused(good: Path, tmp_path: Path, part: float) -> None:
    content = good.read_bytes()
    path = tmp_path / "a.safetensors"
    path.write_bytes(content[: int(part * len(content)) if isinstance(part, float) else part])
    with pytest.raises(ValueError, match="is damaged or no checkpoint of seqmdn: use another one"):
        read_checkpoint(path)


def test_files_of_other_programs_and_formats_are_refused(good: Path, tmp_path: Path) -> None:
    weights, found = {"w": torch.zeros(2)}, read_weights(good)["seqmdn"]
    path = tmp_path / "a.safetensors"
    save_file(weights, str(path))
    with pytest.raises(ValueError, match=f"expected format {FORMAT}, found none"):
        read_checkpoint(path)
    with pytest.raises(ValueError, match=f"expected format {FORMAT}, found {FORMAT + 1}"):
        read_checkpoint(saved(path, weights, found | {"format": FORMAT + 1}))
    with pytest.raises(ValueError, match=f"expected format {FORMAT}, found none"):
        read_checkpoint(saved(path, weights, [1, 2]))
    with pytest.raises(ValueError, match="holds the weights of another model"):
        load_run(saved(path, weights, found))


def test_a_checkpoint_by_another_name_is_refused(small_run: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes((small_run / "checkpoints" / "best.ckpt").read_bytes())
    with pytest.raises(ValueError, match="is damaged or no checkpoint"):
        read_checkpoint(path)


def test_what_is_no_class_is_not_called(good: Path, tmp_path: Path) -> None:
    found, trace = read_weights(good), tmp_path / "executed"
    found["seqmdn"]["model"] = {"class_path": "os.mkdir", "init_args": {"path": str(trace)}}
    weights = {k.removeprefix("model."): v for k, v in found["state_dict"].items()}
    with pytest.raises(ValueError, match="is of a model with os.mkdir, which is no class"):
        load_run(saved(tmp_path / "a.safetensors", weights, found["seqmdn"]))
    assert not trace.exists()


def test_a_description_that_json_changes_is_refused(small_run: Path, tmp_path: Path) -> None:
    content = read_checkpoint(small_run / "checkpoints" / "best.ckpt")
    content["seqmdn"]["seed"] = (1, 2)  # which JSON makes a list
    with pytest.raises(ValueError, match="one that JSON does not keep"):
        save_weights(tmp_path / "a.safetensors", content)
    assert not list(tmp_path.iterdir())


def test_a_missing_library_is_named(good: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "safetensors", None)
    with pytest.raises(ImportError, match=r"need safetensors.*pip install 'seqmdn\[export\]'"):
        read_checkpoint(good)
