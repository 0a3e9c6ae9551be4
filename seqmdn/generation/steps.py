"""One step of a draw after another."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from seqmdn.data import encode
from seqmdn.distributions import Joint
from seqmdn.heads import JointHead
from seqmdn.models import FrameModel, FunctionModel

__all__ = ["Steps"]


class Steps:
    """The steps of a draw, one after another: frames ``(B, D)`` and the states they were drawn in.

    Whoever takes a step says under which random numbers, and in which mode of the model. Steps are
    taken by iterating, under a context that is given here, or one by one by :meth:`take`.

    Arguments and errors are those of :func:`seqmdn.generation.generate`, and one more.

    Args:
        later: Whether the context of a step is not given before :meth:`take`.

    Attributes:
        primed: How many frames of each sequence are not drawn but real, ``(B,)``.
        h: What the head saw in the last step ``(B, H)``.

    Example:
        >>> from seqmdn.models import SequenceModel
        >>> steps = Steps(SequenceModel(features=2), num=3)
        >>> frame, state = next(steps)
        >>> frame.shape, steps.primed.tolist()
        (torch.Size([3, 2]), [0, 0, 0])
    """

    def __init__(
        self,
        model: FrameModel,
        num: int,
        context: Tensor | None = None,
        text: Sequence[str] | str | None = None,
        prime: Tensor | None = None,
        primed: Tensor | None = None,
        mixing: float = 1.0,
        scale: float = 1.0,
        bits: float = 1.0,
        chain: int = 0,
        later: bool = False,
    ) -> None:
        if num < 1:
            raise ValueError(f"num must be at least 1, found {num}")
        if chain < 0 or (chain and not isinstance(model, FunctionModel)):
            raise ValueError(
                "expected a chain of 0 values or more, of a density of functions, found one of "
                f"{chain} and a {type(model).__name__}: leave it out"
            )
        if not (mixing > 0 and scale > 0 and bits > 0):
            raise ValueError(
                f"temperatures must be positive, found mixing={mixing}, scale={scale}, bits={bits}"
            )
        self.model = model
        self.num = num
        self.chain = chain
        device, dtype = model.start.device, model.start.dtype
        self.prime, self.primed = _prime(model, num, prime, primed)
        if context is None:
            if model.context and not later:
                raise ValueError(
                    f"the model needs a context of {model.context} features, found none"
                )
        else:
            width = model.context or context.shape[-1]  # a model without context looks at none
            if context.ndim != 3 or context.shape[::2] != (num, width):
                raise ValueError(
                    f"context must have shape ({num}, T, {width}), found {tuple(context.shape)}"
                )
            context = context.to(device, dtype)
        self.context = context
        texts = [text] * num if isinstance(text, str) else text
        if texts is not None and len(texts) != num:
            raise ValueError(f"expected a text for each of {num} sequences, found {len(texts)}")
        codes = None if texts is None else encode(texts).to(device)
        with torch.inference_mode():
            self.state = self.begun = model.begin(codes)
        # A head of one's own may have no temperatures, and is asked for none in vain.
        changed = {"mixing": mixing, "scale": scale, "bits": bits}
        self.tempering = {name: value for name, value in changed.items() if value != 1}
        self.draws = hasattr(model.head, "draw")
        if self.draws and not isinstance(model.head, JointHead):
            self.tempering.pop("bits", None)
        self.previous: Tensor | None = None
        self.fresh: Tensor | None = None  # sequences that begin anew with the next step
        self.h: Tensor | None = None
        self.t = 0

    def __iter__(self) -> Iterator[tuple[Tensor, tuple[Tensor, ...]]]:
        return self

    def __next__(self) -> tuple[Tensor, tuple[Tensor, ...]]:
        t = self.t
        if self.context is not None and t >= self.context.shape[1]:
            raise StopIteration
        now = None if self.context is None else self.context[:, t]
        if self.prime is None or t >= self.prime.shape[1]:
            return self.take(now)
        return self.take(now, self.prime[:, t], t < self.primed)

    def take(
        self, now: Tensor | None, frame: Tensor | None = None, rows: Tensor | None = None
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Go one step on under a context that is known by now, whatever was given before.

        Args:
            now: Context of this step ``(B, X)``, None where the model has none.
            frame: Real frames ``(B, D)`` in place of drawn ones, in the data's units.
            rows: Which of them are real ``(B,)``; of the others, any value will do.

        Returns:
            The frames ``(B, D)`` in the data's units, and the state they were drawn in.
        """
        model = self.model
        h, state = self._advance(now)
        if frame is None or rows is None:
            z = self._draw(h)
            frame = model.transform.inverse(z)
            if self.t < self.chain:
                state = model.told(z, state, torch.ones_like(self.primed, dtype=torch.bool))
        else:
            real = rows.unsqueeze(-1)
            if bool(real.all()):
                z = model.transform.call_and_ladj(frame)[0]
            else:
                z = self._draw(h)
                # Of rows that are drawn, a prime may hold what no transform accepts.
                frame = frame.where(real, model.transform.inverse(z))
                z = model.transform.call_and_ladj(frame)[0].where(real, z)
            told = rows | (self.t < self.chain)
            state = model.told(z, state, told)
        self.previous, self.state, self.h, self.t = z, state, h, self.t + 1
        return frame, state

    def restart(self, rows: Tensor) -> None:
        """Let sequences begin anew: their next step is a first one, from the learned start frame.

        Args:
            rows: Which of them, boolean ``(B,)``.
        """
        if self.previous is not None:
            self.fresh = rows if self.fresh is None else self.fresh | rows

    def _advance(self, now: Tensor | None) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Go one step on; return what the head sees and the state, of rows that begin their own."""
        model, fresh, self.fresh = self.model, self.fresh, None
        if fresh is not None and bool(fresh.all()):
            self.previous, self.state, fresh = None, self.begun, None
        h, state = model.advance(self.previous, now, self.state, batch_size=self.num)
        if fresh is None or not bool(fresh.any()):
            return h, state
        # What a state is before the first step only the backbone knows: let it take one.
        begun = None if self.begun is None else tuple(part[fresh] for part in self.begun)
        first = None if now is None else now[fresh]
        own, after = model.advance(None, first, begun, batch_size=int(fresh.sum()))
        places = fresh.nonzero().squeeze(1)
        h = h.index_copy(0, places, own)
        return h, tuple(
            part.index_copy(0, places, new) for part, new in zip(state, after, strict=True)
        )

    def _draw(self, h: Tensor) -> Tensor:  # (B, D)
        """Draw the next frame in the model's units, by the head's own way if it has one."""
        head: Any = self.model.head
        if self.draws:
            drawn: Tensor = head.draw(h, **self.tempering)
            return drawn
        density, tempering = head(h), self.tempering
        if not isinstance(density, Joint):
            tempering = {name: value for name, value in tempering.items() if name != "bits"}
        drawn = (density.tempered(**tempering) if tempering else density).sample()
        return drawn


def _prime(
    model: FrameModel, num: int, prime: Tensor | None, primed: Tensor | None
) -> tuple[Tensor | None, Tensor]:
    """Return a prime (B, P, D) in the model's units and dtype, and how much of it is real (B,)."""
    device = model.start.device
    if prime is None:
        if primed is not None:
            raise ValueError("primed says how much of a prime is real: give the prime as well")
        return None, torch.zeros(num, dtype=torch.int64, device=device)
    if prime.ndim not in (2, 3) or prime.shape[-1] != model.features:
        raise ValueError(
            f"prime must have shape (B, P, {model.features}) or (P, {model.features}), "
            f"found {tuple(prime.shape)}"
        )
    if prime.ndim == 3 and len(prime) not in (1, num):
        raise ValueError(f"prime must hold 1 or {num} sequences, found {len(prime)}")
    prime = prime.expand(num, *prime.shape[-2:]).to(device, model.start.dtype)
    most = prime.shape[1]
    if primed is None:
        return prime, torch.full((num,), most, device=device)
    if primed.shape != (num,) or not bool(((primed >= 0) & (primed <= most)).all()):
        raise ValueError(
            f"primed must be {num} numbers of frames between 0 and {most}, found {primed.tolist()}"
        )
    primed = primed.to(device)
    return prime, primed
