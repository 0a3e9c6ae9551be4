"""Small frames: what is cropped, how it is resized, and what is refused."""

import numpy as np
import pytest

from seqmdn.environments import shrink_frame


def test_the_gauges_are_cropped() -> None:
    picture = np.zeros((96, 96, 3), np.uint8)
    picture[84:] = 255
    assert shrink_frame(picture).max() == 0
    picture[83] = 255
    assert shrink_frame(picture)[-1].min() > 0


def test_rows_columns_and_channels_stay_what_they_are() -> None:
    rows, columns = np.mgrid[:96, :96]
    picture = np.stack([2 * rows, 2 * columns, np.full_like(rows, 9)], axis=-1).astype(np.uint8)
    frame = shrink_frame(picture).astype(float)
    assert frame.shape == (64, 64, 3)
    # Pixel i of 64 covers the places around (i + 1/2) N / 64 - 1/2 of N; edges lack a neighbour.
    inside = np.arange(1, 63)
    np.testing.assert_allclose(frame[1:63, 5, 0], 2 * ((inside + 0.5) * 84 / 64 - 0.5), atol=0.75)
    np.testing.assert_allclose(frame[5, 1:63, 1], 2 * ((inside + 0.5) * 96 / 64 - 0.5), atol=0.75)
    assert (frame[..., 2] == 9).all()


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((64, 64, 3), np.uint8),
        np.zeros((96, 96), np.uint8),
        np.zeros((96, 96, 3), np.float32),
    ],
)
def test_another_picture_is_refused(picture: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"shape \(96, 96, 3\) of uint8, found (uint8|float32) of"):
        shrink_frame(picture)
