"""One set of checks for every reversible transform, and what is special about each."""

import re
from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor

from seqmdn.data import Chain, Identity, Logit, Partial, Standardise, Transform

D = 3
MAKERS: dict[str, Callable[[], Transform]] = {
    "identity": Identity,
    "standardise": lambda: Standardise(D),
    "standardise shared": lambda: Standardise(D, shared=True),
    "logit": lambda: Logit(D, 0, 17),
    "logit of each": lambda: Logit(D, [-1.0, 0.0, 3.0], [18.0, 17.0, 30.0]),
    "chain": lambda: Chain([Standardise(D), Logit(D, -10, 10)]),
    "empty chain": lambda: Chain([]),
    "affine chain": lambda: Chain([Standardise(D, shared=True), Identity(), Standardise(D)]),
    "partial": lambda: Partial(D),
    "partial logit": lambda: Partial(D, partial(Logit, high=17), columns=1),
}


@pytest.fixture(params=MAKERS, ids=str)
def make(request: pytest.FixtureRequest) -> Callable[[], Transform]:
    return MAKERS[request.param]


def data(*batch: int, seed: int = 0) -> Tensor:  # (*batch, D)
    """Correlated values between 4 and 16, of unequal means and scales."""
    generator = torch.Generator().manual_seed(seed)
    u = torch.rand(*batch, D, generator=generator, dtype=torch.float64)
    return 4 + u * torch.tensor([1.0, 4.0, 12.0], dtype=torch.float64)


def test_log_determinant_is_that_of_autograds_jacobian(make: Callable[[], Transform]) -> None:
    transform = make().double().fit(data(50))
    for y in data(5, seed=1):
        jacobian = torch.autograd.functional.jacobian(transform, y)
        torch.testing.assert_close(transform.call_and_ladj(y)[1], jacobian.slogdet().logabsdet)


def test_one_log_determinant_is_given_where_it_is_the_same_everywhere(
    make: Callable[[], Transform],
) -> None:
    transform = make().double().fit(data(50))
    found = transform.ladj()
    slopes = torch.stack(
        [
            torch.autograd.functional.jacobian(transform, y).slogdet().logabsdet
            for y in data(5, seed=1)
        ]
    )
    if found is None:
        assert slopes.std() > 0.01, "it is the same everywhere, and not told"
    else:
        torch.testing.assert_close(slopes, torch.full_like(slopes, found))


