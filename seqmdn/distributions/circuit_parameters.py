"""What a circuit can be made of: shapes that fit its regions, and categories that there are."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Size, Tensor

from seqmdn import linalg
from seqmdn.distributions.gaussian import LowRankPrecisionNormal
from seqmdn.distributions.regions import Regions

__all__ = ["check_shapes", "restricted", "slot_categories"]


def restricted(logits: Tensor, counts: Tensor) -> Tensor:
    """Returns log-probabilities of logits, of the first categories of each of some variables alone.

    Args:
        logits: (*batch, N, *, K, C).
        counts: (N,) or (R, M, S'), how many of the C there are.

    Example:
        >>> restricted(torch.zeros(2, 1, 1, 2), torch.tensor([1, 2])).exp().squeeze()
        tensor([[1.0000, 0.0000],
                [0.5000, 0.5000]])
    """
    logits = linalg.widen(logits)
    outside = torch.arange(logits.shape[-1]) >= counts.unsqueeze(-1)  # (..., N, C)
    outside = outside.unsqueeze(-2)
    if outside.dim() == 3 and logits.dim() >= 4:  # labels (T, R, K, C): one more before K
        outside = outside.unsqueeze(-3)
    masked = logits.masked_fill(outside.to(logits.device), -torch.inf)
    return masked.log_softmax(-1)


def slot_categories(regions: Regions) -> Tensor:  # (R, M, S')
    """Returns how many categories the variable of each slot has, 1 where there is none.

    Example:
        >>> slot_categories(Regions((((0, 1), (2,)),), categories=(2, 3, 4))).tolist()
        [[[2, 3], [4, 1]]]
    """
    counts = torch.tensor([*regions.categories, 1])
    return counts[regions.slots(continuous=False)]


def check_shapes(
    regions: Regions,
    gaussians: LowRankPrecisionNormal | None,
    sums: Sequence[Tensor],
    root: Tensor,
    choices: Tensor | None,
    labels: Tensor | None,
) -> list[Size]:
    """Returns the batch shapes of all parameters, which are described at `Circuit`.

    Raises:
        ValueError: If one does not fit the regions; it names it.

    Example:
        >>> one = LowRankPrecisionNormal(torch.zeros(1, 1, 3, 2), torch.ones(2))
        >>> regions = Regions((((0, 1),),), categories=(0, 0))
        >>> check_shapes(regions, one, [], torch.zeros(1, 4), None, None)
        Traceback (most recent call last):
            ...
        ValueError: expected gaussians of the shape (*batch, 1, 1, 4, 2), as the regions say; ...
    """
    trees, size, width = regions.trees, regions.size, root.shape[-1] if root.dim() else 0
    continuous, discrete = (regions.slots(kind).shape[-1] for kind in (True, False))
    most = max(regions.categories)
    parts: list[tuple[str, Size | None, tuple[int, ...], bool]] = [
        ("root", root.shape, (trees, width), True),
        (
            "gaussians",
            None if gaussians is None else gaussians.batch_shape + gaussians.event_shape,
            (trees, size, width, continuous),
            continuous > 0,
        ),
        (
            "choices",
            None if choices is None else choices.shape,
            (trees, size, discrete, width, most),
            discrete > 0,
        ),
        (
            "labels",
            None if labels is None else labels.shape,
            (len(regions.top), trees, width, most),
            bool(regions.top),
        ),
    ]
    if len(sums) != regions.depth:
        raise ValueError(f"expected logits of {regions.depth} levels of sums; found {len(sums)}.")
    for level, logits in enumerate(sums, 1):
        shape_of = (trees, size >> level, width, width)
        parts.append((f"sums[{level - 1}]", logits.shape, shape_of, True))
    batches = []
    for name, shape, own, there in parts:
        if there != (shape is not None) or (shape is not None and shape[-len(own) :] != own):
            found = "none" if shape is None else tuple(shape)
            expected = f"the shape (*batch, {', '.join(map(str, own))})" if there else "none"
            raise ValueError(f"expected {name} of {expected}, as the regions say; found {found}.")
        if shape is not None:
            batches.append(shape[: len(shape) - len(own)])
    return batches
