"""What ran, and what its likelihood is worth: the words around the numbers of a run."""

import math
from pathlib import Path
from typing import Any

from seqmdn.data import Levels, UniformDequantise
from seqmdn.runs.run import Run
from seqmdn.runs.worst import learned_names

__all__ = ["describe_likelihood", "describe_run"]


def describe_run(run: Run, metrics: dict[str, Any], source: Path, split: str) -> dict[str, Any]:
    """Return what ran, as a person would write it: enough to tell two runs apart.

    Args:
        run: The run.
        metrics: What :func:`seqmdn.runs.score` found.
        source: Its folder, or a checkpoint.
        split: What was scored.
    """
    store, model = run.data.store, run.description["model"]
    parts = model.get("init_args", {})
    return {
        "run": source.resolve().name,
        "model": _named({"class_path": model["class_path"]}),
        **{
            name: _named(parts[name]) for name in ("backbone", "head", "transform") if name in parts
        },
        "data": store.name,
        "unit": store.unit,
        "features": learned_names(run),
        "context": run.data.context,
        "noise": None if run.data.noise is None else type(run.data.noise).__name__,
        "split": split,
        # A row that belongs to no sequence is one of a single frame.
        "scored": "rows" if (store.lengths == 1).all() else "sequences",
        **{name: metrics[name] for name in ("params", "steps", "seconds", "seed", "checkpoint")},
        **{name: metrics[name] for name in ("dataset", "device", "versions")},
    }


def describe_likelihood(run: Run, metrics: dict[str, Any]) -> dict[str, Any]:
    """Return the NLL of :func:`seqmdn.runs.score` with what makes it a bound, if anything does.

    ``bits_per_dim`` is there where the data are levels; ``bound`` is None where the NLL is exact;
    ``bounds`` and ``parts`` are other NLLs by name. None stands for a number that is not finite.
    """
    spread = isinstance(run.data.noise, UniformDequantise)
    levels = isinstance(getattr(run.model, "transform", None), Levels)
    kept = ("nll", "stderr", "unit", "nll_per_frame", "frame_unit", "limit", "gap_to_limit")
    found = {name: metrics[name] for name in kept if name in metrics}
    if spread or levels:
        found["bits_per_dim"] = metrics["bits_per_dim"]
    bounds = [metrics["bound_is"]] if metrics.get("bound") else []
    if spread:
        bounds.append("levels are spread by uniform noise")
    found["bound"] = "; ".join(bounds) or None
    for name in ("bounds", "parts"):
        found[name] = {
            key: {"nll": each["nll"], "stderr": each["stderr"]}
            for key, each in metrics.get(name, {}).items()
        }
    return {name: _finite(x) if isinstance(x, float) else x for name, x in found.items()}


def _named(plain: Any) -> str:
    """Write a class of a configuration and its arguments as a person would."""
    if isinstance(plain, dict) and "class_path" in plain:
        arguments = [
            f"{name}={_named(value)}"
            for name, value in (plain.get("init_args") or {}).items()
            if value is not None
        ]
        name = str(plain["class_path"]).rpartition(".")[2]
        return f"{name}({', '.join(arguments)})" if arguments else name
    if isinstance(plain, str) and plain.startswith("seqmdn."):
        return plain.rpartition(".")[2]
    return f"{plain}"


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
