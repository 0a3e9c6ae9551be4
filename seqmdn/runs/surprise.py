"""How much a model is surprised by each pixel of real images."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from seqmdn.data import Batch, Scanned
from seqmdn.distributions import Flowed
from seqmdn.models import SequenceModel
from seqmdn.runs.run import Run

__all__ = ["Surprise", "look_surprise"]


class Surprise(NamedTuple):
    """Images, and the nats that a model needs for each of their pixels.

    Attributes:
        images: In the store's columns, ``(N, height, width * channels)``.
        nats: The negative log-likelihood of each pixel given those before it, all of its channels
            together ``(N, height, width)``. The sum over an image is its NLL.
        exact: Whether it is that of each pixel. Where a head gives nothing but whole frames, as a
            flow does that mixes features, each pixel of a frame has an equal share of it.
        step: What a frame is.
    """

    images: Tensor
    nats: Tensor
    exact: bool
    step: str


@torch.no_grad()
def look_surprise(run: Run, num: int, split: str = "test") -> Surprise:
    r"""Follow a model along real images, pixel by pixel in the order of their scan.

    .. math:: -\log p(y_{td} | y_{t, <d}, y_{<t}) =
        \log p(y_{t, <d} | y_{<t}) - \log p(y_{t, \le d} | y_{<t})

    with the exact marginals of the first d features of a frame, where the head has them. Images
    that are dequantised are judged with their noise.

    Args:
        run: The run of a model of images.
        num: Number of images.
        split: Where they come from; its first ones are taken.

    Raises:
        ValueError: If the data are no whole images, their pixels may be missing, or the model is
            another.
    """
    data, model = run.data, run.model
    look = data.store.attributes
    if look.get("kind") != "image" or data.length is not None or data.store.missing:
        raise ValueError(
            f"expected whole images without gaps, found {data.name}, of the kind "
            f"{look.get('kind', 'series')!r}: surprise is shown of images"
        )
    if not isinstance(model, SequenceModel) or data.mark_end or data.columns.given:
        raise ValueError(
            f"expected a SequenceModel of pixels and nothing else, found a {type(model).__name__} "
            f"of {data.features} features a frame: leave out given columns and the mark of the end"
        )
    if num < 1:
        raise ValueError(f"expected 1 image or more, found {num}")
    batch = data.sequences(split, np.resize(data.store.indices(split), num))
    nats = _by_feature(model, batch)
    if exact := nats is not None:
        found: Tensor = nats
    else:
        found = -model.frame_log_prob(batch).unsqueeze(-1).expand_as(batch.values)
        found = found / batch.values.shape[-1]
    store = data.store
    if isinstance(store, Scanned):
        found = store.scan.restore(found)
    height, width = int(look["height"]), int(look["width"])
    return Surprise(
        images=data.whole(batch).values,
        nats=found.reshape(num, height, width, -1).sum(-1),
        exact=exact,
        step=str(look.get("step", "frame")),
    )


def _by_feature(model: SequenceModel, batch: Batch) -> Tensor | None:  # (B, T, D)
    """Return the nats of each feature given those before it, None where no marginals are known."""
    distribution, _ = model.distributions(batch)
    density = Flowed(distribution, model.transform)
    size = batch.values.shape[-1]
    if size == 1:
        return -density.log_prob(batch.values).unsqueeze(-1)
    place = torch.arange(size)
    known = batch.values.new_zeros(batch.values.shape[:-1])
    parts = []
    for d in range(size):
        try:
            more = density.log_prob(batch.values, place <= d)
        except NotImplementedError:
            return None
        parts.append(known - more)
        known = more
    return torch.stack(parts, dim=-1)
