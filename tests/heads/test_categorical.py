"""The head of a classifier, and a run of one with its accuracy."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from seqmdn.backbones import UGMMLinear
from seqmdn.cli import main
from seqmdn.data import Batch, Identity, StoreWriter
from seqmdn.distributions import Classes
from seqmdn.heads import CategoricalHead
from seqmdn.models import MDN, SequenceModel
from seqmdn.runs import draw, load_run
from seqmdn.scoring import score_classes, score_densities
from tests.contracts import assert_state_is_complete, perturbed
from tests.small import train


@pytest.mark.parametrize("layer", [torch.nn.Linear, UGMMLinear])
@pytest.mark.parametrize("features", [1, 3])
def test_logits_are_what_the_layer_says(features: int, layer: type) -> None:
    head = perturbed(CategoricalHead(features, 6, classes=4, layer=layer), 0.3)
    assert_state_is_complete(head)
    h = torch.randn(5, 2, 6, requires_grad=True)
    density = head(h)
    assert isinstance(density, Classes) and density.batch_shape == (5, 2)
    logits = head.projection(h).unflatten(-1, (features, 4))
    torch.testing.assert_close(density.class_log_prob, logits.log_softmax(-1))
    (-density.log_prob(density.sample())).mean().backward()
    for name, parameter in (*head.named_parameters(), ("h", h)):
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name
        assert (parameter.grad != 0).any(), name


def test_autocast_keeps_probabilities_in_float32() -> None:
    head = CategoricalHead(1, 6, classes=4)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert head(torch.randn(5, 6).bfloat16()).class_log_prob.dtype == torch.float32


def test_it_begins_with_the_shares_of_the_data() -> None:
    head = CategoricalHead(2, 6, classes=3)
    values = torch.tensor([[0.0, 1.0], [0.0, 1.0], [1.0, 1.0], [0.0, torch.nan]])
    head.initialise(values)
    shares = head(torch.zeros(6)).class_log_prob.exp()
    expected = torch.tensor([[4 / 7, 2 / 7, 1 / 7], [1 / 6, 4 / 6, 1 / 6]])
    torch.testing.assert_close(shares, expected)
    CategoricalHead(2, 6, classes=3, layer=UGMMLinear).initialise(values)  # which has no bias


@pytest.mark.parametrize("wrong", [[[3.0]], [[-1.0]], [[0.5]]])
def test_values_that_are_no_classes_are_refused_before_training(wrong: list) -> None:
    with pytest.raises(ValueError, match="expected classes 0 to 2 as whole numbers, found values"):
        CategoricalHead(1, 6, classes=3).initialise(torch.tensor(wrong))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"features": 0}, "features must be at least 1, found 0"),
        ({"context": 0}, "context must be at least 1, found 0"),
        ({"classes": 1}, "classes must be at least 2, found 1"),
    ],
)
def test_what_makes_no_head_is_refused(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        CategoricalHead(**({"features": 1, "context": 2} | options))
    with pytest.raises(ValueError, match="h must have 2 features, found shape"):
        CategoricalHead(1, 2)(torch.zeros(3))
    with pytest.raises(ValueError, match=re.escape("values must have shape (N, 1), found (3, 2)")):
        CategoricalHead(1, 2).initialise(torch.zeros(3, 2))


def test_accuracy_counts_frames_all_of_whose_classes_are_right() -> None:
    model = MDN(2, 1, head=lambda *sizes: CategoricalHead(*sizes, classes=3), transform=Identity)
    with torch.no_grad():
        model.head.projection.weight.zero_()
        model.head.projection.bias.copy_(torch.tensor([0.0, 9.0, 0.0, 0.0, 0.0, 9.0]))
    values = torch.tensor([[1.0, 2.0], [1.0, 0.0], [0.0, 2.0], [1.0, 2.0]]).unsqueeze(1)
    rows = Batch(values, torch.ones(4).long(), context=torch.zeros(4, 1, 1))
    found = score_classes(model.eval(), [rows, rows])
    assert found is not None and found["accuracy"] == 0.5
    assert found["accuracy_stderr"] == pytest.approx((0.25 / 7) ** 0.5, rel=1e-5)
    plain = SequenceModel(features=2).eval()
    assert score_classes(plain, [Batch(values, torch.ones(4).long())]) is None
    with pytest.raises(ValueError, match="found probabilities of classes, which have no quantiles"):
        score_densities(model, [rows])


def test_a_classifier_is_trained_scored_and_drawn_from(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    with StoreWriter(
        tmp_path / "rows.h5", ["class"], "rows", "class", context=["a", "b"]
    ) as writer:
        for split, count in {"train": 400, "valid": 100, "test": 200}.items():
            seen = rng.standard_normal((count, 2))
            classes = (seen[:, :1] > 0) + (seen[:, :1] > 0) * (seen[:, 1:] > 0)
            writer.append_rows(classes.astype(float), [split] * count, seen)
    recipe = tmp_path / "recipe"
    recipe.mkdir()
    head = "class_path: seqmdn.heads.CategoricalHead\n      init_args:\n        classes: 3\n"
    (recipe / "base.yaml").write_text(
        f"""data:
  class_path: seqmdn.data.SequenceDataModule
  init_args: {{path: {tmp_path / "rows.h5"}, batch_size: 50}}
model:
  class_path: seqmdn.models.MDN
  init_args:
    transform: {{class_path: seqmdn.data.Identity}}
    backbone: {{class_path: seqmdn.backbones.UGMMNetwork, init_args: {{hidden: [16]}}}}
training:
  optimizer: {{class_path: torch.optim.AdamW, init_args: {{lr: 0.03}}}}
trainer: {{max_steps: 60, val_check_interval: 8}}
"""
    )
    (recipe / "rmdn.yaml").write_text(
        f"model:\n  init_args:\n    head:\n      {head}"
        "        layer: {class_path: seqmdn.backbones.UGMMLinear}\n"
    )
    train(recipe, tmp_path / "run")
    metrics = json.loads((tmp_path / "run/metrics.json").read_text())
    assert metrics["accuracy"] > 0.8 and 0 < metrics["accuracy_stderr"] < 0.05
    run = load_run(tmp_path / "run")
    assert isinstance(run.model.head.projection, UGMMLinear)
    drawn, _ = draw(run, num=8)
    assert set(drawn.values.unique().tolist()) <= {0.0, 1.0, 2.0}
    main(["report", str(tmp_path / "run"), "--debug"])
    assert "probabilities of classes" in (tmp_path / "run/report.html").read_text()
