"""Models whose likelihood is only bounded: what a comparison says of them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from seqmdn.comparison.pairs import standard_error

__all__ = ["bound_names", "bound_words", "bounds_of", "label", "sign"]


def bounds_of(found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what the entry of a model says of bounds, of its runs' metrics; nothing if exact.

    ``bound`` is true where ``nll`` is an upper bound on the negative log-likelihood, ``bound_is``
    says which, and ``bounds`` holds the others, each with ``nll``, ``stderr`` and ``bits_per_dim``.
    A density that is exact may have bounds, too: of the probability of levels, where these were
    dequantised.

    Example:
        >>> runs = [{"bound": True, "bound_is": "of 2 draws", "bounds": {}}]
        >>> bounds_of(runs), bounds_of([{"nll": 1.0}])
        ({'bound': True, 'bound_is': 'of 2 draws', 'bounds': {}}, {})
    """
    others = {}
    for name in found[0].get("bounds", {}):
        if any(name not in each.get("bounds", {}) for each in found):
            continue
        own = [each["bounds"][name] for each in found]
        values = np.array([each["nll_per_sequence"] for each in own])
        others[name] = {
            "nll": float(values.mean()),
            "stderr": standard_error(values),
            "bits_per_dim": float(np.mean([each["bits_per_dim"] for each in own])),
        }
    if found[0].get("bound"):
        return {"bound": True, "bound_is": found[0]["bound_is"], "bounds": others}
    return {"bounds": others} if others else {}


def bound_names(models: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the names of all other bounds that any model has, in their order."""
    return list(
        dict.fromkeys(name for entry in models.values() for name in entry.get("bounds", ()))
    )


def bound_words(models: Mapping[str, Mapping[str, Any]]) -> str:
    """Say what the sign ≤ stands for, nothing where no model has a bound.

    Example:
        >>> bound_words({"a": {}, "b": {"bound": True, "bound_is": "importance-weighted, 4 draws"}})
        'After ≤ stands an upper bound (importance-weighted, 4 draws).'
    """
    kinds = dict.fromkeys(entry["bound_is"] for entry in models.values() if entry.get("bound"))
    return f"After ≤ stands an upper bound ({'; '.join(kinds)})." if kinds else ""


def sign(entry: Mapping[str, Any]) -> str:
    """Return what stands before an NLL that is a bound, nothing before another."""
    return "≤ " if entry.get("bound") else ""


def label(name: str, entry: Mapping[str, Any]) -> str:
    """Name a model in a picture, and say so if its NLL is a bound."""
    return f"{name} (bound)" if entry.get("bound") else name
