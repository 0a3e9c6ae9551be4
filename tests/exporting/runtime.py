"""What runs a graph in the tests, and what goes into it."""

from pathlib import Path
from typing import Any

import onnxruntime
import torch
from torch import Tensor

from seqmdn.exporting import Step


class Graph:
    """A graph whose inputs and outputs are tensors by name."""

    def __init__(self, path: Path) -> None:
        self.session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        self.inputs = [each.name for each in self.session.get_inputs()]
        self.outputs = [each.name for each in self.session.get_outputs()]

    def __call__(self, given: dict[str, Tensor]) -> dict[str, Tensor]:
        fed = {name: given[name].numpy() for name in self.inputs}
        found: list[Any] = self.session.run(None, fed)
        return {
            name: torch.from_numpy(each) for name, each in zip(self.outputs, found, strict=True)
        }


def eager(step: Step, given: dict[str, Tensor]) -> dict[str, Tensor]:
    """What the step itself gives."""
    with torch.no_grad():
        found = step(*(given[name] for name in step.inputs))
    return {name: each.detach() for name, each in zip(step.outputs, found, strict=True)}


def random_inputs(step: Step, batch: int, frames: Any = None) -> dict[str, Tensor]:
    """Inputs of some sequences: frames by ``frames(shape)``, normal ones by default."""
    found: dict[str, Tensor] = {}
    for name, like in step.inputs.items():
        shape = (batch, *like.shape[1:])
        if name == "first":
            found[name] = torch.rand(batch) < 0.3
        elif name == "text":
            found[name] = torch.randint(97, 100, (batch, 5))
        elif name == "uniform":
            found[name] = torch.rand(shape)
        elif name in ("frame", "value") and frames is not None:
            found[name] = frames(shape)
        else:
            found[name] = torch.randn(shape)
    return found


def worst(found: dict[str, Tensor], expected: dict[str, Tensor]) -> float:
    """The largest difference of all outputs, of numbers above 1 as a share of them."""
    assert list(found) == list(expected)
    largest = 0.0
    for name, want in expected.items():
        assert found[name].shape == want.shape and found[name].dtype == want.dtype, name
        gap = (found[name].double() - want.double()).abs() / want.double().abs().clamp(min=1)
        assert not gap.isnan().any(), name
        largest = max(largest, float(gap.max()) if gap.numel() else 0.0)
    return largest


def levels(shape: tuple[int, ...]) -> Tensor:
    """Pixels of 17 levels, spread over their cells."""
    return torch.rand(shape) * 17
