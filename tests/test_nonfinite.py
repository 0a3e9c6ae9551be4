"""Losses and gradients that are not finite."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from seqmdn.cli import main
from seqmdn.configuration import fit_parser
from seqmdn.data import Batch
from seqmdn.models import DensityModel
from seqmdn.nonfinite import NonFinite, find_gradient, find_sequences, first_parameter
from seqmdn.runs import evaluate
from tests.small import (
    checkpoint,
    corrupting,
    differing,
    metrics,
    train,
    words,
    write_recipe,
    write_store,
)


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recipe")
    return write_recipe(folder, write_store(folder / "walks.h5"))


class Roots(DensityModel):
    """The square root of a product: of 0, it is finite, and its slope is not."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(2))
        self.norm = nn.BatchNorm1d(1)

    def loss(self, batch: Batch) -> Tensor:
        self.norm(torch.randn(4, 1))
        return (self.weight[0] * batch.values[:, 0, 0]).sqrt().mean() + 0 * self.norm.weight.sum()

    def log_prob(self, batch: Batch) -> Tensor:
        return batch.values[:, 0, 0].log()


def test_there_are_three_choices() -> None:
    with pytest.raises(ValueError, match="must be 'stop', 'skip' or 'rollback', found 'ignore'"):
        NonFinite("ignore")  # type: ignore[arg-type]


@pytest.mark.parametrize("bad", [0, 3, 6])
def test_the_sequence_of_a_gradient_is_found(bad: int) -> None:
    model = Roots()
    values = torch.ones(7, 1, 1)
    batch = Batch(values, torch.ones(7).long())
    assert find_gradient(model, batch, seed=0) == []
    values[bad] = 0
    before = {name: each.clone() for name, each in model.state_dict().items()}
    torch.manual_seed(5)
    assert find_gradient(model, batch, seed=0) == [bad]
    assert find_sequences(model, batch, seed=0) == [bad]
    after = torch.rand(())
    torch.manual_seed(5)
    assert after == torch.rand(())
    assert differing(before, model.state_dict()) == []
    assert first_parameter(model) is None  # no gradient is kept
    assert first_parameter(model, model.loss(batch)) == "the gradient of weight"
    model.loss(batch).backward()
    assert first_parameter(model) == "the gradient of weight"
    with torch.no_grad():
        model.norm.bias.fill_(math.inf)
    assert first_parameter(model) == "the parameter norm.bias"


def test_a_training_stops_and_says_where(recipe: Path, tmp_path: Path) -> None:
    with pytest.raises(FloatingPointError) as caught:
        train(recipe, tmp_path, *corrupting(7))
    data = fit_parser().instantiate(fit_parser().parse_args(["-c", f"{tmp_path}/config.yaml"])).data
    data.setup("fit")
    number = data.training_keys(7)[1].sequence
    message = str(caught.value)
    assert message.startswith(
        f"the loss at step 7 is nan, of sequence {number} of the store: lower the learning rate"
    )
    assert message.endswith("(--on-nan skip or rollback)")
    assert checkpoint(tmp_path)["global_step"] == 4


def test_weights_that_are_not_finite_are_named(recipe: Path, tmp_path: Path) -> None:
    bad = json.dumps([{"class_path": "tests.small.Break", "init_args": {"step": 6}}])
    message = "step 6 is nan, of sequences .*; the parameter head.projection.bias is not finite"
    with pytest.raises(FloatingPointError, match=message):
        train(recipe, tmp_path, "--trainer.callbacks", bad)


@pytest.mark.parametrize("on_nan", ["skip", "rollback"])
def test_what_was_left_out_is_told(
    recipe: Path, tmp_path: Path, on_nan: str, capsys: pytest.CaptureFixture[str]
) -> None:
    given = words(recipe, *corrupting(3), f"--on-nan={on_nan}", "--trainer.log_every_n_steps=1")
    main(["fit", *given, "--out", str(tmp_path)])
    back = int(on_nan == "rollback")
    assert (
        "left out: 1 steps whose loss or gradient was not finite (steps 3), "
        f"{back} of them by going back to earlier weights" in capsys.readouterr().out
    )
    found = metrics(tmp_path)["not_finite"]
    (told,) = found.pop("first")
    assert found == {"on_nan": on_nan, "left_out": 1, "rolled_back": back}
    assert (told["step"], told["what"], len(told["sequences"])) == (3, "loss is nan", 1)
    logged = (tmp_path / "logs/version_0/metrics.csv").read_text().splitlines()[0].split(",")
    assert {"train/left_out", "train/grad_norm"} <= set(logged)
    assert evaluate(tmp_path)["not_finite"]["left_out"] == 1
    weights = checkpoint(tmp_path)["state_dict"].values()
    assert all(each.isfinite().all() for each in weights)
    # A run that goes on knows of it, too.
    train(recipe, tmp_path, f"--on-nan={on_nan}", "--trainer.max_steps=14", resume=True)
    assert metrics(tmp_path)["not_finite"]["left_out"] == 1


def test_a_run_without_such_steps_is_the_same_whatever_was_chosen(
    recipe: Path, tmp_path: Path
) -> None:
    found: list[Any] = []
    for on_nan in ("stop", "skip", "rollback"):
        train(recipe, tmp_path / on_nan, f"--on-nan={on_nan}")
        assert "not_finite" not in metrics(tmp_path / on_nan)
        found.append(checkpoint(tmp_path / on_nan)["state_dict"])
    assert differing(found[0], found[1]) == differing(found[0], found[2]) == []
