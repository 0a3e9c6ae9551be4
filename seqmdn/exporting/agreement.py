"""Whether a graph does what the model does: the same real sequences through both."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from seqmdn.data import Batch
from seqmdn.exporting.draws import draw
from seqmdn.exporting.graph import require
from seqmdn.exporting.parameters import parameters
from seqmdn.exporting.step import ExportError, Step, unchecked

__all__ = ["Agreement", "compare_with_torch"]

Array = npt.NDArray[Any]

# A wrong graph is off by the size of the numbers themselves, rounding by a hundred-thousandth.
_TOLERANCE = 1e-3
# A random number next to where one component ends and the next begins may fall on either side.
_FLIPS = 0.01


@dataclass(frozen=True)
class Agreement:
    """How far a graph is from the model.

    Attributes:
        steps: Number of steps that were compared.
        sequences: Number of sequences that went through both at once.
        largest: Of each output the largest absolute difference, in its own units.
    """

    steps: int
    sequences: int
    largest: dict[str, float]


def compare_with_torch(
    path: Path, step: Step, batch: Batch, steps: int = 200, seed: int = 0
) -> Agreement:
    """Compare a graph, run by onnxruntime, with the model, step by step.

    Both see the real frames before each step and the same random numbers, and each hands on its own
    state: a difference in the state adds up, one in a draw does not, as a draw is not fed back.

    Args:
        path: The graph's file.
        step: What it was made of.
        batch: Real sequences, in the data's units.
        steps: Most steps that are compared.
        seed: Of the random numbers.

    Raises:
        ImportError: If onnxruntime is not installed.
        ExportError: If they differ by more than rounding does.
    """
    require("onnxruntime")
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    largest = dict.fromkeys(step.outputs, 0.0)
    flips, steps = 0, min(steps, batch.values.shape[1])
    count = len(batch.values)
    handed = {
        name: np.zeros((count, *each.shape[1:]), np.float32)
        for name, each in step.inputs.items()
        if name.startswith("state_")
    }
    generator = torch.Generator().manual_seed(seed)
    for given, expected in _steps(step, batch, steps, generator):
        fed = {name: value.numpy() for name, value in given.items()} | handed
        found = dict(zip(step.outputs, session.run(step.outputs, fed), strict=True))
        handed = {name: found[f"next_{name}"] for name in handed}
        for name, want in expected.items():
            difference = _difference(found[name], want.numpy())
            largest[name] = max(largest[name], float(difference.max(initial=0.0)))
            wrong = difference > _TOLERANCE * np.maximum(1, np.abs(want.numpy().astype(np.float64)))
            if name in ("draw", "ended"):
                flips += int(wrong.reshape(count, -1).any(axis=1).sum())
            elif wrong.any():
                raise ExportError(
                    f"{name} of {path.name} is not what PyTorch gives, found differences up to "
                    f"{difference.max():.3g}: report the model, and export it as safetensors"
                )
    if flips > _FLIPS * count * steps + 1:
        raise ExportError(
            f"{flips} of {count * steps} frames that {path.name} draws are not those that PyTorch "
            "draws of the same random numbers: report the model, and export it as safetensors"
        )
    return Agreement(steps, count, largest)


@torch.no_grad()
def _steps(
    step: Step, batch: Batch, steps: int, generator: torch.Generator
) -> Iterator[tuple[dict[str, Tensor], dict[str, Tensor]]]:
    """Give the inputs of each step but the state, and the model's own outputs."""
    model = step.model
    seen, count = model.see(batch), len(batch.values)
    present = batch.present().unsqueeze(-1)
    values = batch.values.where(present, batch.values[:, :1])
    if batch.observed is not None:
        values = values.where(batch.observed.where(present, batch.observed[:, :1]), torch.nan)
    state = model.begin(batch.text) if "text" in step.inputs else None
    for t in range(steps):
        noise = {"uniform": step.noise.uniform, "normal": step.noise.normal}
        given: dict[str, Tensor] = {
            "frame": values[:, max(t - 1, 0)],
            "first": torch.full((count,), t == 0),
            "uniform": torch.rand(count, noise["uniform"], generator=generator),
            "normal": torch.randn(count, noise["normal"], generator=generator),
            "value": values[:, t],
        }
        if seen.context is not None:
            given["context"] = seen.context[:, t]
        if batch.text is not None:
            given["text"] = batch.text
        observed = seen.observed
        before = None if observed is None or t == 0 else observed[:, t - 1]
        previous = None if t == 0 else seen.previous[:, t]
        h, state = model.advance(previous, given.get("context"), state, count, before)
        with unchecked():
            density: Any = model.head(h)
            expected: dict[str, Tensor] = dict(parameters(density))
            drawn = draw(density, given["uniform"], given["normal"])
        expected["draw"] = model.transform.inverse(drawn)
        ended = model.ended(expected["draw"], state)
        if ended is not None:
            expected["ended"] = ended
        if "log_prob" in step.outputs:
            seen_now = () if observed is None else (observed[:, t],)
            expected["log_prob"] = density.log_prob(seen.z[:, t], *seen_now) + seen.ladj[:, t]
        expected |= {f"next_state_{i}": part for i, part in enumerate(state)}
        yield (
            {name: value for name, value in given.items() if name in step.inputs},
            {name: value for name, value in expected.items() if name in step.outputs},
        )


def _difference(found: Array, expected: Array) -> Array:
    """Return absolute differences, infinite where one of two numbers is not finite."""
    found, expected = found.astype(np.float64), expected.astype(np.float64)
    if found.shape != expected.shape:
        raise ExportError(f"expected an output of shape {expected.shape}, found {found.shape}")
    same = (found == expected) | (np.isnan(found) & np.isnan(expected))
    with np.errstate(invalid="ignore"):
        return np.nan_to_num(np.where(same, 0.0, np.abs(found - expected)), nan=np.inf)
