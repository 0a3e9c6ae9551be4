from __future__ import annotations

import math
import re

import pytest
import torch

from seqmdn.distributions.parameters import check_parameters, common_shape


@pytest.mark.parametrize(
    ("shapes", "expected"),
    [
        (((3,), (3,), (3, 0)), ((), 3)),
        (((4, 3), (3,), (3, 2)), ((4,), 3)),
        (((2, 1, 5), (4, 5), (1, 1, 5, 7)), ((2, 4), 5)),
    ],
)
def test_what_the_three_share(
    shapes: tuple[tuple[int, ...], ...], expected: tuple[tuple[int, ...], int]
) -> None:
    batch, features = common_shape(*(torch.ones(shape) for shape in shapes))
    assert (tuple(batch), features) == expected


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        (((), (3,), (3, 1)), "found loc (), diagonal (3,), factor (3, 1)."),
        (((3,), (4,), (3, 1)), "with one D; found loc (3,), diagonal (4,), factor (3, 1)."),
        (((3,), (3,), (3,)), "found loc (3,), diagonal (3,), factor (3,)."),
        (((2, 3), (5, 3), (3, 1)), "that broadcast; found loc (2, 3), diagonal (5, 3)"),
    ],
)
def test_what_shares_no_shape_is_printed(shapes: tuple[tuple[int, ...], ...], message: str) -> None:
    with pytest.raises(ValueError, match=r"^expected loc \(\*batch, D\)") as caught:
        common_shape(*(torch.ones(shape) for shape in shapes))
    assert message in str(caught.value)


def test_a_parameter_that_is_wrong_is_named() -> None:
    good = {"loc": torch.zeros(2, 3), "diagonal": torch.ones(2, 3), "factor": torch.ones(2, 3, 1)}
    check_parameters(**good)
    check_parameters(**good | {"factor": torch.ones(2, 3, 0)})
    for name in good:
        wrong = {key: value.clone() for key, value in good.items()}
        wrong[name][1, 2] = math.nan
        shape = tuple(good[name].shape)
        with pytest.raises(
            ValueError, match=re.escape(f"{name} holds 1 NaN in 6 values, shape {shape}")
        ):
            check_parameters(**wrong)
    for value in (0.0, -1.0):
        diagonal = torch.tensor([1.0, value, 2.0])
        with pytest.raises(ValueError, match=f"positive; found a minimum of {value:.6g}, shape"):
            check_parameters(torch.zeros(3), diagonal, torch.zeros(3, 0))


def test_infinities_of_both_signs_are_no_nan() -> None:
    loc = torch.tensor([math.inf, -math.inf])
    check_parameters(loc, torch.ones(2), torch.zeros(2, 0))
    with pytest.raises(ValueError, match="positive"):
        check_parameters(loc, torch.tensor([1.0, -1.0]), torch.zeros(2, 0))


def test_nothing_at_all_is_nothing_wrong() -> None:
    check_parameters(torch.zeros(0, 3), torch.zeros(0, 3), torch.zeros(0, 3, 2))
