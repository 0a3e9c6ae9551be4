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


def test_the_others_may_have_a_transform_of_their_own() -> None:
    """A world model's frame: latents, a reward, a bit that stays one."""
    values = torch.cat((frames(100)[:, :2], 7 + 3 * torch.randn(100, 1), frames(100)[:, 3:]), dim=1)
    reward = partial(Partial, columns=1)
    fitted = Partial(4, partial(Logit, low=-20.0, high=40.0), rest=reward).double().fit(values)
    z, ladj = fitted.call_and_ladj(values)
    first = Logit(2, -20.0, 40.0).double().fit(values[:, :2])
    second = Standardise(1).double().fit(values[:, 2:3])
    parts = [first.call_and_ladj(values[:, :2]), second.call_and_ladj(values[:, 2:3])]
    torch.testing.assert_close(z[:, :2], parts[0][0])
    torch.testing.assert_close(z[:, 2:3], parts[1][0])
    assert torch.equal(z[:, 3], values[:, 3]), "not one bit has moved"
    torch.testing.assert_close(ladj, parts[0][1] + parts[1][1])
    torch.testing.assert_close(fitted.inverse(z), values)
    assert fitted.ladj() is None, "the slope of a logit is not the same everywhere"
    affine = Partial(4, rest=reward).double().fit(values)
    assert affine.ladj() == Standardise(3).double().fit(values[:, :3]).ladj()
    seen = torch.rand(100, 4) < 0.6
    z, ladj = affine.call_and_ladj(values.where(seen, torch.nan), seen)
    assert (z[~seen] == 0).all() and ladj.isfinite().all()
