"""Half precision on a CPU."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback, Trainer

from data_prep import digits
from seqmdn.precision import precision_options
from tests.small import checkpoint, losses, metrics, parse, train, write_recipe, write_store

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("precision", ["16-mixed", "16", 16])
@pytest.mark.parametrize("accelerator", ["cpu", "auto"])
def test_what_lightning_would_exchange_has_a_plugin(precision: object, accelerator: str) -> None:
    if accelerator == "auto" and torch.cuda.is_available():
        pytest.skip("there is a GPU, which Lightning has float16 for")
    options, (plugin,) = precision_options({"precision": precision, "accelerator": accelerator})
    assert options == {"accelerator": accelerator} and plugin.precision == "16-mixed"


@pytest.mark.parametrize("precision", [None, "32-true", "bf16-mixed", "64-true"])
def test_others_are_left_to_lightning(precision: str | None) -> None:
    given = {"precision": precision, "accelerator": "cpu"}
    assert precision_options(given) == (given, [])
    assert precision_options({"precision": "16-mixed", "accelerator": "gpu"})[1] == []


class Types(Callback):
    """Notes the type of what the last linear layer of a head computes."""

    def setup(self, trainer: Trainer, module: Any, stage: str) -> None:
        layer = module.model.head.projection
        layer.register_forward_hook(lambda *found: seen.add(found[-1].dtype))


seen: set[torch.dtype] = set()


@pytest.mark.parametrize(
    ("precision", "dtype"), [("16-mixed", torch.float16), ("bf16-mixed", torch.bfloat16)]
)
@pytest.mark.parametrize("backbone", ["LSTMBackbone", "GRUBackbone"])
def test_a_training_computes_in_half_precision(
    tmp_path: Path, precision: str, dtype: torch.dtype, backbone: str
) -> None:
    recipe = write_recipe(tmp_path, write_store(tmp_path / "walks.h5"))
    given = ["--model.backbone", f"seqmdn.backbones.{backbone}", "--model.backbone.hidden=8"]
    given += ["--trainer.accelerator=cpu", "--trainer.log_every_n_steps=1"]
    train(recipe, tmp_path / "whole", *given)
    seen.clear()
    callback = json.dumps([{"class_path": f"{__name__}.Types"}])
    half = [*given, f"--trainer.precision={precision}", "--trainer.callbacks", callback]
    train(recipe, tmp_path / "half", *half)
    assert dtype in seen
    weights = checkpoint(tmp_path / "half")["state_dict"]
    assert {each.dtype for each in weights.values()} <= {torch.float32, torch.int64}
    known, found = (losses(tmp_path / name)["train/loss"] for name in ("whole", "half"))
    assert found == pytest.approx(known, rel=0.02) and found != known
    assert metrics(tmp_path / "half")["nll"] == pytest.approx(
        metrics(tmp_path / "whole")["nll"], rel=0.02
    )
    assert parse(recipe, *half).trainer.precision == precision


@pytest.mark.long
@pytest.mark.parametrize("model", ["rmdn", "frmdn"])
def test_digits_are_learned_in_half_precision(tmp_path: Path, model: str) -> None:
    store = tmp_path / "digits.h5"
    digits.prepare(store)
    given = ["--data.path", str(store), "--trainer.accelerator=cpu"]
    found = {}
    for precision in ("32-true", "bf16-mixed", "16-mixed"):
        out = tmp_path / precision
        train(
            ROOT / "recipes/pixels/digits",
            out,
            *given,
            "--trainer.precision",
            precision,
            model=model,
        )
        found[precision] = metrics(out)["bits_per_dim"]
    print(model, found)
    for precision, bits in found.items():
        assert bits == pytest.approx(found["32-true"], abs=0.02), precision
