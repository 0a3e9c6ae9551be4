"""Two models on the same sequences: differences, and their errors."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from seqmdn.comparison.signs import sign_test

__all__ = ["difference_to", "paired", "standard_error"]


def standard_error(values: np.ndarray) -> float:
    """Standard error of the mean over (seeds, sequences), both kinds of chance together."""
    squared = values.mean(axis=0).var(ddof=1) / values.shape[1]
    if values.shape[0] > 1:
        squared += values.mean(axis=1).var(ddof=1) / values.shape[0]
    return math.sqrt(squared)


def paired(first: np.ndarray, second: np.ndarray) -> dict[str, float]:
    """Paired difference of two models over (seeds, sequences); negative: the first is better."""
    deltas = first - second
    signs = sign_test(deltas.mean(axis=0))
    return {
        "delta": float(deltas.mean()),
        "stderr": standard_error(deltas),
        "share_of_sequences_better": float((deltas.mean(axis=0) < 0).mean()),
        "sequences_better": signs.better,
        "sequences_worse": signs.worse,
        "sign_test_p": signs.p_value,
    }


def difference_to(result: Mapping[str, Any], name: str, best: str) -> dict[str, float] | None:
    """Return the pair ``name`` minus ``best``, whichever way round it stands; None for the best."""
    pairs = result["paired"]
    if f"{name} - {best}" in pairs:
        return pairs[f"{name} - {best}"]
    if f"{best} - {name}" in pairs:
        turned = pairs[f"{best} - {name}"]
        return {
            "delta": -turned["delta"],
            "stderr": turned["stderr"],
            **({"sign_test_p": turned["sign_test_p"]} if "sign_test_p" in turned else {}),
        }
    return None
