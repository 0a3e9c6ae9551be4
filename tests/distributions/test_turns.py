"""The order of features: there and back, and what lies at its front."""

from __future__ import annotations

import pytest
import torch

from seqmdn.distributions.turns import Turns

TURNS = Turns([4, 1, 3, 0, 5, 2], group=2)


def test_there_and_back() -> None:
    frames = torch.randn(2, 3, 6)
    ordered = TURNS.ordered(frames)
    assert torch.equal(ordered[..., 0], frames[..., 4])
    assert torch.equal(TURNS.restored(ordered), frames)
    assert not torch.equal(TURNS.ordered(ordered), frames)  # no order that is its own inverse
    grouped = TURNS.grouped(ordered)
    assert grouped.shape == (2, 3, TURNS.groups, 2) == (2, 3, 3, 2)
    assert torch.equal(grouped[..., 1, :], frames[..., [3, 0]])


@pytest.mark.parametrize(
    ("order", "group", "message"),
    [
        ([0, 0], 1, r"each of the features 0 to 1 once; found \[0, 0\]"),
        ([1, 2], 1, r"each of the features 0 to 1 once; found \[1, 2\]"),
        ([2, 0, 1], 2, "one size that divides the 3 features; found 2"),
        ([1, 0], 0, "one size that divides the 2 features; found 0"),
    ],
)
def test_an_order_that_is_none(order: list[int], group: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Turns(order, group)


@pytest.mark.parametrize(
    ("known", "front"), [([], []), ([1, 4], [4, 1]), ([0, 1, 3, 4], [4, 1, 3, 0])]
)
def test_whole_groups_lie_at_the_front(known: list[int], front: list[int]) -> None:
    assert TURNS.front(known) == front


@pytest.mark.parametrize("known", [[4], [3, 0], [1, 4, 3], [0, 1, 2, 4]])
def test_anything_else_does_not(known: list[int]) -> None:
    with pytest.raises(NotImplementedError, match=r"condition .* its order \[4, 1, 3, 0, 5, 2\]"):
        TURNS.front(known)


@pytest.mark.parametrize(
    "seen",
    [
        [[0, 0], [0, 0], [0, 0]],
        [[0, 1], [0, 0], [0, 0]],
        [[1, 1], [1, 0], [0, 0]],
        [[1, 1], [1, 1], [1, 1]],
    ],
)
def test_a_frame_may_end_within_a_group(seen: list[list[int]]) -> None:
    TURNS.check_no_gap(torch.tensor(seen).bool())


@pytest.mark.parametrize(
    "seen",
    [[[0, 1], [1, 0], [0, 0]], [[1, 1], [1, 0], [0, 1]], [[0, 0], [0, 0], [1, 1]]],
)
def test_a_gap_is_refused_wherever_it_is(seen: list[list[int]]) -> None:
    frames = torch.stack((torch.ones(3, 2).bool(), torch.tensor(seen).bool()))
    with pytest.raises(NotImplementedError, match=r"log_prob of some features \(a mask\)"):
        TURNS.check_no_gap(frames)
