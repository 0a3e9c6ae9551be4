"""A run's model as an ONNX file that says what it is."""

import json
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

import seqmdn
from seqmdn.data import Batch
from seqmdn.exporting.agreement import Agreement, compare_with_torch
from seqmdn.exporting.graph import save_graph
from seqmdn.exporting.step import Step
from seqmdn.files import written_whole
from seqmdn.models import FrameModel
from seqmdn.runs import Run, origin_of_checkpoint
from seqmdn.runs.worst import learned_names

__all__ = ["describe_step", "export_onnx"]

_ROWS = 16  # real sequences that go through the graph once it is written


def export_onnx(
    run: Run,
    path: Path,
    outputs: Sequence[str] | None = None,
    notes: Mapping[str, str] | None = None,
) -> Agreement | None:
    """Write one step of a run's model as an ONNX file, and compare it with PyTorch.

    Args:
        run: The run.
        path: The file, written whole or not at all; a file that does not agree is not written.
        outputs: See :class:`seqmdn.exporting.Step`.
        notes: What else the file says of itself, the revision of the code for example.

    Returns:
        How far the file is from PyTorch on real sequences of the test split, None where onnxruntime
        is not installed and nothing was compared.

    Raises:
        ImportError: If onnx or onnxscript is not installed.
        ExportError: If the model cannot be exported, or the file does not agree with it.
        OSError: If the file cannot be written.
    """
    run.model.to("cpu")
    step = Step(run.model, outputs)
    with written_whole(path) as partial:
        save_graph(step, partial, describe_step(run, step) | dict(notes or {}))
        if find_spec("onnxruntime") is None:
            return None
        return compare_with_torch(partial, step, _real(run))


def describe_step(run: Run, step: Step) -> dict[str, str]:
    """Return what an ONNX file says of itself: texts by name, JSON where it is more than a word.

    ``features`` and ``context`` are names of columns, ``unit`` that of the frames, ``dataset`` its
    name and SHA-256, ``state`` the shape of each part of the state but the batch, all of which
    begin with zeros, ``transform`` what puts frames into the units of the parameters,
    ``data_noise`` what was added to whole numbers before the model learned them (draws have it,
    too), ``alphabet`` the characters of its texts, ``attributes`` what the store says of itself
    (``kind``, ``levels``, ``height`` ...), and ``end`` the column that says in a frame that its
    sequence ends.
    """
    data, model = run.data, step.model
    attributes = {
        name: value
        for name, value in data.store.attributes.items()
        if isinstance(value, str | int | float) and name not in ("command", "format", "version")
    }
    found: dict[str, Any] = {
        "seqmdn": seqmdn.__version__,
        "torch": torch.__version__,
        "checkpoint": origin_of_checkpoint(run.checkpoint),
        "dataset": {"name": data.store.name, "sha256": run.description["dataset"]["sha256"]},
        "model": type(model).__name__,
        "backbone": type(model.backbone).__name__,
        "head": type(model.head).__name__,
        "features": learned_names(run),
        "context": [*data.store.context_names, *data.given],
        "unit": data.store.unit,
        "transform": {
            "name": type(model.transform).__name__,
            **{name: value.tolist() for name, value in model.transform.state_dict().items()},
        },
        "data_noise": "none" if data.noise is None else type(data.noise).__name__,
        "state": {
            name: list(value.shape[1:])
            for name, value in step.inputs.items()
            if name.startswith("state_")
        },
        "attributes": attributes,
    }
    alphabet = getattr(model.backbone, "alphabet", None)
    if alphabet is not None:
        found["alphabet"] = alphabet
    last: Any = getattr(model.head, "last", None)
    if last is not None and last(model.start) is not None:  # a stroke's bit ends no sequence
        found["end"] = len(found["features"]) - 1
    return {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in found.items()
    }


def _real(run: Run) -> Batch:
    """Return some real sequences."""
    assert isinstance(run.model, FrameModel)
    return next(iter(run.data.batches("test"))).part(0, _ROWS)
