"""Drawing sequences of a known length frame by frame, in memory that does not grow with it."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from seqmdn.generation.lengths import NOT_FINITE, Lengths
from seqmdn.generation.randomness import Randomness, evaluating
from seqmdn.generation.steps import Steps
from seqmdn.models import FrameModel

__all__ = ["stream_sequences"]


def stream_sequences(
    model: FrameModel,
    num: int,
    length: int,
    *,
    stop: Callable[[Tensor], Tensor] | None = None,
    seed: int = 0,
    **options: Any,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Draw what :func:`seqmdn.generation.generate` draws, each frame handed out once it is drawn.

    Arguments and errors are those of :func:`seqmdn.generation.generate`, and so are the frames, bit
    for bit. Nothing but the model's state is kept from one frame to the next.

    Yields:
        Frames ``(B, D)`` in the data's units, and of which sequences they are a part ``(B,)``; what
        stands in the rows of sequences that have ended is to be left out.

    Raises:
        FloatingPointError: If a frame is not finite, when it is drawn.

    Example:
        >>> from seqmdn.models import SequenceModel
        >>> drawn = list(stream_sequences(SequenceModel(features=2), num=3, length=5))
        >>> len(drawn), drawn[0][0].shape, drawn[4][1].tolist()
        (5, torch.Size([3, 2]), [True, True, True])
    """
    # Before the first frame is asked for: errors belong to the call.
    steps = Steps(model, num, **options)
    lengths = Lengths(steps, length)
    return _stream(model, steps, lengths, length, stop, Randomness(seed, model.start.device))


def _stream(
    model: FrameModel,
    steps: Steps,
    lengths: Lengths,
    length: int,
    stop: Callable[[Tensor], Tensor] | None,
    randomness: Randomness,
) -> Iterator[tuple[Tensor, Tensor]]:
    for t in range(length):
        with evaluating(model), torch.inference_mode(), randomness():
            frame, state = next(steps)
            present = lengths.going
            last = model.ended(frame, state) if stop is None else stop(frame)
            done = lengths.end(t, last)
            if not bool(frame[present].isfinite().all()):
                raise FloatingPointError(NOT_FINITE)
        # Cloned outside of inference mode, they are tensors that a user can compute with.
        yield frame.clone(), present.clone()
        if done:
            return
