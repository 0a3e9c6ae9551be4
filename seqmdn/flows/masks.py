"""Which features a coupling moves, and which it looks at."""

from collections.abc import Sequence
from math import prod
from typing import Literal

import torch
from torch import Tensor

__all__ = ["Mask", "coupling_masks"]

Mask = Literal["alternating", "half", "random", "checkerboard"]


def coupling_masks(
    features: int,
    transforms: int,
    mask: Mask | Sequence[Sequence[int]] = "alternating",
    shape: Sequence[int] | None = None,
    seed: int = 0,
) -> list[Tensor]:
    r"""Return what each coupling keeps, True, and what it moves, False: (D,) each.

    Couplings come in pairs: the second of a pair moves what the first keeps, so that two couplings
    move every feature, whatever the mask.

    - ``"alternating"``: the first keeps the features 0, 2, 4, ...
    - ``"half"``: the first keeps the first half; of an odd number, the larger half.
    - ``"random"``: the first keeps half of the features, drawn anew for each pair.
    - ``"checkerboard"``: a frame is an array of the given shape, row by row with the last axis
      innermost, and the first coupling keeps the fields of which the indices have an even sum:
      each feature is moved given its neighbours along every axis.
    - a list of lists: the features that each coupling moves, from the front again after the last.

    Args:
        features: Number of features D.
        transforms: Number of couplings.
        mask: The rule, or the features that each coupling moves.
        shape: Sizes of the axes of a frame, D in their product, for ``"checkerboard"``.
        seed: Of ``"random"``; the global generator is left alone.

    Raises:
        ValueError: If D < 2, the shape does not fit, or listed features are out of range, twice in
            a list, all of them in one list or, by two couplings or more, left untouched.

    References:
        Density estimation using Real NVP (Dinh, Sohl-Dickstein, Bengio, 2017), for checkerboards.

    Example:
        >>> [mask.int().tolist() for mask in coupling_masks(6, 2, "checkerboard", shape=(2, 3))]
        [[1, 0, 1, 0, 1, 0], [0, 1, 0, 1, 0, 1]]
        >>> [mask.int().tolist() for mask in coupling_masks(3, 2, [[0, 1], [2]])]
        [[0, 0, 1], [1, 1, 0]]
    """
    if features < 2:
        raise ValueError(
            f"a coupling needs at least 2 features, found {features}: "
            "use MaskedAutoregressive for one feature"
        )
    if shape is not None and mask != "checkerboard":
        raise ValueError(f"shape is for mask='checkerboard'; with {mask!r} leave it out")
    if not isinstance(mask, str):
        return _listed(features, transforms, mask)
    place = torch.arange(features)
    if mask == "alternating":
        first = place % 2 == 0
    elif mask == "half":
        first = place < (features + 1) // 2
    elif mask == "checkerboard":
        first = _checkerboard(features, shape)
    elif mask == "random":
        generator = torch.Generator().manual_seed(seed)
        pairs = [
            torch.randperm(features, generator=generator) % 2 == 0
            for _ in range((transforms + 1) // 2)
        ]
        return [pairs[i // 2] if i % 2 == 0 else ~pairs[i // 2] for i in range(transforms)]
    else:
        raise ValueError(
            "mask must be 'alternating', 'half', 'random', 'checkerboard' or a list of the "
            f"features that each coupling moves, found {mask!r}"
        )
    return [first if i % 2 == 0 else ~first for i in range(transforms)]


def _checkerboard(features: int, shape: Sequence[int] | None) -> Tensor:  # (D,)
    if shape is None:
        raise ValueError(
            "mask='checkerboard' needs the shape of a frame: shape=[rows, columns], "
            f"with {features} in their product"
        )
    if min(shape, default=0) < 1 or prod(shape) != features:
        raise ValueError(
            f"a checkerboard of {features} features needs sizes that give {features} in their "
            f"product, found shape {list(shape)}"
        )
    axes = torch.meshgrid(*(torch.arange(size) for size in shape), indexing="ij")
    return torch.stack(axes).sum(dim=0).flatten() % 2 == 0


def _listed(features: int, transforms: int, moved: Sequence[Sequence[int]]) -> list[Tensor]:
    masks = []
    for number in range(transforms):
        columns = list(moved[number % len(moved)]) if moved else []
        outside = [column for column in columns if not 0 <= column < features]
        if outside or len(set(columns)) < len(columns) or not 0 < len(columns) < features:
            raise ValueError(
                f"a coupling moves some of the features 0 to {features - 1}, each named once, and "
                f"not all of them; found {columns} for coupling {number}"
            )
        mask = torch.ones(features, dtype=torch.bool)
        mask[columns] = False
        masks.append(mask)
    untouched = torch.stack(masks).all(dim=0).nonzero().flatten().tolist()
    if transforms > 1 and untouched:
        raise ValueError(
            f"no coupling moves the features {untouched}: name each of the {features} in a list, "
            "and have as many couplings as lists"
        )
    return masks
