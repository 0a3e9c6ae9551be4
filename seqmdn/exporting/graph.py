"""A step as a graph of ONNX, made by torch and stripped of what tells where it was made."""

import contextlib
import importlib
import logging
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from seqmdn.exporting.step import ExportError, Step

__all__ = ["require", "save_graph"]


def require(*names: str) -> None:
    """Import optional libraries, or raise ImportError that says how to install them.

    Example:
        >>> require("json")
    """
    for name in names:
        try:
            importlib.import_module(name)
        except ImportError as error:
            raise ImportError(
                f"to export needs {name}, which is not installed: pip install 'seqmdn[export]'"
            ) from error


def save_graph(step: Step, path: Path, metadata: Mapping[str, str]) -> None:
    """Write a step as a graph whose batch size is left open.

    Args:
        step: The step.
        path: The file.
        metadata: What the graph says of itself, by name.

    Raises:
        ImportError: If what makes graphs is not installed.
        ExportError: If torch finds no graph that does what the step does.
    """
    require("onnx", "onnxscript")
    names = list(step.inputs)
    batch = {0: "batch"}
    free = {"text": batch | {1: "characters"}}
    shapes = tuple(
        {axis: torch.export.Dim.DYNAMIC for axis in free.get(name, batch)} for name in names
    )
    with _quiet(), torch.no_grad():
        try:
            program: Any = torch.onnx.export(
                step,
                tuple(step.inputs.values()),
                input_names=names,
                output_names=step.outputs,
                # Of *given, one tuple.
                dynamic_shapes=(shapes,),
                dynamo=True,
                verbose=False,
            )
        except Exception as error:  # the libraries' own, of many kinds
            raise ExportError(
                f"torch makes no graph of this model: {_cause(error)}; export it as safetensors "
                "(--to safetensors), or use a head and a flow of the table in examples/README.md"
            ) from error
        model = program.model
        _strip(model)
        _rename(model)
        for value in (*model.graph.inputs, *model.graph.outputs):
            axes = free.get(value.name, batch)
            value.shape = _named(value.shape, axes)
        model.metadata_props.update(metadata)
        program.save(str(path), external_data=False)


def _named(shape: Any, axes: Mapping[int, str]) -> Any:
    """Return a shape with names for what is left open."""
    import onnx_ir

    return onnx_ir.Shape([axes.get(i, each) for i, each in enumerate(shape)])


def _strip(model: Any) -> None:
    """Take off the paths of source files and other notes of how the graph was made."""
    model.metadata_props.clear()
    model.graph.metadata_props.clear()
    for node in model.graph.all_nodes():
        node.metadata_props.clear()
        for value in node.outputs:
            value.metadata_props.clear()
    for value in (*model.graph.inputs, *model.graph.initializers.values()):
        value.metadata_props.clear()
    for function in model.functions.values():
        function.metadata_props.clear()
        for node in function:
            node.metadata_props.clear()


def _rename(model: Any) -> None:
    """Give values inside of the graph other names than those of what goes in and comes out.

    torch names its own after operations, ``diagonal`` for example, and renames outputs without a
    look at them.
    """
    taken = {value.name for value in (*model.graph.inputs, *model.graph.outputs)}
    outputs = set(map(id, model.graph.outputs))
    for node in model.graph.all_nodes():
        for value in node.outputs:
            if id(value) not in outputs and value.name in taken:
                value.name = f"{value.name}_inside"


def _cause(error: BaseException) -> str:
    """Return the first line of the innermost cause, as torch's own words are pages long."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the libraries' advice to their own developers away."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
