"""A transform of some features; what every transform must pass is in test_transforms.py."""

from functools import partial

import pytest
import torch
from torch import Tensor

from seqmdn.data import Identity, Logit, Partial, Standardise, Transform


def frames(count: int) -> Tensor:
    """Two offsets and two bits."""
    offsets = torch.randn(count, 2, dtype=torch.float64) * torch.tensor([3.0, 0.1]) + 5
    return torch.cat((offsets, (torch.rand(count, 2) < 0.3).double()), dim=1)


def test_the_first_features_are_transformed_and_bits_stay_bits() -> None:
    values = frames(100)
    fitted = Partial(4).double().fit(values)
    alone = Standardise(2).double().fit(values[:, :2])
    z, ladj = fitted.call_and_ladj(values)
    expected, slope = alone.call_and_ladj(values[:, :2])
    torch.testing.assert_close(z[:, :2], expected)
    assert torch.equal(z[:, 2:], values[:, 2:]), "not one bit has moved"
    assert torch.equal(fitted.inverse(z)[:, 2:], values[:, 2:])
    torch.testing.assert_close(ladj, slope)
    torch.testing.assert_close(fitted.inverse(z), values)
    assert fitted.ladj() == alone.ladj()


@pytest.mark.parametrize("columns", [1, 3, 4])
def test_any_number_of_them(columns: int) -> None:
    values = frames(50)
    fitted = Partial(4, columns=columns).double().fit(values)
    changed = (fitted(values) != values).any(0)
    assert changed.tolist() == [d < columns for d in range(4)]
    assert len(fitted.first.mean) == columns and f"columns={columns}" in repr(fitted)


def test_what_is_missing_is_neither_fitted_nor_mapped() -> None:
    values, seen = frames(100), torch.rand(100, 4) < 0.6
    holed = values.where(seen, torch.nan)
    fitted = Partial(4).double().fit(holed, seen)
    alone = Standardise(2).double().fit(holed[:, :2], seen[:, :2])
    z, ladj = fitted.call_and_ladj(holed, seen)
    expected, slope = alone.call_and_ladj(holed[:, :2], seen[:, :2])
    torch.testing.assert_close(z[:, :2], expected)
    torch.testing.assert_close(ladj, slope)
    assert torch.equal(z[:, 2:], values[:, 2:].where(seen[:, 2:], 0))


@pytest.mark.parametrize(
    ("transform", "known"), [(Standardise, True), (partial(Logit, high=40), False)]
)
def test_one_slope_is_that_of_its_part(transform: type[Transform], known: bool) -> None:
    fitted = Partial(4, transform).double().fit(frames(50).clamp(0.01))
    assert (fitted.ladj() is not None) is known
    assert Partial(4, lambda _: Identity()).ladj() == 0.0


@pytest.mark.parametrize("columns", [0, -1, 5])
def test_a_number_of_columns_out_of_range_is_refused(columns: int) -> None:
    with pytest.raises(ValueError, match=f"between 1 and all 4 features, found {columns}"):
        Partial(4, columns=columns)
