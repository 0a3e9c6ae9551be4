"""Likelihood, BIC and components of the training rows."""

import math
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.distributions import Normal

from seqmdn.configuration import fit_parser
from seqmdn.models import MDN, Ensemble
from seqmdn.runs import Run, fit, load_run, score_training, selection
from tests.gaussians import ROWS, write_recipe, write_rows


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Finished runs of four components and of an ensemble of two networks, hardly trained."""
    folder = tmp_path_factory.mktemp("gaussians")
    recipe = write_recipe(folder / "recipe", write_rows(folder / "rows.h5"), steps=2)
    for name, key in {"mdn": "model.head", "ensemble": "model.model.init_args.head"}.items():
        words = ["-c", f"{recipe}/base.yaml", "-c", f"{recipe}/{name}.yaml"]
        config = fit_parser().parse_args([*words, f"--{key}.init_args.components", "4"])
        fit(config, folder / name)
    return {name: folder / name for name in ("mdn", "ensemble")}


def placed(run: Run, *, loc: list[float], logits: list[float], scale: float = 0.3) -> Run:
    """Give a run's networks the same mixture, whatever the input is."""
    nets: list[Any] = list(run.model.members) if isinstance(run.model, Ensemble) else [run.model]
    for net in nets:
        assert isinstance(net, MDN)
        shown = (torch.tensor(loc) - net.transform.mean) / net.transform.std
        inner = scale / float(net.transform.std)
        with torch.no_grad():
            net.head.projection.weight.zero_()
            precision = torch.full((4,), math.log(math.expm1(inner**-2)))
            net.head.projection.bias.copy_(torch.cat([torch.tensor(logits), shown, precision]))
    return run


def test_bic_is_of_all_training_rows(runs: dict[str, Path]) -> None:
    run = placed(load_run(runs["mdn"]), loc=[1.0] * 4, logits=[0.0] * 4, scale=2.0)
    found = score_training(run)
    assert found is not None and found["frames"] == ROWS["train"]
    rows = torch.cat([batch.values for batch in run.data.batches("train")]).double()
    expected = float(Normal(1.0, 2.0).log_prob(rows).sum())
    assert found["log_likelihood"] == pytest.approx(expected, rel=1e-4)
    parameters = sum(each.numel() for each in run.model.parameters())
    assert found["bic"] == pytest.approx(-2 * expected + parameters * math.log(400), rel=1e-4)


def test_a_dead_component_and_two_of_the_same_are_found(runs: dict[str, Path]) -> None:
    run = placed(load_run(runs["mdn"]), loc=[-3, 0, 3, 9], logits=[0.0, 0.0, 0.0, -9.0])
    (use,) = score_training(run)["components"]  # type: ignore[index]
    assert (use["died"], use["same"], use["of"]) == ([3], [], 4)
    run = placed(load_run(runs["mdn"]), loc=[-3, 0, 3, 3], logits=[0.0] * 4)
    (use,) = score_training(run)["components"]  # type: ignore[index]
    assert use["died"] == [] and [pair[:2] for pair in use["same"]] == [[2, 3]]


def test_members_are_looked_at_by_themselves(runs: dict[str, Path]) -> None:
    run = placed(load_run(runs["ensemble"]), loc=[-3, 0, 3, 9], logits=[0.0, 0.0, 0.0, -9.0])
    found = score_training(run)
    assert found is not None
    # Beside each other, all of them would be the same as those of the other member.
    assert [(use["of"], use["died"], use["same"]) for use in found["components"]] == [
        (4, [3], [])
    ] * 2


def test_some_rows_are_enough(runs: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    run = load_run(runs["mdn"])
    monkeypatch.setattr(selection, "_FRAMES", 60)
    taken: list[int] = []
    monkeypatch.setattr(
        selection, "score_components", lambda _, some: taken.extend(map(len_of, some))
    )
    found = score_training(run)
    assert sum(taken) == 60 and found is not None
    assert found["components"] == [] and found["frames"] == 400


def len_of(batch: Any) -> int:
    return len(batch.values)


def test_a_bound_is_no_likelihood(vae_run: Path, tmp_path: Path) -> None:
    assert score_training(load_run(Path(shutil.copytree(vae_run, tmp_path / "vae")))) is None
