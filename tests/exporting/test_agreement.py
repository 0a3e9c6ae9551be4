"""Agreement: what is the same is said to be, and what is not is found."""

import copy
import sys
from pathlib import Path

import pytest
import torch

from seqmdn.data import Batch
from seqmdn.exporting import OUTPUTS, ExportError, Step, compare_with_torch
from tests.exporting.runtime import levels


@pytest.fixture
def batch() -> Batch:
    """Sequences of unequal lengths, of which padding holds what no transform takes."""
    lengths = torch.tensor([50, 40, 3])
    values = levels((3, 50, 8))
    for i, length in enumerate(lengths.tolist()):
        values[i, length:] = torch.nan
    return Batch(values, lengths, context=torch.randn(3, 50, 2))


def test_the_graph_is_the_model(flow_step: Step, flow_graph: Path, batch: Batch) -> None:
    found = compare_with_torch(flow_graph, flow_step, batch)
    assert (found.steps, found.sequences) == (50, 3)
    assert list(found.largest) == flow_step.outputs
    assert all(0 < largest < 1e-4 for largest in found.largest.values())
    assert compare_with_torch(flow_graph, flow_step, batch, steps=5).steps == 5


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ("head.projection.bias", "(logits|loc|diagonal|factor|log_prob) of rows.onnx is not what"),
        ("backbone.layers.0.weight_hh_l0", "of rows.onnx is not what PyTorch gives"),
        ("transform.standardise.std", "log_prob of rows.onnx is not what PyTorch gives"),
        ("head.flow.transforms.0.hyper.2.bias", "log_prob of rows.onnx is not what"),
    ],
)
def test_another_model_is_found_out(
    flow_step: Step, flow_graph: Path, batch: Batch, part: str, said: str
) -> None:
    other = copy.deepcopy(flow_step.model)
    with torch.no_grad():
        dict([*other.named_parameters(), *other.named_buffers()])[part].mul_(1.5)
    with pytest.raises(ExportError, match=said):
        compare_with_torch(flow_graph, Step(other, OUTPUTS), batch, steps=20)


def test_other_draws_are_found_out(flow_step: Step, flow_graph: Path, batch: Batch) -> None:
    class Backwards(Step):
        """The same density, whose draws are not those of the model."""

    other = Backwards(flow_step.model, OUTPUTS)
    other.model = copy.deepcopy(flow_step.model)
    inverse = other.model.transform.inverse
    other.model.transform.inverse = lambda z: inverse(-z)  # type: ignore[method-assign]
    with pytest.raises(ExportError, match="of 60 frames that rows.onnx draws are not those"):
        compare_with_torch(flow_graph, other, batch, steps=20)


def test_a_missing_runtime_is_named(
    flow_step: Step, flow_graph: Path, batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ImportError, match="needs onnxruntime"):
        compare_with_torch(flow_graph, flow_step, batch)
