"""Images as functions of a place: every pixel a point, where it is as its context."""

from __future__ import annotations

__all__ = ["PLACE", "Placed"]

import os

import numpy as np
import torch
from torch import Tensor

from seqmdn.data.batch import Batch
from seqmdn.data.layout import Array
from seqmdn.data.scans import Scanned

PLACE = 2  # columns of the context


class Placed(Scanned):
    r"""Reads each stored image as the points of a function: of its row and column, the channels.

    .. math:: x = \left( \frac{2 i}{\text{height} - 1} - 1, \frac{2 j}{\text{width} - 1} - 1
        \right) \in [-1, 1]^2

    of the pixel in row i and column j, counted from the top left; a single row or column is at 0.
    It stands behind the context that is stored, such as labels. Frames are pixels in reading order,
    whatever order a :class:`GivenPoints` puts them in. Nothing is copied, and a store serves this
    beside all scans.

    Args:
        path: The file, a store of images kept row by row, with the attributes height and width.

    Attributes:
        places: (height * width, 2), x of each pixel.

    Raises:
        ValueError: If the store is not of such images.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__(path, "pixel")
        down, across = (np.linspace(-1, 1, n) if n > 1 else np.zeros(1) for n in self._size)
        grid = np.stack(np.meshgrid(down, across, indexing="ij"), axis=-1)
        self.places = grid.reshape(-1, PLACE).astype(np.float32)

    @property
    def context_features(self) -> int:
        return super().context_features + PLACE

    def read(
        self, index: int, start: int = 0, stop: int | None = None
    ) -> tuple[Array, Array | None]:
        values, context = super().read(index, start, stop)
        places = self.places[start:stop]
        return values, places if context is None else np.concatenate([context, places], axis=1)

    def pixels(self, context: Tensor) -> Tensor:  # (*batch, X) -> (*batch,)
        """Gives the number of each pixel in reading order, by its context."""
        height, width = self._size
        size = torch.tensor([height, width], device=context.device)
        row, column = ((context[..., -PLACE:] + 1) * (size - 1) / 2).round().long().unbind(-1)
        return row * width + column

    def restore(self, batch: Batch) -> Batch:
        """Gives images of these pixels as they are stored, row by row, NaN where there is none.

        Pixels may be any of an image's, in any order; which of them were given is forgotten.

        Raises:
            ValueError: If the batch does not say where its pixels are.
        """
        if batch.context is None or batch.context.shape[-1] != self.context_features:
            found = None if batch.context is None else tuple(batch.context.shape)
            raise ValueError(
                f"expected pixels whose context of {self.context_features} features says where "
                f"they are, found a context of {found}"
            )
        (height, width), count = self._size, len(batch.values)
        image, frame = batch.present().nonzero(as_tuple=True)
        pixel = self.pixels(batch.context[image, frame])

        def put(part: Tensor, nothing: float | bool) -> Tensor:
            whole = part.new_full((count, height * width, part.shape[-1]), nothing)
            whole[image, pixel] = part[image, frame]
            return self.scan.restore(whole)

        known = batch.context[:, :1, :-PLACE].expand(-1, height, -1)
        return batch._replace(
            values=put(batch.values, torch.nan),
            lengths=batch.lengths.new_full(batch.lengths.shape, height),
            context=known if known.shape[-1] else None,
            start=None,
            observed=None if batch.observed is None else put(batch.observed, False),
        )

    @property
    def _size(self) -> tuple[int, int]:
        return self.scan.height, self.scan.width
