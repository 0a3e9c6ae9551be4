"""Drawing sequences from a model, one frame after another."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import torch
from torch import Tensor

from seqmdn.data import Batch
from seqmdn.models import SequenceModel

__all__ = ["generate", "stream"]

Stop = Callable[[Tensor], Tensor]


def generate(
    model: SequenceModel,
    num: int,
    length: int,
    *,
    context: Tensor | None = None,
    prime: Tensor | None = None,
    mixing: float = 1.0,
    scale: float = 1.0,
    stop: Stop | None = None,
    seed: int = 0,
) -> Batch:
    r"""Draw sequences, as many at once as asked for.

    The temperatures sharpen (below 1) or blur (above 1) each step's mixture before the draw:
    ``mixing`` replaces the weights :math:`\pi_k` by :math:`\pi_k^{1/\text{mixing}}`, renormalised,
    and ``scale`` multiplies every component's covariance. With a flow, both act on the mixture
    beneath it. At 1 the draws are the model's own.

    Args:
        model: The model; it is left in the mode (training or evaluation) it was in.
        num: Number of sequences B.
        length: Number of frames T of each, the primed ones included.
        context: Context of every frame ``(B, T, X)`` or of more, where the model has one.
        prime: First frames ``(B, P, D)`` or ``(P, D)`` of real sequences, in the data's units; the
            draws go on from there, P <= T.
        mixing: Temperature of the mixing weights.
        scale: Temperature of the components' covariances.
        stop: Says of frames ``(B, D)`` which are the last of their sequence ``(B,)``, for example
            ``lambda frame: frame[:, 2] > 0.5`` for strokes with an end marker.
        seed: Seed of the draws; the state of torch's global generators is not touched.

    Returns:
        A batch with values ``(B, T, D)`` in the data's units, 0 after the end of a sequence,
        lengths ``(B,)``, and the context of these frames. Where all sequences have stopped, T is
        the longest of them.

    Raises:
        ValueError: If a size or a temperature is out of range, or a shape does not fit.

    References:
        Generating Sequences With Recurrent Neural Networks (Graves, 2013), for priming.
        World Models (Ha, Schmidhuber, 2018), for the temperature: there ``mixing`` and ``scale``
        are one number.

    Example:
        >>> batch = generate(SequenceModel(features=2), num=3, length=5, prime=torch.ones(2, 2))
        >>> batch.values.shape, batch.lengths, batch.values[0, :2].tolist()
        (torch.Size([3, 5, 2]), tensor([5, 5, 5]), [[1.0, 1.0], [1.0, 1.0]])
    """
    frames = stream(model, num, context=context, prime=prime, mixing=mixing, scale=scale, seed=seed)
    primed = 0 if prime is None else prime.shape[-2]
    if length < max(1, primed):
        raise ValueError(f"length must be at least {max(1, primed)}, found {length}")
    if context is not None and context.shape[1] < length:
        raise ValueError(
            f"length {length} needs as many frames of context, found {context.shape[1]}"
        )
    drawn: list[Tensor] = []
    lengths = torch.full((num,), length, device=model.start.device)
    going = torch.ones(num, dtype=torch.bool, device=model.start.device)
    for t, frame in zip(range(length), frames, strict=False):
        drawn.append(frame.where(going.unsqueeze(-1), 0))
        if stop is not None and t >= primed:
            ended = going & stop(frame)
            lengths = torch.where(ended, t + 1, lengths)
            going = going & ~ended
            if not going.any():
                break
    values = torch.stack(drawn, dim=1)
    if context is not None:
        context = context[:, : values.shape[1]].to(values)
    return Batch(values=values, lengths=lengths, context=context)


def stream(
    model: SequenceModel,
    num: int = 1,
    *,
    context: Tensor | None = None,
    prime: Tensor | None = None,
    mixing: float = 1.0,
    scale: float = 1.0,
    seed: int = 0,
) -> Iterator[Tensor]:
    """Draw frames without end, each handed out as soon as it is drawn.

    Arguments and errors are those of :func:`generate`.

    Yields:
        Frames ``(B, D)`` in the data's units, the primed ones first. With a context the stream ends
        where the context ends.

    Example:
        >>> frames = stream(SequenceModel(features=2), num=3)
        >>> next(frames).shape
        torch.Size([3, 2])
    """
    if num < 1:
        raise ValueError(f"num must be at least 1, found {num}")
    if not (mixing > 0 and scale > 0):
        raise ValueError(f"temperatures must be positive, found mixing={mixing}, scale={scale}")
    device, dtype = model.start.device, model.start.dtype
    if prime is not None:
        if prime.ndim not in (2, 3) or prime.shape[-1] != model.features:
            raise ValueError(
                f"prime must have shape (B, P, {model.features}) or (P, {model.features}), "
                f"found {tuple(prime.shape)}"
            )
        if prime.ndim == 3 and len(prime) not in (1, num):
            raise ValueError(f"prime must hold 1 or {num} sequences, found {len(prime)}")
        prime = prime.expand(num, *prime.shape[-2:]).to(device, dtype)
    if context is None:
        if model.context:
            raise ValueError(f"the model needs a context of {model.context} features, found none")
    else:
        width = model.context or context.shape[-1]  # a model without context looks at none
        if context.ndim != 3 or context.shape[::2] != (num, width):
            raise ValueError(
                f"context must have shape ({num}, T, {width}), found {tuple(context.shape)}"
            )
        context = context.to(device, dtype)
    return _stream(model, num, context, prime, mixing, scale, _Randomness(seed, device))


def _stream(
    model: SequenceModel,
    num: int,
    context: Tensor | None,
    prime: Tensor | None,
    mixing: float,
    scale: float,
    randomness: "_Randomness",
) -> Iterator[Tensor]:
    primed = 0 if prime is None else prime.shape[1]
    state: tuple[Tensor, ...] | None = None
    previous: Tensor | None = None
    t = 0
    while context is None or t < context.shape[1]:
        now = None if context is None else context[:, t]
        with _evaluating(model), torch.inference_mode(), randomness():
            density, state = model.step(previous, now, state, batch_size=num)
            if prime is not None and t < primed:
                frame = prime[:, t]
                previous = model.transform.call_and_ladj(frame)[0]
            else:
                if (mixing, scale) != (1.0, 1.0):
                    density = cast(Any, density).tempered(mixing=mixing, scale=scale)
                previous = density.sample()
                frame = model.transform.inverse(previous)
        # Cloned outside of inference mode, a frame is one that a user can train with.
        yield frame.clone()
        t += 1


class _Randomness:
    """A stream of random numbers of its own, entered and left without touching the global one."""

    def __init__(self, seed: int, device: torch.device) -> None:
        self.seed = seed
        self.devices = [device] if device.type == "cuda" else []
        self.states: list[Tensor] | None = None

    @contextmanager
    def __call__(self) -> Iterator[None]:
        with torch.random.fork_rng(devices=self.devices):
            if self.states is None:
                # torch.manual_seed would seed the devices that the model is not on as well.
                torch.default_generator.manual_seed(self.seed)
                for device in self.devices:
                    with torch.cuda.device(device):
                        torch.cuda.manual_seed(self.seed)
            else:
                torch.set_rng_state(self.states[0])
                for device, state in zip(self.devices, self.states[1:], strict=True):
                    torch.cuda.set_rng_state(state, device)
            yield
            self.states = [torch.get_rng_state()]
            self.states += [torch.cuda.get_rng_state(device) for device in self.devices]


@contextmanager
def _evaluating(model: torch.nn.Module) -> Iterator[None]:
    before = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        # Module by module: a part may have been frozen in another mode than the whole.
        for module, training in before:
            module.training = training
