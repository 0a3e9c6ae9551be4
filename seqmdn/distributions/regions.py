"""Which variables a circuit puts together, and in which order: regions of a binary tree."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

__all__ = ["Regions", "halved_regions", "random_regions"]


@dataclass(frozen=True)
class Regions:
    r"""Holds, for each of R trees, :math:`M = 2^\text{depth}` disjoint sets of variables, its leaf
    regions; regions 2 i and 2 i + 1 of one level are the parts of region i of the level above.

    Args:
        leaves: R tuples of M tuples of columns 0 <= d < D.
        categories: of each of D columns how many categories 0, 1, ... it has, 0 for a continuous
            one.
        top: columns with categories that stand in no tree but beside the whole of each: a class.

    Raises:
        ValueError: If the trees do not have each other column once, or as many regions each, a
            power of 2.

    Example:
        >>> regions = Regions((((0, 1), (2,)),), categories=(0, 0, 0, 3), top=(3,))
        >>> regions.depth, regions.slots(continuous=True).tolist()  # 4 is none
        (1, [[[0, 1], [2, 4]]])
    """

    leaves: tuple[tuple[tuple[int, ...], ...], ...]
    categories: tuple[int, ...]
    top: tuple[int, ...] = ()
    _tables: dict[bool, Tensor] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        expected = sorted(set(range(self.features)) - set(self.top))
        counts = {len(tree) for tree in self.leaves}
        for tree in self.leaves:
            if sorted(column for region in tree for column in region) != expected:
                raise ValueError(
                    f"expected each tree to hold the columns {_short(expected)} once; found {tree}."
                )
        if len(counts) != 1 or (count := counts.pop()) & (count - 1):
            raise ValueError(
                "expected one tree or more, of as many leaf regions each, a power of 2; found"
                f" {[len(tree) for tree in self.leaves]}."
            )
        if any(self.categories[column] < 1 for column in self.top):
            raise ValueError(
                f"expected columns with categories at the top, found {self.top} of the categories"
                f" {self.categories}: continuous ones belong into the trees."
            )

    @property
    def features(self) -> int:
        """The number of columns D."""
        return len(self.categories)

    @property
    def trees(self) -> int:
        """The number of trees R."""
        return len(self.leaves)

    @property
    def size(self) -> int:
        """The number of leaf regions M of a tree."""
        return len(self.leaves[0])

    @property
    def depth(self) -> int:
        """The number of products between a leaf region and the whole."""
        return self.size.bit_length() - 1

    def slots(self, continuous: bool) -> Tensor:  # (R, M, S)
        """Returns the columns of each leaf region, of one kind, D where it has fewer than S."""
        if continuous not in self._tables:
            rows = [
                [[d for d in region if (not self.categories[d]) == continuous] for region in tree]
                for tree in self.leaves
            ]
            most = max(len(region) for tree in rows for region in tree)
            padded = [[r + [self.features] * (most - len(r)) for r in tree] for tree in rows]
            self._tables[continuous] = torch.tensor(padded).reshape(self.trees, self.size, most)
        return self._tables[continuous]

    def place(self, column: int) -> tuple[Tensor, Tensor]:  # (R,), (R,)
        """Returns in which leaf region of each tree a column is, and in which slot of its kind."""
        found = (self.slots(not self.categories[column]) == column).nonzero()
        return found[:, 1], found[:, 2]

    def __reduce__(self) -> tuple[type[Regions], tuple[object, ...]]:
        return Regions, (self.leaves, self.categories, self.top)


def random_regions(
    categories: Sequence[int],
    depth: int,
    trees: int = 1,
    top: Sequence[int] = (),
    seed: int = 0,
) -> Regions:
    """Returns trees that split the columns in random halves, again and again.

    Args:
        categories: as of `Regions`.
        depth: how often; less where there are too few columns for it.
        trees: R.
        top: as of `Regions`.
        seed: of the permutations.

    References:
        Random Sum-Product Networks: A Simple and Effective Approach to Probabilistic Deep Learning
        (Peharz et al., 2019).

    Example:
        >>> random_regions([0] * 4, depth=1, trees=2).leaves
        (((0, 1), (2, 3)), ((0, 2), (1, 3)))
    """
    columns = [d for d in range(len(categories)) if d not in set(top)]
    if not columns or depth < 0 or trees < 1:
        raise ValueError(
            "expected at least one column in the trees, a depth of 0 or more and one tree or more;"
            f" found {len(columns)}, {depth} and {trees}."
        )
    parts = 2 ** min(depth, int(math.log2(len(columns))))
    generator = torch.Generator().manual_seed(seed)
    leaves = []
    for _ in range(trees):
        order = torch.tensor(columns)[torch.randperm(len(columns), generator=generator)]
        leaves.append(tuple(tuple(sorted(p.tolist())) for p in order.tensor_split(parts)))
    return Regions(tuple(leaves), tuple(categories), tuple(top))


def halved_regions(
    height: int, width: int, categories: Sequence[int], depth: int, top: Sequence[int] = ()
) -> Regions:
    """Returns two trees that halve an image again and again, its height first, or its width.

    Args:
        height: of the image, whose pixels are the first columns, row by row.
        width: of the image.
        categories: as of `Regions`.
        depth: how often.
        top: the columns behind the pixels, all of them.

    References:
        Sum-Product Networks: A New Deep Architecture (Poon, Domingos, 2011), for images.

    Example:
        >>> halved_regions(2, 2, [0] * 4, depth=1).leaves
        (((0, 1), (2, 3)), ((0, 2), (1, 3)))
    """
    if 2**depth > height * width:
        raise ValueError(
            f"expected a depth at which each of {height} x {width} pixels is a region at most,"
            f" found {depth}: choose a smaller one"
        )
    image = torch.arange(height * width).reshape(height, width)
    leaves = []
    for first in (0, 1):
        parts = [(image, first)]
        for _ in range(depth):
            parts = [half for part, way in parts for half in _halves(part, way)]
        leaves.append(tuple(tuple(part.flatten().tolist()) for part, _ in parts))
    return Regions(tuple(leaves), tuple(categories), tuple(top))


def _halves(part: Tensor, way: int) -> list[tuple[Tensor, int]]:
    way = way if part.shape[way] > 1 else 1 - way
    return [(half, 1 - way) for half in part.tensor_split(2, dim=way)]


def _short(columns: list[int]) -> str:
    return f"{columns}" if len(columns) < 20 else f"0 to {columns[-1]}"
