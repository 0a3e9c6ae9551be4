"""What a world model sees of an environment: small frames."""

from __future__ import annotations

__all__ = ["CHANNELS", "SIZE", "Frame", "shrink_frame"]

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIZE, CHANNELS = 64, 3
Frame = NDArray[np.uint8]  # (SIZE, SIZE, CHANNELS)

# Below the first 84 rows of what CarRacing shows are its gauges.
_HEIGHT, _WIDTH, _KEPT = 96, 96, 84


def shrink_frame(picture: NDArray[np.uint8]) -> Frame:  # (96, 96, 3) -> (64, 64, 3)
    """Crops what CarRacing shows to the 84 rows above its gauges, and resizes these (bilinear).

    Raises:
        ValueError: If the picture is of another shape or type.

    Example:
        >>> picture = np.zeros((96, 96, 3), np.uint8)
        >>> picture[:84] = 7
        >>> frame = shrink_frame(picture)
        >>> frame.shape, int(frame.min())
        ((64, 64, 3), 7)
    """
    expected = (_HEIGHT, _WIDTH, CHANNELS)
    if picture.shape != expected or picture.dtype != np.uint8:
        raise ValueError(
            f"expected a picture of shape {expected} of uint8, found {picture.dtype} of shape "
            f"{picture.shape}: give the observation of CarRacing as it is"
        )
    image = Image.fromarray(picture[:_KEPT])
    return np.asarray(image.resize((SIZE, SIZE), Image.Resampling.BILINEAR))
