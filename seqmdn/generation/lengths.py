"""How long each sequence of a draw becomes."""

import torch
from torch import Tensor

from seqmdn.generation.steps import Steps

__all__ = ["NOT_FINITE", "Lengths"]

NOT_FINITE = (
    "the draws are not finite: the model's weights may be damaged, or a temperature is so high "
    "that a sequence ran away"
)


class Lengths:
    """Follows which sequences of a draw go on, and how many frames each of them has come to.

    Args:
        steps: The steps of the draw.
        length: Number of frames at most, the primed ones included.

    Attributes:
        lengths: Frames of each sequence ``(B,)``; ``length`` of those that have not ended.
        going: Which have not ended ``(B,)``.

    Raises:
        ValueError: If there is a prime of more frames, or a context of fewer.

    Example:
        >>> from seqmdn.models import SequenceModel
        >>> lengths = Lengths(Steps(SequenceModel(features=2), num=2), length=9)
        >>> lengths.end(4, torch.tensor([True, False])), lengths.lengths.tolist()
        (False, [5, 9])
    """

    def __init__(self, steps: Steps, length: int) -> None:
        most = 0 if steps.prime is None else steps.prime.shape[1]
        if length < max(1, most):
            raise ValueError(f"length must be at least {max(1, most)}, found {length}")
        if steps.context is not None and steps.context.shape[1] < length:
            raise ValueError(
                f"length {length} needs as many frames of context, found {steps.context.shape[1]}"
            )
        device = steps.primed.device
        self.primed = steps.primed
        self.lengths = torch.full((steps.num,), length, device=device)
        self.going = torch.ones(steps.num, dtype=torch.bool, device=device)

    def end(self, t: int, last: Tensor | None) -> bool:
        """End the sequences whose frame ``t`` is their last; say whether none goes on.

        Args:
            t: Number of the frame.
            last: Which sequences end with it ``(B,)``, None for none; a primed frame ends nothing.
        """
        if last is None or not bool(last.any()):
            return False
        ended = self.going & last & (t >= self.primed)
        self.lengths = self.lengths.where(~ended, t + 1)
        self.going = self.going & ~ended
        return not bool(self.going.any())
