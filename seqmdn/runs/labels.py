"""What draws are asked to be: columns of a context of which one of each kind is set."""

from collections.abc import Sequence

import torch
from torch import Tensor

__all__ = ["relabel"]


def relabel(context: Tensor, names: Sequence[str], labels: Sequence[str]) -> Tensor:
    """Set labels in contexts whose columns are of a kind each, such as "digit 0" to "digit 9".

    A column's kind is the first word of its name. Of each kind that is named, the labels are taken
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
    kinds = [name.split()[0] for name in names]
    for kind in dict.fromkeys(label.split()[0] for label in labels):
        asked = [names.index(label) for label in labels if label.split()[0] == kind]
        context[:, [place for place, other in enumerate(kinds) if other == kind]] = 0
        rows = torch.arange(len(context))
        context[rows, torch.tensor(asked)[rows % len(asked)]] = 1
    return context
