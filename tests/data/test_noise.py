"""Where draws may lie, how they are distributed, and the entropy that is claimed for them."""

import numpy as np
import pytest
from scipy import stats

from seqmdn.data import GaussianLatents, Noise, UniformDequantise


class Extreme(np.random.Generator):
    """Draws the smallest or the largest integers it is allowed to."""

    def __init__(self, largest: bool) -> None:
        super().__init__(np.random.PCG64(0))
        self.largest = largest

    def integers(self, low: int, high: int, size: tuple[int, ...]) -> np.ndarray:
        return np.full(size, high - 1 if self.largest else low)


@pytest.mark.parametrize("largest", [False, True])
@pytest.mark.parametrize("width", [1.0, 0.5, 1 / 256, 2 / 255, 0.1])
@pytest.mark.parametrize("steps", [17, 256, 2**16])
def test_dequantised_levels_stay_strictly_inside_their_cell(
    steps: int, width: float, largest: bool
) -> None:
    signed = np.arange(steps) - (steps // 2 if steps == 2**16 else 0)
    levels = (width * signed).astype(np.float32)[:, None]
    y = UniformDequantise(width).draw(levels, Extreme(largest))
    assert y.dtype == np.float32
    assert (y > levels).all()
    assert (y < (levels.astype(np.float64) + width).astype(np.float32)).all()


@pytest.mark.parametrize("largest", [False, True])
@pytest.mark.parametrize("width", [1.0, 0.1, 2.0**-15])
@pytest.mark.parametrize("steps", [2, 256, 2**16])
def test_centred_cells_lie_around_their_level(steps: int, width: float, largest: bool) -> None:
    levels = (width * (np.arange(steps) - steps // 2)).astype(np.float32)[:, None]
    y = UniformDequantise(width, centred=True).draw(levels, Extreme(largest)).astype(float)
    away = (y - levels) / width
    assert (np.rint(y / width) == np.rint(levels / width)).all(), "rounding finds the level again"
    # All but the last numbers before a border; float32 tells fewer of them apart far from 0.
    assert np.abs(away[np.abs(levels[:, 0]) < 64 * width]).min() > 0.4999
    assert (np.sign(away) == (1 if largest else -1)).all()


@pytest.mark.parametrize("columns", [1, 2, 4])
@pytest.mark.parametrize("centred", [False, True])
def test_noise_is_in_its_columns_only(centred: bool, columns: int) -> None:
    rows = np.random.default_rng(0).integers(0, 2, size=(500, 4)).astype(np.float32)
    before = rows.copy()
    y = UniformDequantise(centred=centred, columns=columns).draw(rows, np.random.default_rng(1))
    assert y.shape == rows.shape and y.dtype == np.float32
    np.testing.assert_array_equal(rows, before)
    np.testing.assert_array_equal(y[:, columns:], rows[:, columns:])
    # What is spread is spread as it would be alone.
    alone = UniformDequantise(centred=centred).draw(rows[:, :columns], np.random.default_rng(1))
    np.testing.assert_array_equal(y[:, :columns], alone)
    assert (y[:, :columns] != rows[:, :columns]).all()


def test_columns_say_themselves_and_are_one_or_more() -> None:
    assert repr(UniformDequantise(columns=2)) == (
        "UniformDequantise(width=1.0, centred=False, columns=2)"
    )
    assert "columns" not in repr(UniformDequantise())
    with pytest.raises(ValueError, match="expected 1 column or more, found 0"):
        UniformDequantise(columns=0)


def test_centred_noise_has_mean_0() -> None:
    levels = np.tile(np.float32([[-3, 0, 7]]), (20_000, 1))
    u = UniformDequantise(centred=True).draw(levels, np.random.default_rng(0)) - levels
    assert stats.kstest(u.ravel() + 0.5, "uniform").pvalue > 0.01
    above = UniformDequantise().draw(levels, np.random.default_rng(0)) - levels
    np.testing.assert_allclose(above - u, 0.5, atol=1e-6)


def test_dequantisation_is_exact_for_pixels() -> None:
    levels = np.repeat(np.arange(256, dtype=np.float32), 400)[:, None]
    u = UniformDequantise().draw(levels, np.random.default_rng(0)) - levels
    # In units of half a cell all draws are odd integers: none was rounded.
    halves = u.astype(np.float64) * 2**16
    assert (halves % 2 == 1).all()
    assert stats.kstest(u[:, 0], "uniform").pvalue > 0.01
    assert stats.kstest(u[levels == 255], "uniform").pvalue > 0.01


def by_the_formula(noise: UniformDequantise, levels: np.ndarray, seed: int) -> np.ndarray:
    """Spread levels as the class describes, every border's neighbours looked up."""
    u = (np.random.default_rng(seed).integers(0, 2**15, size=levels.shape) + 0.5) / 2**15
    border = levels.astype(np.float64) - (0.5 * noise.width if noise.centred else 0.0)
    low, high = border.astype(np.float32), (border + noise.width).astype(np.float32)
    y = (border + noise.width * u).astype(np.float32)
    return np.clip(y, np.nextafter(low, high), np.nextafter(high, low))


@pytest.mark.parametrize("centred", [False, True])
@pytest.mark.parametrize("width", [1.0, 0.1, 2 / 255, 2.0**-9])
@pytest.mark.parametrize("largest", [1, 300, 2**15, 2**22 - 2])
def test_draws_are_those_of_the_formula(largest: int, width: float, centred: bool) -> None:
    # Bit for bit: the noise of a scored sequence is part of its score.
    levels = np.random.default_rng(1).integers(-largest, largest + 1, size=(40, 50))
    noise, values = UniformDequantise(width, centred), (width * levels).astype(np.float32)
    expected = by_the_formula(noise, values, 2)
    np.testing.assert_array_equal(noise.draw(values, np.random.default_rng(2)), expected)


@pytest.mark.parametrize("largest", [False, True])
def test_one_cell_that_cannot_be_split_is_refused_among_others(largest: bool) -> None:
    levels = np.array([[1, 2, 2**25, 3]], np.float32)
    with pytest.raises(ValueError, match="float32 can tell apart"):
        UniformDequantise().draw(levels, Extreme(largest))


def test_a_cell_that_float32_cannot_split_is_refused() -> None:
    with pytest.raises(ValueError, match=r"distance 1.0 .* found a level of 3\.3.*e\+07: rescale"):
        UniformDequantise().draw(np.full((1, 1), 2**25, np.float32), np.random.default_rng(0))


@pytest.mark.parametrize("width", [0.0, -1.0, np.inf, np.nan])
def test_a_width_that_is_none_is_refused(width: float) -> None:
    with pytest.raises(ValueError, match="positive finite width"):
        UniformDequantise(width)


def test_gaussian_latents_have_the_moments_their_rows_say() -> None:
    mu, logvar = np.array([1.0, -3.0, 0.0]), np.array([-2.0, 0.0, 3.0])
    rows = np.tile(np.concatenate([mu, logvar]).astype(np.float32), (200_000, 1))
    y = GaussianLatents().draw(rows, np.random.default_rng(0))
    assert y.shape == (200_000, 3) and y.dtype == np.float32
    for feature in range(3):
        normal = stats.norm(mu[feature], np.exp(0.5 * logvar[feature]))
        assert stats.kstest(y[:, feature], normal.cdf).pvalue > 0.01
    assert np.abs(np.corrcoef(y.T) - np.eye(3)).max() < 0.01


def test_gaussian_entropy_is_that_of_the_dense_gaussian() -> None:
    logvar = np.array([[-2.0, 0.5, 3.0], [0.0, 0.0, 0.0]])
    rows = np.concatenate([np.zeros((2, 3)), logvar], axis=1).astype(np.float32)
    expected = [
        stats.multivariate_normal(np.zeros(3), np.diag(np.exp(v))).entropy() for v in logvar
    ]
    np.testing.assert_allclose(GaussianLatents().entropy(rows), expected, rtol=1e-12)


@pytest.mark.parametrize("stored", [0, 1, 7])
def test_rows_that_are_not_mu_and_logvar_are_refused(stored: int) -> None:
    with pytest.raises(ValueError, match=rf"\[mu, logvar\].*found {stored} columns"):
        GaussianLatents().features(stored)


@pytest.mark.parametrize("noise", [UniformDequantise(), GaussianLatents()])
def test_draws_follow_from_the_generator_alone(noise: Noise) -> None:
    rows = np.arange(8, dtype=np.float32).reshape(2, 4)
    before = rows.copy()
    first, again, other = (noise.draw(rows, np.random.default_rng(seed)) for seed in (0, 0, 1))
    assert first.shape == (2, noise.features(4))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    np.testing.assert_array_equal(rows, before)


def test_uniform_noise_claims_no_floor() -> None:
    assert UniformDequantise().entropy(np.zeros((2, 3), np.float32)) is None


def world_rows(count: int = 400) -> np.ndarray:
    """Two latents, a reward of steps of 0.5, and an end now and then."""
    rng = np.random.default_rng(3)
    latents = rng.standard_normal((count, 4))
    reward, end = 0.5 * rng.integers(-3, 8, (count, 1)), rng.random((count, 1)) < 0.1
    return np.concatenate([latents, reward, end], axis=1).astype(np.float32)


def test_latents_are_those_of_rows_without_a_reward() -> None:
    # Bit for bit: tables of latents alone stand beside those of whole frames.
    rows = world_rows()
    alone = GaussianLatents().draw(rows[:, :4], np.random.default_rng(5))
    for reward in (None, 0.5, 0.1):
        noise = GaussianLatents(latents=2, reward=reward)
        drawn = noise.draw(rows, np.random.default_rng(5))
        assert drawn.dtype == np.float32 and drawn.shape == (400, 4) and noise.features(6) == 4
        np.testing.assert_array_equal(drawn[:, :2], alone)
        np.testing.assert_array_equal(drawn[:, 3], rows[:, 5])
        np.testing.assert_array_equal(
            noise.draw(rows[:, :4], np.random.default_rng(5)), alone, "a store without rewards"
        )
    # What the formula says, of the generator's first numbers.
    normal = np.random.default_rng(5).standard_normal((400, 2), dtype=np.float32)
    np.testing.assert_array_equal(alone, rows[:, :2] + np.exp(0.5 * rows[:, 2:4]) * normal)


def test_a_reward_is_spread_over_its_cell_alone() -> None:
    rows = world_rows(20_000)
    drawn = GaussianLatents(latents=2, reward=0.5).draw(rows, np.random.default_rng(0))
    away = (drawn[:, 2] - rows[:, 4]) / 0.5
    assert np.abs(away).max() < 0.5
    assert stats.kstest(away + 0.5, "uniform").pvalue > 0.01
    plain = GaussianLatents(latents=2).draw(rows, np.random.default_rng(0))
    np.testing.assert_array_equal(plain[:, 2:], rows[:, 4:])


def test_the_entropy_of_a_reward_is_that_of_its_cell() -> None:
    rows = world_rows(5)
    latents = GaussianLatents().entropy(rows[:, :4])
    for width in (0.1, 2.0):
        noise = GaussianLatents(latents=2, reward=width)
        expected = latents + stats.uniform(scale=width).entropy()
        np.testing.assert_allclose(noise.entropy(rows), expected, rtol=1e-12)
        np.testing.assert_array_equal(noise.entropy(rows[:, :4]), latents)
    assert GaussianLatents(latents=2).entropy(rows) is None, "a number that has no cell has none"


def test_names_and_what_was_observed_follow_the_columns() -> None:
    names = ["m0", "m1", "v0", "v1", "reward", "end"]
    noise = GaussianLatents(latents=2, reward=1.0)
    assert noise.names(names) == ["m0", "m1", "reward", "end"]
    assert noise.names(names[:4]) == GaussianLatents().names(names[:4]) == ["m0", "m1"]
    assert UniformDequantise().names(names) == names
    seen = np.array([[1, 1, 1, 0, 1, 0], [0, 1, 1, 1, 0, 1]], bool)
    assert noise.observed(seen).tolist() == [[True, False, True, False], [False, True, False, True]]
    assert repr(noise) == "GaussianLatents(latents=2, reward=1.0)"
    assert repr(GaussianLatents()) == "GaussianLatents()"


@pytest.mark.parametrize("stored", [3, 5, 7, 8])
def test_rows_of_another_number_of_latents_are_refused(stored: int) -> None:
    message = rf"latents=2\) expected 4 columns .* two more .* found {stored}"
    with pytest.raises(ValueError, match=message):
        GaussianLatents(latents=2).draw(np.zeros((1, stored), np.float32), np.random.default_rng(0))


def test_a_reward_needs_a_width_and_a_number_of_latents() -> None:
    with pytest.raises(ValueError, match="expected the number of latents beside the width"):
        GaussianLatents(reward=0.1)
    with pytest.raises(ValueError, match="expected 1 latent or more, found 0"):
        GaussianLatents(latents=0)
    with pytest.raises(ValueError, match="expected a positive finite width, found 0"):
        GaussianLatents(latents=2, reward=0.0)


@pytest.mark.parametrize("centred", [False, True])
@pytest.mark.parametrize("width", [1.0, 0.5, 2.0**-9])
def test_the_level_of_a_draw_is_found_again(width: float, centred: bool) -> None:
    levels = np.random.default_rng(1).integers(-300, 301, size=(40, 50))
    noise, values = UniformDequantise(width, centred), (width * levels).astype(np.float32)
    found = noise.undo(noise.draw(values, np.random.default_rng(2)))
    np.testing.assert_array_equal(found, values)
    assert found.dtype == np.float32


def test_columns_without_noise_stay_as_they_are_on_the_way_back() -> None:
    noise, rows = UniformDequantise(columns=1), np.float32([[3.7, 0.25], [-0.2, 0.5]])
    np.testing.assert_array_equal(noise.undo(rows), [[3, 0.25], [-1, 0.5]])
    np.testing.assert_array_equal(GaussianLatents().undo(rows), rows)
