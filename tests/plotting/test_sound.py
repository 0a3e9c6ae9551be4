"""Pictures of sound: what is where, on which scales."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.colors import same_color
from matplotlib.figure import Figure

from seqmdn.plotting import save_sounds, sound_figure
from seqmdn.plotting.page import INK, colour
from seqmdn.plotting.rows import Array, Row

LOOK = {"kind": "audio", "sample_rate": 100, "full_scale": 2.0}
RNG = np.random.default_rng(0)
SIZE = 5


def spectrogram(wave: Array) -> SimpleNamespace:
    """Bands of equal loudness in steps of 0.05 s: that of the loudest sample, in dB."""
    level = 20 * np.log10(max(np.abs(wave).max(initial=0), 1e-5))
    return SimpleNamespace(
        decibels=np.full((4, len(wave) // 5 + 1), level),
        hop=0.05,
        edges=np.array([10.0, 250.0, 1000.0, 2000.0, 8000.0]),
    )


def figure(
    sampled: Array,
    real: Array | None = None,
    starts: list[int] | None = None,
    lengths: list[int] | None = None,
) -> Figure:
    rows = [
        Row.of("sampled", colour(0), sampled, lengths, starts=starts),
        None if real is None else Row.of("real", INK, real),
    ]
    found = sound_figure(rows[0], rows[1], LOOK, spectrogram)
    found.draw_without_rendering()
    return found


def test_real_sounds_are_beside_the_first_three_drawn_ones() -> None:
    sampled, real = RNG.normal(size=(5, 8, SIZE)), RNG.normal(size=(4, 8, SIZE))
    axes = figure(sampled, real, lengths=[8, 4, 8, 8, 8]).axes
    assert len(axes) == 13, "twelve panels and the scale of colours"
    grid = np.array(axes[:12]).reshape(6, 2)
    assert [each.get_title(loc="left") for each in grid[::2].ravel()] == [
        f"{name} {number}" for number in (1, 2, 3) for name in ("real", "sampled")
    ]
    for column, (frames, line) in enumerate([(real, INK), (sampled, colour(0))]):
        for index in range(3):
            end = 4 if column and index == 1 else 8
            (curve,) = grid[2 * index, column].lines
            np.testing.assert_allclose(curve.get_ydata(), frames[index, :end].ravel() / 2)
            np.testing.assert_allclose(curve.get_xdata(), np.arange(end * SIZE) / 100)
            assert same_color(curve.get_color(), line)
            (image,) = grid[2 * index + 1, column].get_images()
            assert image.get_extent() == pytest.approx([-0.025, end * 0.05 + 0.025, 0, 4])
            assert grid[2 * index + 1, column].get_xlim() == pytest.approx((0, 0.4))


def test_loudness_has_one_scale() -> None:
    quiet, loud = 0.02 * np.ones((1, 8, SIZE)), np.ones((1, 8, SIZE))
    axes = figure(quiet, loud).axes
    assert axes[0].get_ylim() == axes[1].get_ylim() and axes[0].get_ylim()[1] > 0.5
    limits = {axes[index].get_images()[0].get_clim() for index in (2, 3)}
    assert limits == {(-70.0, 0.0)}, "up to the ten above -6 dB"
    assert "dB" in axes[-1].get_ylabel()
    assert [each.get_text() for each in axes[2].get_yticklabels()] == ["0.25", "0.5", "1"] + [
        "2",
        "4",
        "8",
    ]
    np.testing.assert_allclose(axes[2].get_yticks()[[0, 2, 3, 5]], [1, 2, 3, 4])


def test_what_was_given_is_marked() -> None:
    sampled = RNG.normal(size=(3, 8, SIZE))
    axes = figure(sampled, starts=[2, 0, 8]).axes
    first, second, whole = axes[0], axes[2], axes[4]
    (span,) = first.patches
    assert span.get_bbox().x1 == pytest.approx(2 * SIZE / 100)
    for panel in axes[:2]:
        assert panel.lines[-1].get_xdata() == pytest.approx([0.1, 0.1])
    assert [text.get_text() for text in first.texts] == ["given"]
    assert not second.patches and not second.texts and len(second.lines) == 1
    assert len(whole.patches) == 1 and len(whole.lines) == 1, "nothing begins where it ends"


def test_times_far_apart_have_scales_of_their_own() -> None:
    short, long = RNG.normal(size=(1, 8, SIZE)), RNG.normal(size=(1, 80, SIZE))
    axes = figure(long, short).axes
    assert axes[0].get_xlim() == pytest.approx((0, 0.4))
    assert axes[1].get_xlim() == pytest.approx((0, 4.0))
    assert axes[2].get_xlabel() == axes[3].get_xlabel() == "time (s), a scale of its own"
    assert figure(short, short).axes[2].get_xlabel() == "time (s)"


def test_a_long_wave_is_its_envelope(tmp_path: Path) -> None:
    long = np.zeros((1, 2001, SIZE))
    long[0, 700, 3] = 1.5
    axes = figure(long).axes
    (area,) = axes[0].collections
    corners = area.get_paths()[0].vertices
    assert len(corners) < 2000 and corners[:, 1].max() == pytest.approx(0.75)
    assert corners[corners[:, 1].argmax(), 0] == pytest.approx(35.03, abs=0.1)


def test_pictures_are_written_and_bad_input_is_not(tmp_path: Path) -> None:
    values = RNG.normal(size=(2, 8, SIZE))
    for ending in ("png", "svg"):
        path = tmp_path / "new" / f"a.{ending}"
        save_sounds(path, values, [8, 5], LOOK, spectrogram, values[:1], starts=[1, 0])
        first = path.read_bytes()
        save_sounds(path, values, [8, 5], LOOK, spectrogram, values[:1], starts=[1, 0])
        assert path.read_bytes() == first
    with pytest.raises(ValueError, match=r"ends in \.png or \.svg"):
        save_sounds(tmp_path / "a.wav", values, None, LOOK, spectrogram)
    with pytest.raises(ValueError, match="sampled: expected 2 starts"):
        save_sounds(tmp_path / "a.png", values, None, LOOK, spectrogram, starts=[1])
    assert [path.name for path in tmp_path.iterdir()] == ["new"]