@pytest.mark.parametrize("batch", [(), (4,), (2, 3)])
def test_shapes_and_inverse(make: Callable[[], Transform], batch: tuple[int, ...]) -> None:
    transform = make().double().fit(data(50))
    y = data(*batch, seed=1)
    z, ladj = transform.call_and_ladj(y)
    assert z.shape == y.shape and ladj.shape == batch
    torch.testing.assert_close(transform(y), z)
    torch.testing.assert_close(transform.inverse(z), y, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(transform.inv(z), y, rtol=1e-12, atol=1e-12)


def test_float32_agrees_with_float64(make: Callable[[], Transform]) -> None:
    y = data(1000).float()
    single, double = make().fit(y), make().double().fit(y.double())
    z, ladj = single.call_and_ladj(y)
    assert z.dtype == ladj.dtype == torch.float32
    expected, expected_ladj = double.call_and_ladj(y.double())
    torch.testing.assert_close(z.double(), expected, rtol=2e-5, atol=2e-5)
    torch.testing.assert_close(ladj.double(), expected_ladj, rtol=2e-5, atol=2e-5)
    torch.testing.assert_close(single.inverse(z), y, rtol=2e-5, atol=2e-5)


def test_what_was_fitted_is_saved_and_is_no_parameter(make: Callable[[], Transform]) -> None:
    fitted, fresh = make().fit(data(50).float()), make()
    assert not list(fitted.parameters())
    fresh.load_state_dict(fitted.state_dict())
    y = data(5, seed=1).float()
    for found, expected in zip(fresh.call_and_ladj(y), fitted.call_and_ladj(y), strict=True):
        torch.testing.assert_close(found, expected, rtol=0, atol=0)


def test_fit_ignores_what_was_fitted_before(make: Callable[[], Transform]) -> None:
    y = data(5, seed=1)
    once, twice = make().double().fit(data(50)), make().double().fit(data(20, seed=2))
    torch.testing.assert_close(twice.fit(data(50))(y), once(y), rtol=0, atol=0)


def test_gradients_pass_both_ways(make: Callable[[], Transform]) -> None:
    transform = make().double().fit(data(50))
    y = data(2, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(transform.call_and_ladj, y)
    assert torch.autograd.gradcheck(transform.inverse, transform(y).detach().requires_grad_())


@pytest.mark.parametrize("name", ["standardise", "logit", "logit of each", "chain"])
def test_fitted_frames_get_mean_0_and_deviation_1(name: str) -> None:
    values = data(200)
    z = MAKERS[name]().double().fit(values)(values)
    torch.testing.assert_close(z.mean(0), torch.zeros(D, dtype=torch.float64), atol=1e-9, rtol=0)
    torch.testing.assert_close(z.std(0, correction=0), torch.ones(D, dtype=torch.float64))


@pytest.mark.parametrize("name", ["standardise", "logit"])
def test_a_density_of_z_is_a_density_of_y(name: str) -> None:
    transform = {"standardise": Standardise(1), "logit": Logit(1, 0, 17)}[name].double()
    transform.fit(data(500)[:, :1])
    grid = torch.linspace(0, 17, 200_001, dtype=torch.float64)[1:-1, None]
    z, ladj = transform.call_and_ladj(grid)
    density = (torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(-1) + ladj).exp()
    assert density.sum().item() * 17 / 200_000 == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("value", [0.0, 0.1, 1e30, 1e-42])
def test_a_constant_feature_has_deviation_1(value: float) -> None:
    values = torch.full((1000, 2), value)
    values[:, 1] = torch.arange(1000)
    standardise = Standardise(2).fit(values)
    assert standardise.std[0].item() == 1
    z, ladj = standardise.call_and_ladj(values + 1)
    assert z.isfinite().all() and ladj.isfinite().all()


def test_deviations_below_float32_count_as_none() -> None:
    values = torch.tensor([[0.0], [1e-40]])
    assert Standardise(1).fit(values).std.item() == 1


def test_a_large_mean_does_not_drown_the_deviation() -> None:
    values = 30_000 + torch.arange(3).repeat(100)[:, None]  # mean 30,001, variance 2/3
    standardise = Standardise(1).fit(values.float())
    assert standardise.mean.item() == 30_001
    assert standardise.std.item() == pytest.approx((2 / 3) ** 0.5, rel=1e-6)


def test_half_precision_is_left_behind() -> None:
    standardise = Standardise(D).fit(data(50).float())
    logit = Logit(D, 0, 17).fit(data(50).float())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        for transform in (standardise, logit):
            for result in transform.call_and_ladj(data(4, seed=1).bfloat16()):
                assert result.dtype == torch.float32


@pytest.mark.parametrize(
    ("low", "high"), [(0.0, 17.0), (0.0, 256.0), (-1.0, 1.0), (0.0, 1.0), (3.0, 4.0)]
)
def test_logit_is_exact_up_to_the_last_number_before_a_border(low: float, high: float) -> None:
    borders = torch.tensor([low, high])
    last = torch.nextafter(borders, borders.flip(0))
    y = torch.cat([last, low + (high - low) * torch.tensor([1e-6, 0.3, 0.999])])[:, None]
    z, ladj = Logit(1, low, high).call_and_ladj(y)
    exact = y.double()
    above, below = (exact - low).log(), (high - exact).log()
    torch.testing.assert_close(z.double(), above - below, rtol=5e-7, atol=1e-6)
    expected = (torch.tensor(high - low).double().log() - above - below)[:, 0]
    torch.testing.assert_close(ladj.double(), expected, rtol=5e-7, atol=1e-6)
    torch.testing.assert_close(Logit(1, low, high).inverse(z), y, rtol=1e-6, atol=0)


@pytest.mark.parametrize(("low", "high"), [(0.0, 17.0), (-1.0, 1.0), (100.0, 101.0)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_logit_never_returns_a_border(low: float, high: float, dtype: torch.dtype) -> None:
    logit = Logit(1, low, high).to(dtype)
    z = torch.tensor([[-1e4], [-200.0], [-30.0], [30.0], [200.0], [1e4]], dtype=dtype)
    y = logit.inverse(z)
    assert (y > low).all() and (y < high).all()
    assert logit(y).isfinite().all()


@pytest.mark.parametrize("bad", [0.0, 17.0, -1.0, 20.0, float("nan")])
def test_logit_names_the_frame_that_is_not_inside(bad: float) -> None:
    y = data(2, 4).float()
    y[1, 2, 0] = bad
    with pytest.raises(
        ValueError, match=rf"inside \(0, 17\), found {bad:.9g} at frame \(1, 2\), f"
    ) as e:
        Logit(D, 0, 17).call_and_ladj(y)
    assert "feature 0 (1 such values)" in str(e.value) and "\n" not in str(e.value)
    with pytest.raises(ValueError, match="at frame 2, feature 0"):
        Logit(D, 0, 17).fit(y[1].nan_to_num(0))


@pytest.mark.parametrize(
    ("low", "high", "message"),
    [
        (1.0, 1.0, "low below high"),
        ([0.0, 0.0, 5.0], 2.0, "low below high"),
        ([0.0, 0.0], 2.0, "low to be one finite number or 3"),
        (0.0, float("inf"), "high to be one finite number or 3"),
    ],
)
def test_logit_refuses_borders_that_are_none(
    low: float | list[float], high: float, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Logit(D, low, high)


@pytest.mark.parametrize(
    "transform", [Standardise(D), Logit(D, 0, 17)], ids=["standardise", "logit"]
)
@pytest.mark.parametrize("shape", [(D,), (4, 5), (2, 4, D), (0, D)])
def test_fit_says_which_shape_it_expects(transform: Transform, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=re.escape(f"shape (N, 3), found {shape}")):
        transform.fit(torch.ones(shape))


def test_fit_names_the_frame_that_is_not_finite() -> None:
    values = data(5)
    values[3, 1] = float("inf")
    with pytest.raises(ValueError, match="found inf at frame 3, feature 1"):
        Standardise(D).fit(values)


def test_standardisers_of_another_width_are_not_loaded() -> None:
    with pytest.raises(RuntimeError, match="size mismatch for mean"):
        Standardise(2).load_state_dict(Standardise(3).state_dict())


def test_chain_applies_the_first_map_to_the_data() -> None:
    y = torch.tensor([[2.0]])
    first, second = Logit(1, 0, 17), Standardise(1)
    second.mean.fill_(3)
    torch.testing.assert_close(Chain([first, second])(y), second(first(y)))


def test_what_is_missing_is_neither_mapped_nor_counted(make: Callable[[], Transform]) -> None:
    seen = torch.rand(50, D, generator=torch.Generator().manual_seed(3)) < 0.5
    values = data(50)
    transform = make().double().fit(values.where(seen, torch.nan), seen)
    z, ladj = transform.call_and_ladj(values.where(seen, torch.nan), seen)
    assert (z[~seen] == 0).all()
    whole = values.requires_grad_()
    mapped = transform(whole)
    torch.testing.assert_close(z[seen], mapped[seen])
    slopes = torch.autograd.grad(mapped.sum(), whole)[0].log()
    torch.testing.assert_close(ladj, slopes.where(seen, 0).sum(-1))
    # What stands in the gaps reaches no gradient.
    holed = values.detach().where(seen, torch.nan).requires_grad_()
    z, ladj = transform.call_and_ladj(holed, seen)
    (gradient,) = torch.autograd.grad(z.sum() + ladj.sum(), holed)
    assert (gradient[~seen] == 0).all() and (gradient[seen] != 0).all()


def test_all_observed_is_what_it_was(make: Callable[[], Transform]) -> None:
    seen = torch.ones(50, D, dtype=torch.bool)
    plain, masked = make().double().fit(data(50)), make().double().fit(data(50), seen)
    y = data(50, seed=1)
    for found, expected in zip(masked.call_and_ladj(y, seen), plain.call_and_ladj(y), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-14, atol=1e-14)


def test_shared_standardise_has_one_scale_for_all_values() -> None:
    values = data(200)
    standardise = Standardise(D, shared=True).double().fit(values)
    z, ladj = standardise.call_and_ladj(values)
    assert z.mean().item() == pytest.approx(0, abs=1e-9)
    assert z.std(correction=0).item() == pytest.approx(1)
    assert standardise.mean.shape == standardise.std.shape == (D,)
    assert len(standardise.mean.unique()) == len(standardise.std.unique()) == 1
    expected = -D * values.std(correction=0).log()
    torch.testing.assert_close(ladj, expected.expand(200), rtol=1e-12, atol=0)
    seen = torch.rand(200, D) < 0.5
    standardise.fit(values.where(seen, torch.nan), seen)
    torch.testing.assert_close(standardise.mean, values[seen].mean().expand(D))
    torch.testing.assert_close(standardise.std, values[seen].std(correction=0).expand(D))


def test_standardise_is_fitted_to_what_was_observed() -> None:
    values, seen = data(200), torch.rand(200, D) < 0.5
    seen[:, 2] = False
    standardise = Standardise(D).double().fit(values.where(seen, torch.inf), seen)
    for d in range(2):
        known = values[seen[:, d], d]
        torch.testing.assert_close(standardise.mean[d], known.mean())
        torch.testing.assert_close(standardise.std[d], known.std(correction=0))
    assert standardise.mean[2] == 0 and standardise.std[2] == 1
    with pytest.raises(ValueError, match="expected finite values, found inf at frame"):
        standardise.fit(values.where(seen, torch.inf))
    for wrong in (seen.double(), seen[:, :2]):
        with pytest.raises(ValueError, match=r"observed to be boolean of shape \(200, 3\), found"):
            standardise.fit(values, wrong)
