"""Transfer: a model begins as one that was trained before."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from seqmdn.configuration import fit_parser
from seqmdn.models import DensityModel
from seqmdn.runs import Interrupted, Run, evaluate, learning_curve, load_run
from seqmdn.transfer import take_over
from tests.contracts import perturbed
from tests.small import (
    Interrupt,
    checkpoint,
    differing,
    metrics,
    outcome,
    parse,
    train,
    write_recipe,
    write_store,
)

LOGIT = (
    '--model.transform={"class_path": "seqmdn.data.Logit", "init_args": {"low": -99, "high": 99}}'
)
STILL = ["--training.optimizer.init_args.lr=0", "--trainer.max_steps=4"]


@pytest.fixture(scope="module")
def recipe(small_run: Path) -> Path:
    return small_run.parent / "recipe"


@pytest.fixture
def run(small_run: Path) -> Run:
    return load_run(small_run)


def head(name: str, **options: Any) -> list[str]:
    return [f"--model.head={json.dumps({'class_path': name, 'init_args': options})}"]


def flowed(name: str, conditional: bool = False, **options: Any) -> list[str]:
    flow = {"class_path": name, "init_args": options}
    return head("seqmdn.heads.FlowMixtureHead", components=2, flow=flow, conditional=conditional)


def made(recipe: Path, run: Run, options: list[str]) -> DensityModel:
    """The model of a configuration, as ``fit`` makes it."""
    made = fit_parser().instantiate(parse(recipe, *options))
    return made.model(run.data.features, run.data.context)


# --------------------------------------------------------------------------------------------------
# What it begins with
# --------------------------------------------------------------------------------------------------


def test_the_first_validation_is_the_runs_best(
    small_run: Path, recipe: Path, tmp_path: Path
) -> None:
    train(recipe, tmp_path, *STILL, "--from", str(small_run), model="frmdn")
    # Steps of the length 0: what is validated is what it began with.
    best = min(learning_curve(small_run)[1])
    assert learning_curve(tmp_path)[1] == [pytest.approx(best, abs=1e-5)]
    assert metrics(tmp_path)["nll"] == pytest.approx(metrics(small_run)["nll"], abs=1e-5)
    old, new = (checkpoint(path, "best")["state_dict"] for path in (small_run, tmp_path))
    assert differing(old, {name: new[name] for name in old}) == []
    assert all(".flow." in name for name in new.keys() - old.keys()) and len(new) > len(old)


@pytest.mark.parametrize(
    "options",
    [
        head("seqmdn.heads.MixtureHead", components=2),
        flowed("seqmdn.flows.AffineCoupling", hidden=8),
        flowed("seqmdn.flows.AffineCoupling", conditional=True, hidden=8),
        flowed("seqmdn.flows.SplineCoupling", hidden=8),
        flowed("seqmdn.flows.MaskedAutoregressive", conditional=True, hidden=8),
    ],
    ids=["the same", "affine", "affine conditional", "spline", "masked conditional"],
)
def test_what_is_added_does_nothing_yet(recipe: Path, run: Run, options: list[str]) -> None:
    model = made(recipe, run, options)
    take_over(model, run.model, run.data, Path("run"))
    assert model.training, "it is to be trained"
    for batch in run.data.batches("test"):
        found = model.eval().log_prob(batch)
        torch.testing.assert_close(found, run.model.log_prob(batch), rtol=1e-5, atol=1e-4)


def test_a_factorised_mixture_becomes_an_autoregressive_head(recipe: Path, run: Run) -> None:
    factorised = made(recipe, run, head("seqmdn.heads.MixtureHead", components=2, factorised=True))
    perturbed(factorised, 0.3)
    model = made(recipe, run, head("seqmdn.heads.AutoregressiveHead", components=2))
    take_over(model, factorised, run.data, Path("run"))
    (batch,) = [run.data.sequences("test", run.data.store.indices("test"))]
    found, expected = (each.eval().log_prob(batch) for each in (model, factorised))
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-4)


def test_one_flow_begins_as_another_that_was_trained(recipe: Path, run: Run) -> None:
    options = flowed("seqmdn.flows.AffineCoupling", hidden=8)
    trained, model = perturbed(made(recipe, run, options), 0.2), made(recipe, run, options)
    take_over(model, trained, run.data, Path("run"))
    assert differing(trained.state_dict(), model.state_dict()) == []


def test_it_is_trained_from_there(small_run: Path, recipe: Path, tmp_path: Path) -> None:
    train(recipe, tmp_path, "--from", str(small_run), model="frmdn")
    state = checkpoint(tmp_path)
    # The optimiser and the rate are those of a training that begins.
    steps = {float(each["step"]) for each in state["optimizer_states"][0]["state"].values()}
    assert steps == {12.0} and state["lr_schedulers"][0]["last_epoch"] == 12
    moved = [n for n, p in state["state_dict"].items() if ".flow." in n and bool((p != 0).any())]
    assert len(moved) == sum(".flow." in name for name in state["state_dict"])
    assert learning_curve(tmp_path)[1][-1] < min(learning_curve(small_run)[1])


# --------------------------------------------------------------------------------------------------
# What is written down
# --------------------------------------------------------------------------------------------------


def test_a_run_says_where_it_began(small_run: Path, recipe: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    train(recipe, first, *STILL, "--from", str(small_run))
    before = load_run(small_run).description
    origin = {
        "run": str(small_run),
        "checkpoint": "best.ckpt",
        "steps": before["steps"],
        "seconds": before["seconds"],
    }
    assert metrics(first)["from"] == evaluate(first)["from"] == origin
    assert yaml.safe_load((first / "config.yaml").read_text())["from"] == str(small_run)
    # A checkpoint by itself may be named, too; and a beginning may have had one.
    last = first / "checkpoints" / "last.ckpt"
    train(recipe, second, *STILL, "--from", str(last), model="frmdn")
    said = load_run(second).description["from"]
    assert said == {
        "run": str(last),
        "checkpoint": "last.ckpt",
        "steps": 4,
        "seconds": checkpoint(first)["seqmdn"]["seconds"],
        "from": origin,
    }
    assert "from" not in metrics(small_run)


def test_it_goes_on_as_if_never_stopped(small_run: Path, recipe: Path, tmp_path: Path) -> None:
    origin = Path(shutil.copytree(small_run, tmp_path / "origin"))
    options = ["--from", str(origin)]
    train(recipe, tmp_path / "whole", *options, model="frmdn")
    run = tmp_path / "run"
    with pytest.raises(Interrupted):
        train(recipe, run, *options, model="frmdn", report=Interrupt(6))
    shutil.rmtree(origin)  # its weights are those of the run by now
    with pytest.raises(ValueError, match=f"expected --from {origin}, where it began, found null"):
        train(recipe, run, model="frmdn", resume=True)
    with pytest.raises(ValueError, match=f"--from {origin}, where it began, found {small_run}"):
        train(recipe, run, "--from", str(small_run), model="frmdn", resume=True)
    train(recipe, run, *options, model="frmdn", resume=True)
    assert differing(outcome(run), outcome(tmp_path / "whole")) == []
    assert metrics(run)["from"] == metrics(tmp_path / "whole")["from"]


def test_a_run_that_began_at_random_does_not_go_on_from_another(
    small_run: Path, recipe: Path, tmp_path: Path
) -> None:
    run = Path(shutil.copytree(small_run, tmp_path / "run"))
    with pytest.raises(ValueError, match=f"expected --from null, .* found {small_run}"):
        train(recipe, run, "--from", str(small_run), resume=True)


# --------------------------------------------------------------------------------------------------
# What is refused
# --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            head("seqmdn.heads.MixtureHead", components=3),
            r"expected head\.projection\.weight \(10, 8\), found \(15, 8\), "
            r"head\.projection\.bias \(10,\), found \(15,\); give it the sizes",
        ),
        (
            [
                *head("seqmdn.heads.MixtureHead", components=2),
                "--model.init_args.backbone.init_args.hidden=9",
            ],
            r"expected backbone\.layers\.0\.weight_ih_l0 \(32, 2\), found \(36, 2\), .* \(10, 9\);",
        ),
        (
            head("seqmdn.heads.MixtureHead", components=2, floor=0.5),
            r"expected -?\d+\.\d+ nats a number .* found -?\d+\.\d+; their arguments differ",
        ),
        (
            [*head("seqmdn.heads.MixtureHead", components=2), LOGIT],
            r"expected transform\.mean \(2,\), found none, transform\.std \(2,\), found none",
        ),
    ],
    ids=["components", "hidden", "floor", "no standardiser"],
)
def test_what_does_not_begin_as_the_run_is_refused(
    small_run: Path, recipe: Path, tmp_path: Path, options: list[str], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        train(recipe, tmp_path / "run", *options, "--from", str(small_run))
    assert not (tmp_path / "run").exists()


def test_a_flow_that_does_something_at_once_is_refused(recipe: Path, run: Run) -> None:
    model = made(recipe, run, flowed("seqmdn.flows.AffineCoupling", hidden=8))
    perturbed(model.head.flow, 0.3)
    message = r"something in head\.flow\.\S+ \(.*\), .* more does not begin as the identity\. "
    with pytest.raises(ValueError, match=message):
        take_over(model, run.model, run.data, Path("run"))


def test_a_flow_that_was_trained_is_not_left_out(recipe: Path, run: Run) -> None:
    trained = made(recipe, run, flowed("seqmdn.flows.AffineCoupling", hidden=8))
    model = made(recipe, run, head("seqmdn.heads.MixtureHead", components=2))
    with pytest.raises(ValueError, match=r"head\.flow\.\S+ \(.*\), found none.* \d+ more"):
        take_over(model, trained, run.data, Path("run"))


@pytest.mark.parametrize("features", [2, 3])
def test_other_data_are_refused(small_run: Path, tmp_path: Path, features: int) -> None:
    store = write_store(tmp_path / "other.h5", features=features, seed=6)
    recipe = write_recipe(tmp_path / "recipe", store)
    expected = metrics(small_run)["dataset"]["sha256"][:12]
    message = f"{small_run} was trained on other data than {store}: expected sha256 {expected}"
    with pytest.raises(ValueError, match=re.escape(message) + r" \(walks\), found [0-9a-f]{12}"):
        train(recipe, tmp_path / "run", "--from", str(small_run))
    assert not (tmp_path / "run").exists()


def test_a_run_that_is_none_is_refused(recipe: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="there is no checkpoint .*nowhere"):
        train(recipe, tmp_path / "run", "--from", str(tmp_path / "nowhere"))
