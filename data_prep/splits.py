"""Which part of a data set is for training, for validation and for the test, by a seed."""

from __future__ import annotations

__all__ = ["parse_shares", "split_classes", "split_last", "split_percent", "split_shares"]

import argparse
import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqmdn.data import SPLITS


def split_classes(
    classes: NDArray[Any], shares: Sequence[float], seed: int
) -> list[str]:  # (N,) words
    """Gives each row its split, so that each class has the same shares, by the seed.

    Args:
        classes: (N,).
        shares: Of training and validation; the rest is for the test.
        seed: Of the permutation of each class.

    Example:
        >>> split_classes(np.array([0, 0, 1, 1]), (0.5, 0.0), seed=0)
        ['train', 'test', 'train', 'test']
    """
    rng = np.random.default_rng(seed)
    splits = np.empty(len(classes), dtype=object)
    for each in np.unique(classes):
        members = rng.permutation(np.flatnonzero(classes == each))
        ends = np.rint(np.cumsum(shares) * len(members)).astype(int)
        for split, part in zip(SPLITS, np.split(members, ends), strict=True):
            splits[part] = split
    return list(splits)


def split_last(count: int, valid: int, test: int) -> list[str]:
    """Gives each of some sequences its split by its place: train, then valid, the last ones test.

    Example:
        >>> split_last(4, valid=1, test=2)
        ['train', 'valid', 'test', 'test']
    """
    return ["train"] * (count - valid - test) + ["valid"] * valid + ["test"] * test


def split_shares(
    names: Sequence[str], seed: int, train: float = 0.8, valid: float = 0.1
) -> dict[str, str]:
    """Gives each name a split, by a permutation that follows from the seed; the rest is the test.

    Example:
        >>> split_shares(["a", "b", "c", "d"], seed=0, train=0.5, valid=0.25)
        {'c': 'train', 'a': 'train', 'b': 'valid', 'd': 'test'}
    """
    order = np.random.default_rng(seed).permutation(len(names))
    ends = np.rint(np.cumsum([train, valid]) * len(names))
    return {
        names[place]: "train" if rank < ends[0] else "valid" if rank < ends[1] else "test"
        for rank, place in enumerate(order)
    }


def split_percent(names: Iterable[str], seed: int, shares: Sequence[float]) -> dict[str, str]:
    """Gives each name a split by shares in percent; the order that they come in plays no part.

    Raises:
        ValueError: If a share of more than 0 would be empty.

    Example:
        >>> split_percent(["b", "a", "d", "c"], seed=0, shares=(50, 25, 25))
        {'c': 'train', 'a': 'train', 'b': 'valid', 'd': 'test'}
    """
    listed = sorted(names)
    splits = split_shares(listed, seed, shares[0] / 100, shares[1] / 100)
    for split, share in zip(SPLITS, shares, strict=True):
        if share and split not in splits.values():
            raise ValueError(
                f"expected enough to split by {'/'.join(f'{each:g}' for each in shares)} percent, "
                f"found {len(listed)}, none for {split}"
            )
    return splits


def parse_shares(word: str) -> tuple[float, ...]:
    """Reads three percentages such as 80,10,10, for ``argparse``.

    Raises:
        argparse.ArgumentTypeError: If they are not three that sum to 100.
    """
    try:
        shares = tuple(float(part) for part in word.split(","))
    except ValueError:
        shares = ()
    if len(shares) != 3 or min(shares) < 0 or not math.isclose(sum(shares), 100):
        raise argparse.ArgumentTypeError(
            f"expected three shares that sum to 100, such as 80,10,10, found {word!r}"
        )
    return shares
