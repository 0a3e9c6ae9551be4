"""Which features of a frame a mask or a list names, and what is refused."""

import numpy as np
import pytest
import torch

from seqmdn.distributions.features import check_event, select_features, split_features


@pytest.mark.parametrize("observed", [[True, False, True], torch.tensor([True, False, True])])
def test_a_mask_splits_the_features_in_their_order(observed: object) -> None:
    assert split_features(torch.as_tensor(observed), 3) == ([1], [0, 2])


def test_nothing_observed_leaves_all() -> None:
    assert split_features(torch.zeros(4, dtype=torch.bool), 4) == ([0, 1, 2, 3], [])


@pytest.mark.parametrize(
    ("observed", "message"),
    [
        (torch.tensor([1, 0, 0]), "boolean mask"),
        (torch.tensor([True, False]), r"found .* shape \(2,\)"),
        (torch.zeros(2, 3, dtype=torch.bool), r"shape \(2, 3\)"),
        (torch.ones(3, dtype=torch.bool), "nothing is left"),
    ],
)
def test_a_mask_that_does_not_fit_is_refused(observed: torch.Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        split_features(observed, 3)


@pytest.mark.parametrize("indices", [[2, 0], (2, 0), torch.tensor([2, 0]), np.array([2, 0])])
def test_indices_keep_the_order_given(indices: list[int]) -> None:
    chosen = select_features(indices, 3)
    assert chosen == [2, 0] and all(type(index) is int for index in chosen)


@pytest.mark.parametrize(
    ("indices", "message"),
    [
        ([], "at least one"),
        ([0, 3], r"found \[3\]"),
        ([-1], "negative"),
        ([1, 1], "distinct"),
        (torch.tensor([True, False, True]), "boolean mask"),
    ],
)
def test_indices_that_do_not_fit_are_refused(indices: list[int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        select_features(indices, 3)


def test_an_index_is_a_whole_number() -> None:
    with pytest.raises(TypeError):
        select_features([0.5], 3)  # type: ignore[list-item]


@pytest.mark.parametrize("shape", [(3,), (2, 3), (4, 2, 3)])
def test_a_frame_fits(shape: tuple[int, ...]) -> None:
    check_event(torch.zeros(shape), 3)


@pytest.mark.parametrize("shape", [(), (1,), (3, 1), (3, 4)])
def test_a_frame_of_another_width_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"values must have the shape \(\.\.\., 3\)"):
        check_event(torch.zeros(shape), 3, "values")
