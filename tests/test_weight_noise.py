"""Noise on weights: the gradient is that of noisy weights, the weights stay their own."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback

from seqmdn.weight_noise import WeightNoise
from tests.small import Interrupt, differing, outcome, train, write_recipe, write_store

NOISE = {"class_path": "seqmdn.weight_noise.WeightNoise", "init_args": {"std": 0.3}}


class Watch(Callback):
    """Notes the weights before, under and after the noise."""

    seen: list[dict[str, torch.Tensor]] = []

    def note(self, module: Any) -> None:
        Watch.seen.append({n: p.detach().clone() for n, p in module.named_parameters()})

    def on_before_zero_grad(self, trainer: Any, module: Any, *_: Any) -> None:
        self.note(module)

    def on_before_optimizer_step(self, trainer: Any, module: Any, *_: Any) -> None:
        self.note(module)


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("noise")
    return write_recipe(folder / "recipe", write_store(folder / "walks.h5"))


def test_gradients_are_of_noisy_matrices_and_steps_from_their_own(
    recipe: Path, tmp_path: Path
) -> None:
    watch = {"class_path": "tests.test_weight_noise.Watch"}
    Watch.seen.clear()
    train(
        recipe,
        tmp_path / "run",
        "--trainer.max_steps=2",
        "--trainer.callbacks",
        json.dumps([NOISE, watch]),
    )
    # Gradients are set to zero within the step, under the noise; a step follows without it.
    under, stepping = Watch.seen[-2:]
    name = "model.head.projection.weight"
    first, second = (a[name] - b[name] for a, b in (Watch.seen[:2], Watch.seen[-2:]))
    assert (first - second).abs().max() > 0.1, "each step has noise of its own"
    for name, own in stepping.items():
        off = (under[name] - own).flatten()
        if own.ndim < 2:
            assert (off == 0).all(), f"{name} is no matrix"
        elif len(off) > 100:
            assert abs(float(off.std()) - 0.3) < 0.1 and abs(float(off.mean())) < 0.1, name


def test_a_resumed_run_has_the_same_noise(recipe: Path, tmp_path: Path) -> None:
    options = ["--trainer.callbacks", json.dumps([NOISE])]
    train(recipe, tmp_path / "whole", *options)
    with pytest.raises(KeyboardInterrupt):
        train(recipe, tmp_path / "cut", *options, report=Interrupt(step=6))
    train(recipe, tmp_path / "cut", *options, resume=True)
    assert differing(outcome(tmp_path / "whole"), outcome(tmp_path / "cut")) == []
    train(recipe, tmp_path / "plain")
    assert differing(outcome(tmp_path / "whole"), outcome(tmp_path / "plain"))


def test_noise_is_not_what_validation_sees(recipe: Path, tmp_path: Path) -> None:
    wild = {**NOISE, "init_args": {"std": 30.0}}
    options = ["--trainer.callbacks", json.dumps([wild]), "--training.optimizer.lr=1e-9"]
    run = train(recipe, tmp_path / "run", "--trainer.max_steps=2", *options)
    largest = max(float(p.detach().abs().max()) for p in run.model.parameters())
    assert largest < 10
    with pytest.raises(ValueError, match="positive standard deviation, found -1"):
        WeightNoise(-1)
