"""What draws are asked to be: columns of a context of which one of each kind is set."""

from collections.abc import Sequence

import torch
from torch import Tensor

__all__ = ["label_kinds", "relabel"]


def label_kinds(names: Sequence[str]) -> dict[str, list[int]]:
    """Return the columns of each kind of label: those whose names begin with the same word.

    Example:
        >>> label_kinds(["digit 0", "digit 1", "speaker a"])
        {'digit': [0, 1], 'speaker': [2]}
    """
    kinds: dict[str, list[int]] = {}
    for place, name in enumerate(names):
        kinds.setdefault(name.split()[0], []).append(place)
    return kinds


def relabel(context: Tensor, names: Sequence[str], labels: Sequence[str]) -> Tensor:
    """Set labels in contexts whose columns are of a kind each, such as "digit 0" to "digit 9".

    Of each kind that is named, the labels are taken
    in turn, sequence by sequence; the other kinds stay as they are.

    Args:
        context: The context of B sequences ``(B, X)``.
        names: Names of its columns.
        labels: Names of columns.

    Raises:
        ValueError: If a label is none of the columns'.

    Example:
        >>> names = ["digit 0", "digit 1", "speaker a", "speaker b"]
        >>> relabel(torch.tensor([[1.0, 0, 0, 1]] * 3), names, ["digit 1", "digit 0"]).tolist()
        [[0.0, 1.0, 0.0, 1.0], [1.0, 0.0, 0.0, 1.0], [0.0, 1.0, 0.0, 1.0]]
    """
    unknown = [label for label in labels if label not in names]
    if unknown:
        known = ", ".join(names) if names else "none, as the data have no labels"
        raise ValueError(f"expected labels among {known}; found {unknown[0]!r}")
    context = context.clone()
    places = [names.index(label) for label in labels]
    for columns in label_kinds(names).values():
        if asked := [place for place in places if place in columns]:
            context[:, columns] = 0
            rows = torch.arange(len(context))
            context[rows, torch.tensor(asked)[rows % len(asked)]] = 1
    return context
