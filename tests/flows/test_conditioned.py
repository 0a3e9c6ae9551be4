"""Some columns of the context: which a flow sees, and which it does not."""

from functools import partial

import pytest
import torch

from seqmdn.flows import AffineCoupling, Conditioned, Sequential
from tests.contracts import perturbed


@pytest.mark.parametrize("columns", [[0, 3], [3, 0], range(1, 4, 2), []])
def test_it_sees_its_columns_and_no_other(columns: list[int] | range) -> None:
    flow = perturbed(Conditioned(3, 5, AffineCoupling, columns), 0.3)
    y, h = torch.randn(3), torch.randn(5)
    before = flow(h)(y)
    for column in range(5):
        moved = h.clone()
        moved[column] += 1
        assert torch.equal(flow(moved)(y), before) is (column not in columns)
    inner = flow.transforms[0]
    assert torch.equal(inner(h[list(columns)])(y), before)


def test_parts_of_a_chain_see_their_own() -> None:
    flow = perturbed(
        Sequential(
            2,
            3,
            [
                partial(Conditioned, flow=AffineCoupling, columns=[0]),
                partial(Conditioned, flow=AffineCoupling, columns=[]),
                AffineCoupling,
            ],
        )
    )
    assert [part.transforms[0].context for part in flow.transforms[:2]] == [1, 0]
    assert flow.transforms[2].context == 3
    y = torch.randn(4, 2)
    transform = flow(torch.randn(4, 3))
    torch.testing.assert_close(transform.inv(transform(y)), y, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ([5], r"columns 0 to 4, found \[5\]"),
        ([0, -1], r"columns 0 to 4, found \[-1\]"),
        (range(3, 7), r"found \[5, 6\]"),
        ([1, 2, 1], r"named once, found \[1\]"),
    ],
)
def test_columns_that_do_not_fit_are_refused(columns: list[int] | range, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Conditioned(3, 5, AffineCoupling, columns)


def test_a_shared_place_has_no_columns() -> None:
    with pytest.raises(ValueError, match=r"the context has none, found \[0\]"):
        Conditioned(3, 0, AffineCoupling, [0])
