"""Drawing frames under contexts that are known no earlier than their step: actions."""

import torch
from torch import Tensor

from seqmdn.generation.lengths import NOT_FINITE
from seqmdn.generation.randomness import Randomness, evaluating
from seqmdn.generation.steps import Steps
from seqmdn.models import FrameModel

__all__ = ["Interaction"]


class Interaction:
    """Draw the frames of many sequences, each step under a context that is given only then.

    What an environment does that is made of a model: it is told an action, and answers with a
    frame. Under the same contexts, temperatures and seed the frames are those of
    :func:`seqmdn.generation.generate`, bit for bit, and so they are whatever the mode of the model
    and torch's own random numbers are, neither of which is touched.

    Sequences that have ended may begin anew while others go on. Frames may also be given instead of
    drawn: the model then follows what is real, and h is what it makes of it.

    Args:
        model: The model.
        num: Number of sequences B.
        mixing: Temperature of the mixing weights (:func:`seqmdn.generation.generate`).
        scale: Temperature of the covariances.
        bits: Temperature of bits.
        seed: Seed of the draws.

    Attributes:
        h: What the head saw in the last step ``(B, H)``, None before the first.
        ended: Which sequences ended with the last frame ``(B,)``, None where nothing says it.

    Raises:
        ValueError: If a size, a temperature or a shape does not fit.
        FloatingPointError: If a frame is not finite.

    Example:
        >>> from seqmdn.models import WorldModel
        >>> dreams = Interaction(WorldModel(features=6, context=3, latents=4), num=2)
        >>> frame = dreams.step(torch.zeros(2, 3))  # nothing was done before the first frame
        >>> frame.shape, dreams.h.shape, dreams.ended.shape
        (torch.Size([2, 6]), torch.Size([2, 128]), torch.Size([2]))
        >>> dreams.restart(dreams.ended)
    """

    h: Tensor | None
    ended: Tensor | None

    def __init__(
        self,
        model: FrameModel,
        num: int,
        *,
        mixing: float = 1.0,
        scale: float = 1.0,
        bits: float = 1.0,
        seed: int = 0,
    ) -> None:
        self.model = model
        self.num = num
        self.randomness = Randomness(seed, model.start.device)
        self.steps = Steps(model, num, mixing=mixing, scale=scale, bits=bits, later=True)
        self.h = self.ended = None

    def step(
        self,
        context: Tensor | None = None,
        frame: Tensor | None = None,
        rows: Tensor | None = None,
    ) -> Tensor:
        """Go one step on.

        Args:
            context: Of this step ``(B, X)``, where the model has one; of sequences that begin with
                it, what stands before a first frame in the data.
            frame: Real frames ``(B, D)`` to follow instead of drawing some.
            rows: Which of them are real, boolean ``(B,)``; all by default.

        Returns:
            The frames ``(B, D)``, in the data's units.
        """
        model, start = self.model, self.model.start
        wanted = (self.num, model.context)
        if model.context and (context is None or context.shape != wanted):
            found = "none" if context is None else f"shape {tuple(context.shape)}"
            raise ValueError(f"a step needs a context of shape {wanted}, found {found}")
        if frame is not None:
            if frame.shape != (self.num, model.features):
                raise ValueError(
                    f"frame must have shape {(self.num, model.features)}, found "
                    f"{tuple(frame.shape)}"
                )
            rows = self._rows(torch.ones(self.num, dtype=torch.bool) if rows is None else rows)
            frame = frame.to(start)
        now = None if context is None or not model.context else context.to(start)
        with evaluating(model), torch.inference_mode(), self.randomness():
            drawn, state = self.steps.take(now, frame, rows)
            ended = model.ended(drawn, state)
            if not bool(drawn.isfinite().all()):
                raise FloatingPointError(NOT_FINITE)
        # Cloned outside of inference mode, they are tensors that a user can compute with.
        self.h = None if self.steps.h is None else self.steps.h.clone()
        self.ended = None if ended is None else ended.clone()
        return drawn.clone()

    @property
    def state(self) -> tuple[Tensor, ...] | None:
        """The state after the last step, every part of it batch first; None before the first."""
        # Asked for seldom, and as large as all else that a step hands out.
        if self.h is None or self.steps.state is None:
            return None
        return tuple(part.clone() for part in self.steps.state)

    def restart(self, rows: Tensor | None = None) -> None:
        """Let sequences begin anew: their next frame is a first one, as the model learned it.

        Args:
            rows: Which of them, boolean ``(B,)``; all by default.
        """
        if rows is None:
            rows = torch.ones(self.num, dtype=torch.bool)
        self.steps.restart(self._rows(rows))

    def _rows(self, rows: Tensor) -> Tensor:
        if rows.dtype != torch.bool or rows.shape != (self.num,):
            raise ValueError(
                f"rows must be boolean of shape ({self.num},), found {rows.dtype} of shape "
                f"{tuple(rows.shape)}"
            )
        return rows.to(self.model.start.device)
