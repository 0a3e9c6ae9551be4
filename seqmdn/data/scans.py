"""How an image becomes frames: row by row, pixel by pixel or block by block."""

from __future__ import annotations

__all__ = ["Scan", "ScanKind", "Scanned"]

import os
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from seqmdn.data.batch import Batch
from seqmdn.data.layout import Array
from seqmdn.data.store import Store

ScanKind = Literal["row", "pixel"] | int

Values = TypeVar("Values", Tensor, NDArray[np.float32], NDArray[np.bool_])

_COLOURS = {1: ("",), 3: ("red", "green", "blue")}


class Scan:
    r"""Puts the pixels of an image into frames, and back.

    A frame is a block of pixels: one row of them (T = height frames of D = width times channels),
    one pixel (T = height times width, D = channels) or b times b of them. Blocks are taken from the
    top left to the right and then down, the pixels of a block likewise, and the channels of a pixel
    stand beside each other. It is a permutation: exact both ways, and no density changes by it.

    Args:
        height: Rows of an image.
        width: Columns of an image.
        channels: Numbers of a pixel.
        kind: ``"row"``, ``"pixel"``, or b, the side of a square block.

    Attributes:
        frames: T.
        features: D.
        order: (T, D), the place of each number among those of the image in reading order.

    Raises:
        ValueError: If a size is below 1, or b does not divide height and width.

    Example:
        >>> scan = Scan(height=2, width=4, kind=2)
        >>> image = np.arange(8, dtype=np.float32).reshape(2, 4)
        >>> scan.apply(image).tolist()
        [[0.0, 1.0, 4.0, 5.0], [2.0, 3.0, 6.0, 7.0]]
        >>> bool((scan.restore(scan.apply(image)) == image).all())
        True
    """

    def __init__(self, height: int, width: int, channels: int = 1, kind: ScanKind = "row") -> None:
        sizes = {"height": height, "width": width, "channels": channels}
        if kind not in ("row", "pixel") and not isinstance(kind, int):
            raise ValueError(
                f"expected a scan by 'row', by 'pixel' or by the side of a block, found {kind!r}"
            )
        if min(sizes.values()) < 1:
            raise ValueError(f"expected sizes of 1 or more, found {sizes}")
        side = 1 if kind == "pixel" else kind
        down, across = (1, width) if side == "row" else (int(side), int(side))
        if down < 1 or height % down or width % across:
            raise ValueError(
                f"expected blocks whose side divides {height} x {width} pixels, found {kind}"
            )
        self.height, self.width, self.channels = height, width, channels
        self.down, self.across = down, across
        places = np.arange(height * width * channels)
        blocks = places.reshape(height // down, down, width // across, across * channels)
        self.order = blocks.transpose(0, 2, 1, 3).reshape(-1, down * across * channels)
        self.frames, self.features = self.order.shape
        self._back = np.argsort(self.order, axis=None)

    @property
    def rows(self) -> NDArray[np.int64]:  # (T,)
        """The row of the image that each frame begins in."""
        rows: NDArray[np.int64] = self.order[:, 0] // (self.width * self.channels)
        return rows

    @property
    def step(self) -> str:
        """What a frame is."""
        if self.across == self.width and self.down == 1:
            return "row"
        if self.down == 1:
            return "pixel"
        return f"block of {self.down} x {self.across} pixels"

    def names(self) -> list[str]:
        """Names the features of a frame: by row, column and channel, as far as there are several.

        Example:
            >>> Scan(2, 2, channels=3, kind="pixel").names()
            ['red', 'green', 'blue']
        """
        channels = _COLOURS.get(self.channels, [f"channel {c}" for c in range(self.channels)])
        words = [
            [
                channel,
                f"row {row}" if self.down > 1 else "",
                f"column {column}" if self.across > 1 else "",
            ]
            for row in range(self.down)
            for column in range(self.across)
            for channel in channels
        ]
        return [" ".join(filter(None, each)) or "pixel" for each in words]

    def apply(self, image: Values) -> Values:  # (*batch, height, width * channels)
        """Gives frames (*batch, T, D) of images that are stored row by row."""
        flat: Values = image.reshape(*image.shape[:-2], -1)[..., self.order]
        return flat

    def restore(self, frames: Values) -> Values:  # (*batch, T, D)
        """Gives images row by row, (*batch, height, width * channels), of their frames."""
        flat: Values = frames.reshape(*frames.shape[:-2], -1)[..., self._back]
        return flat.reshape(*flat.shape[:-1], self.height, self.width * self.channels)

    def whole_rows(self, frames: Tensor) -> Tensor:
        """Gives how many rows of the image are complete after so many first frames."""
        return frames // (self.width // self.across) * self.down


class Scanned(Store):
    """Reads each stored image in another order; all that a :class:`Store` does is done by frame.

    Nothing is copied, and one store serves all scans. The context of a frame is that of the row
    that it begins in.

    Args:
        path: The file, a store of images kept row by row, with the attributes height and width.
        kind: Of :class:`Scan`.

    Attributes:
        scan: The scan.
        stored_names: The names of the columns as they are stored.

    Raises:
        ValueError: If the store is not of such images, or the scan does not fit them.
    """

    def __init__(self, path: str | os.PathLike[str], kind: ScanKind) -> None:
        super().__init__(path)
        height, width = (int(self.attributes.get(key, 0)) for key in ("height", "width"))
        channels = self.features // width if width else 0
        if (
            self.attributes.get("kind") != "image"
            or not channels
            or self.features != width * channels
            or (self.lengths != height).any()
        ):
            raise ValueError(
                f"{self.path}: expected images kept row by row (attributes kind 'image', height "
                f"and width) to scan, found {self.features} features, kind "
                f"{self.attributes.get('kind')!r}, {height} x {width}: leave scan out"
            )
        try:
            self.scan = Scan(height, width, channels, kind)
        except ValueError as error:
            raise ValueError(f"{self.path}: {error}") from None
        self.stored_names = self.names
        self.names = self.scan.names()
        self.attributes["step"] = self.scan.step
        self.lengths = np.full(len(self.lengths), self.scan.frames)

    def read(
        self, index: int, start: int = 0, stop: int | None = None
    ) -> tuple[Array, Array | None]:
        values, context = super().read(index, start, stop)  # of the whole image
        if context is not None:
            context = context[self.scan.rows[start:stop]]
        return self.scan.apply(values)[start:stop], context

    def observed(
        self, index: int, start: int = 0, stop: int | None = None
    ) -> NDArray[np.bool_] | None:
        seen = super().observed(index, start, stop)
        return None if seen is None else self.scan.apply(seen)[start:stop]

    def gather(
        self, sequences: NDArray[np.int64], times: NDArray[np.int64]
    ) -> tuple[Array, Array | None, NDArray[np.bool_] | None]:
        frames = [(int(i), int(t), int(t) + 1) for i, t in zip(sequences, times, strict=True)]
        read = [self.read(*frame) for frame in frames]
        contexts = [context for _, context in read if context is not None]
        seen = [mask for frame in frames if (mask := self.observed(*frame)) is not None]
        return (
            np.concatenate([values for values, _ in read]),
            np.concatenate(contexts) if contexts else None,
            np.concatenate(seen) if seen else None,
        )

    def restore(self, batch: Batch) -> Batch:
        """Gives images of this store's frames as they are stored, row by row.

        ``start`` becomes the number of rows that are given completely.

        Raises:
            ValueError: If an image has not all of its frames, and the scan is not by row.
        """
        scan, steps = self.scan, batch.values.shape[1]
        if scan.step == "row":
            return batch
        if steps != scan.frames or bool((batch.lengths != steps).any()):
            raise ValueError(
                f"expected whole images of {scan.frames} frames, each a {scan.step}, found "
                f"{int(batch.lengths.min())}: leave the length out"
            )
        # The frame whose context is that of a row.
        first = np.searchsorted(scan.rows, np.arange(scan.height) // scan.down * scan.down)
        return batch._replace(
            values=scan.restore(batch.values),
            lengths=batch.lengths.new_full(batch.lengths.shape, scan.height),
            context=None if batch.context is None else batch.context[:, first],
            start=None if batch.start is None else scan.whole_rows(batch.start),
            observed=None if batch.observed is None else scan.restore(batch.observed),
        )

    def _range(self, index: int, start: int, stop: int | None) -> slice:
        super()._range(index, start, stop)  # which refuses frames that there are none of
        first = int(self._first[index])
        return slice(first, first + self.scan.height)
