"""What a model of strokes saw and expected while one sequence was written."""

from typing import NamedTuple

import torch
from torch import Tensor

from seqmdn.backbones import WindowBackbone
from seqmdn.data import Batch, decode
from seqmdn.distributions import Flowed
from seqmdn.heads import StrokeHead
from seqmdn.models import SequenceModel
from seqmdn.runs.run import Run
from seqmdn.scoring import continuous_part

__all__ = ["Writing", "look_along"]


class Writing(NamedTuple):
    """One sequence of T points, and what the model had to say at each of them.

    Attributes:
        frames: In the store's columns, ``(T, 3)``.
        density: Of the offset of each point given those before, in the data's units; of batch shape
            ``(1, T)`` and event shape ``(2,)``.
        text: What the sequence says, None where the model reads no texts.
        weights: Of each character at each point, phi ``(T, U)``, None likewise.
    """

    frames: Tensor
    density: Flowed
    text: str | None
    weights: Tensor | None


@torch.no_grad()
def look_along(run: Run, drawn: Batch, index: int = 0) -> Writing:
    """Follow a model of strokes along a sequence, drawn or real.

    Args:
        run: The run.
        drawn: Sequences in the store's columns, as :func:`seqmdn.runs.draw` returns them.
        index: Which of them.

    Raises:
        ValueError: If the model is none of strokes, or a sequence was drawn in a style that its
            text does not say.
    """
    model, data = run.model, run.data
    if not isinstance(model, SequenceModel) or not isinstance(model.head, StrokeHead):
        raise ValueError("only a model with a StrokeHead expects the points of a pen")
    if drawn.start is not None and drawn.text is not None:
        raise ValueError(
            "expected a sequence that says its text from its first point on, found one that goes "
            "on from another: leave out the style or the prime"
        )
    length = int(drawn.lengths[index])
    frames = drawn.values[index : index + 1, :length]
    values = frames
    if data.mark_end:
        mark = torch.zeros_like(frames[..., :1])
        mark[:, -1] = 1
        values = torch.cat((frames, mark), dim=-1)
    text = None if drawn.text is None else drawn.text[index : index + 1]
    text = None if text is None else text[:, : int((text != 0).sum())]
    batch = Batch(values, drawn.lengths[index : index + 1], text=text)
    distribution, _ = model.distributions(batch)
    density, _ = continuous_part(distribution, model.transform, values)
    weights = None
    if isinstance(model.backbone, WindowBackbone) and text is not None:
        z, _ = model.transform.call_and_ladj(values)
        previous = torch.cat((model.start.expand(1, 1, -1), z[:, :-1]), dim=1)
        weights = model.backbone.trace(previous, model.begin(text))[2][0]
    return Writing(frames[0], density, None if text is None else decode(text)[0], weights)
