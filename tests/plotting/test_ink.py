import re

import numpy as np
import pytest

from seqmdn.plotting.ink import curve, path_parts, usual_step, width_levels


def _walk(seed: int, size: float = 1.0, count: int = 60) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.cumsum(size * rng.normal(size=(count, 2)) + 0.3 * size, axis=0)


def _read(path: str) -> np.ndarray:
    """Follow a path as SVG says, in short segments; an independent reading of M, l, h, q and t."""
    points: list[np.ndarray] = []
    at = bend = np.zeros(2)
    for command, rest in re.findall(r"([Mlhqt])([^Mlhqt]*)", path):
        values = [float(each) for each in re.findall(r"-?[\d.]+", rest)]
        if command == "h":
            values.append(0.0)
        pairs = np.array(values).reshape(-1, 2)
        if command == "M":
            at = pairs[0]
            points.append(at)
        elif command in "lh":
            for pair in pairs:
                at = at + pair
                points.append(at)
        else:
            for index in range(0, len(pairs), 2 if command == "q" else 1):
                bend = at + pairs[index] if command == "q" else 2 * at - bend
                end = at + pairs[index + (command == "q")]
                for t in np.linspace(0, 1, 9)[1:]:
                    points.append((1 - t) ** 2 * at + 2 * t * (1 - t) * bend + t**2 * end)
                at = end
    return np.array(points)


def _distance(points: np.ndarray, line: np.ndarray) -> np.ndarray:
    """How far each point lies from a polyline."""
    start, along = line[:-1], np.diff(line, axis=0)
    length = np.maximum((along**2).sum(1), 1e-300)
    share = ((points[:, None] - start) * along).sum(-1) / length  # (N, P - 1)
    nearest = start + np.clip(share, 0, 1)[..., None] * along
    return np.linalg.norm(points[:, None] - nearest, axis=-1).min(axis=1)


@pytest.mark.parametrize("size", [0.02, 1.0, 30.0])
@pytest.mark.parametrize("seed", range(3))
def test_the_path_goes_by_all_points_as_near_as_the_pen_is_wide(seed: int, size: float) -> None:
    points, pen = _walk(seed, size), 2.0
    ((wide, path),) = path_parts(points, np.zeros(len(points)), pen, 2)
    followed = _read(path)
    assert wide == 1.0
    np.testing.assert_allclose(followed[[0, -1]], points[[0, -1]], atol=0.011)
    assert _distance(points, followed).max() < 0.6 * pen + 0.02
    assert _distance(followed, points).max() < 0.6 * pen + 0.02


def test_the_path_does_not_drift_however_long_it_is() -> None:
    points = _walk(0, 1.0, 3000)
    ((_, path),) = path_parts(points, np.zeros(len(points)), 2.0, 1)
    np.testing.assert_allclose(_read(path)[-1], points[-1], atol=0.11)
    assert _distance(points[-50:], _read(path)).max() < 1.3


def test_pixels_follow_the_same_path() -> None:
    points = _walk(1)
    ((_, path),) = path_parts(points, np.zeros(len(points)), 2.0, 4)
    followed, at = curve(points, 2.0)
    assert _distance(followed, _read(path)).max() < 0.02
    assert at[0] == 0 and at[-1] == len(points) - 1 and (np.diff(at) >= 0).all()
    short, at = curve(points[:2], 2.0)
    assert np.array_equal(short, points[:2]) and at.tolist() == [0, 1]


def test_parts_of_different_width_join_to_the_whole() -> None:
    points = _walk(2)
    levels = np.repeat([0, 3, -2], 20)
    parts = list(path_parts(points, levels, 0.5, 3))
    assert [wide for wide, _ in parts] == pytest.approx([1.0, 1.09**3, 1.09**-2])
    ((_, whole),) = path_parts(points, np.zeros(60), 0.5, 3)
    pieces = [_read(path) for _, path in parts]
    np.testing.assert_allclose(pieces[0][-1], pieces[1][0], atol=1e-9)
    np.testing.assert_allclose(pieces[1][-1], pieces[2][0], atol=1e-9)
    assert _distance(np.concatenate(pieces), _read(whole)).max() < 1e-9


def test_a_point_is_a_dot_and_points_that_repeat_are_one() -> None:
    assert list(path_parts(np.array([[1.0, 2.0]]), np.zeros(1), 1.0, 1)) == [(1.0, "M1 2h0.1")]
    same = np.tile([1.0, 2.0], (5, 1))
    ((_, path),) = path_parts(same, np.zeros(5), 1.0, 1)
    assert np.array_equal(_read(path), np.tile([1.0, 2.0], (len(_read(path)), 1)))


def test_a_slow_pen_writes_wider() -> None:
    steps = np.repeat([0.5, 2.0, 8.0], 30)
    points = np.column_stack([steps.cumsum(), np.zeros(90)])
    levels = width_levels(points, 2.0)
    wide = 1.09 ** levels[[10, 45, 80]]
    assert wide == pytest.approx([1.41, 1.0, 0.66], abs=0.02)
    assert (np.diff(levels) <= 0).all() and np.abs(np.diff(levels)).max() <= 2
    assert (width_levels(points, None) == 0).all() and width_levels(points[:2], 2.0).tolist() == [
        0
    ] * 2
    assert usual_step([points, points[:1]]) == pytest.approx(2.0)
    assert usual_step([points[:1]]) == np.inf and usual_step([]) == np.inf


def test_rounded_points_do_not_make_the_width_flicker() -> None:
    slope = np.column_stack([np.arange(80) * 1.3, np.arange(80) * 0.4])
    assert np.ptp(width_levels(np.rint(slope), 1.3)) <= 1
