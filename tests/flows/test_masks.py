"""Masks: which features couplings keep, and what is refused."""

import pytest
import torch

from seqmdn.flows import AffineCoupling, SplineCoupling
from seqmdn.flows.masks import coupling_masks


def rows(*arguments: object, **options: object) -> list[list[int]]:
    return [mask.int().tolist() for mask in coupling_masks(*arguments, **options)]


def test_rules() -> None:
    assert rows(5, 3) == [[1, 0, 1, 0, 1], [0, 1, 0, 1, 0], [1, 0, 1, 0, 1]]
    assert rows(5, 2, "half") == [[1, 1, 1, 0, 0], [0, 0, 0, 1, 1]]
    assert rows(8, 1, "checkerboard", shape=[2, 4]) == [[1, 0, 1, 0, 0, 1, 0, 1]]
    # Two rows of two fields with two channels: the channels alternate as well.
    assert rows(8, 1, "checkerboard", shape=[2, 2, 2]) == [[1, 0, 0, 1, 0, 1, 1, 0]]
    assert rows(6, 2, "checkerboard", shape=[6]) == rows(6, 2)
    assert rows(3, 2, [[2], [0, 1]]) == [[1, 1, 0], [0, 0, 1]]


@pytest.mark.parametrize("mask", ["alternating", "half", "random", "checkerboard"])
@pytest.mark.parametrize("features", [2, 3, 6, 31])
def test_the_second_of_a_pair_moves_what_the_first_keeps(mask: str, features: int) -> None:
    shape = [1, features] if mask == "checkerboard" else None
    masks = coupling_masks(features, 5, mask, shape)
    for first, second in zip(masks[::2], masks[1::2], strict=False):
        assert torch.equal(first, ~second)
        assert abs(2 * int(first.sum()) - features) <= 1


def test_random_masks_follow_their_seed_alone() -> None:
    before = torch.get_rng_state()
    one = rows(10, 6, "random", seed=3)
    assert torch.equal(before, torch.get_rng_state())
    torch.manual_seed(9)
    assert one == rows(10, 6, "random", seed=3) != rows(10, 6, "random", seed=4)
    assert len({tuple(row) for row in one[::2]}) == 3, "every pair is drawn anew"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mask": "checkers"}, "'checkerboard' or a list of .*found 'checkers'"),
        ({"mask": "checkerboard"}, "needs the shape of a frame"),
        ({"mask": "checkerboard", "shape": [2, 3]}, r"give 4 in their product, found .*\[2, 3\]"),
        ({"mask": "checkerboard", "shape": [-2, -2]}, "give 4 in their product"),
        ({"mask": "checkerboard", "shape": []}, "give 4 in their product"),
        ({"shape": [2, 2]}, "shape is for mask='checkerboard'"),
        ({"mask": [[0, 1], [1, 2]]}, r"no coupling moves the features \[3\]"),
        ({"mask": [[0, 1], [2, 3]], "transforms": 3}, None),
        ({"mask": [[0, 1, 2], [3], [1]]}, None),
        ({"mask": [[0], [1, 2, 3]], "transforms": 1}, None),
        ({"mask": [[0, 4], [1]]}, r"features 0 to 3, .*found \[0, 4\] for coupling 0"),
        ({"mask": [[-1], [1]]}, r"found \[-1\]"),
        ({"mask": [[0, 0], [1]]}, r"each named once, .*found \[0, 0\]"),
        ({"mask": [[0, 1, 2, 3], [1]]}, "not all of them"),
        ({"mask": [[0, 1], []]}, r"found \[\] for coupling 1"),
        ({"mask": []}, r"found \[\] for coupling 0"),
    ],
)
@pytest.mark.parametrize("make", [AffineCoupling, SplineCoupling])
def test_what_does_not_fit_is_said(make: type, options: dict, message: str | None) -> None:
    if message is None:
        make(4, **options)
        return
    with pytest.raises(ValueError, match=message):
        make(4, **options)
