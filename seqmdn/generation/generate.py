"""Drawing sequences from a model, one frame after another."""

import math
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from seqmdn.data import Batch
from seqmdn.generation.lengths import NOT_FINITE, Lengths
from seqmdn.generation.randomness import Randomness, evaluating
from seqmdn.generation.steps import Steps
from seqmdn.models import FrameModel

__all__ = ["bias", "generate", "stream"]

Stop = Callable[[Tensor], Tensor]


def generate(
    model: FrameModel,
    num: int,
    length: int,
    *,
    context: Tensor | None = None,
    text: Sequence[str] | str | None = None,
    prime: Tensor | None = None,
    primed: Tensor | None = None,
    mixing: float = 1.0,
    scale: float = 1.0,
    bits: float = 1.0,
    chain: int = 0,
    stop: Stop | None = None,
    seed: int = 0,
) -> Batch:
    r"""Draw sequences, as many at once as asked for.

    The temperatures sharpen (below 1) or blur (above 1) each step's mixture before the draw:
    ``mixing`` replaces the weights :math:`\pi_k` by :math:`\pi_k^{1/\text{mixing}}`, renormalised,
    ``scale`` multiplies every component's covariance, and ``bits`` divides the logits of bits,
    where the frames have some. With a flow, the first two act on the mixture beneath it. At 1 the
    draws are the model's own.

    Args:
        model: The model; it is left in the mode (training or evaluation) it was in.
        num: Number of sequences B.
        length: Number of frames T of each at most, the primed ones included.
        context: Context of every frame ``(B, T, X)`` or of more, where the model has one.
        text: What each sequence says, or all of them, where the model reads texts. That of a prime
            comes first.
        prime: First frames ``(B, P, D)`` or ``(P, D)`` of real sequences, in the data's units; the
            draws go on from there, P <= T.
        primed: How many frames of each prime are real ``(B,)``; all P where left out.
        mixing: Temperature of the mixing weights.
        scale: Temperature of the components' covariances.
        bits: Temperature of bits.
        chain: Number of first values of a neural process, primed ones included, that are given to
            those behind them even where they are drawn: together they are then a draw by the chain
            rule, and not one of each by itself. No more than were given in training.
        stop: Says of frames ``(B, D)`` which are the last of their sequence ``(B,)``, for example
            ``lambda frame: frame[:, 2] > 0.5``. By default a sequence ends where the model says so:
            by a bit of its own (``mark_end`` of the data), or else where its text ends.
        seed: Seed of the draws; the state of torch's global generators is not touched.

    Returns:
        A batch with values ``(B, T, D)`` in the data's units, 0 after the end of a sequence,
        lengths ``(B,)``, the context of these frames, and, with a prime, the ``start`` of what was
        drawn. Where all sequences have stopped, T is the longest of them.

    Raises:
        ValueError: If a size or a temperature is out of range, a shape does not fit, or a text
            holds a character that the model never saw.
        FloatingPointError: If what is drawn is not finite.

    References:
        Generating Sequences With Recurrent Neural Networks (Graves, 2013), for priming and bias: a
        bias b is ``mixing = 1 / (1 + b)`` and ``scale = exp(-2 b)`` (:func:`bias`).
        World Models (Ha, Schmidhuber, 2018), for the temperature: there ``mixing`` and ``scale``
        are one number. A Neural Representation of Sketch Drawings (Ha, Eck, 2018), where ``bits``
        is that number, too. Autoregressive Conditional Neural Processes (Bruinsma et al., 2023),
        for the chain.

    Example:
        >>> from seqmdn.models import SequenceModel
        >>> batch = generate(SequenceModel(features=2), num=3, length=5, prime=torch.ones(2, 2))
        >>> batch.values.shape, batch.lengths, batch.values[0, :2].tolist()
        (torch.Size([3, 5, 2]), tensor([5, 5, 5]), [[1.0, 1.0], [1.0, 1.0]])
    """
    steps = Steps(model, num, context, text, prime, primed, mixing, scale, bits, chain)
    lengths = Lengths(steps, length)
    drawn: list[Tensor] = []
    with evaluating(model), torch.inference_mode(), Randomness(seed, model.start.device)():
        for t, (frame, state) in zip(range(length), steps, strict=False):
            drawn.append(frame)
            last = model.ended(frame, state) if stop is None else stop(frame)
            if lengths.end(t, last):
                break
    # Stacked outside of inference mode, frames are ones that a user can train with.
    batch = Batch(
        values=torch.stack(drawn, dim=1),
        lengths=lengths.lengths.clone(),
        start=None if prime is None else steps.primed.clone(),
    )
    batch = batch._replace(values=batch.values.where(batch.present().unsqueeze(-1), 0))
    if not bool(batch.values.isfinite().all()):
        raise FloatingPointError(NOT_FINITE)
    if context is not None:
        batch = batch._replace(context=context[:, : batch.values.shape[1]].to(batch.values))
    return batch


def stream(
    model: FrameModel,
    num: int = 1,
    *,
    context: Tensor | None = None,
    text: Sequence[str] | str | None = None,
    prime: Tensor | None = None,
    primed: Tensor | None = None,
    mixing: float = 1.0,
    scale: float = 1.0,
    bits: float = 1.0,
    seed: int = 0,
) -> Iterator[Tensor]:
    """Draw frames without end, each handed out as soon as it is drawn.

    Arguments and errors are those of :func:`generate`.

    Yields:
        Frames ``(B, D)`` in the data's units, the primed ones first. With a context the stream ends
        where the context ends.

    Example:
        >>> from seqmdn.models import SequenceModel
        >>> frames = stream(SequenceModel(features=2), num=3)
        >>> next(frames).shape
        torch.Size([3, 2])
    """
    steps = Steps(model, num, context, text, prime, primed, mixing, scale, bits)
    return _stream(model, steps, Randomness(seed, model.start.device))


def bias(strength: float) -> dict[str, float]:
    r"""Return the temperatures that make a bias of Graves' form.

    With a bias b his network's standard deviations :math:`e^{\hat\sigma}` become
    :math:`e^{\hat\sigma - b}`, and the weights the softmax of :math:`\hat\pi (1 + b)`; how strokes
    end stays as it is.

    Args:
        strength: b, at least 0; 0 changes nothing.

    Raises:
        ValueError: If it is negative.

    Example:
        >>> bias(1.0)
        {'mixing': 0.5, 'scale': 0.1353352832366127}
    """
    if not 0 <= strength < math.inf:
        raise ValueError(f"a bias is 0 or more, found {strength}")
    return {"mixing": 1 / (1 + strength), "scale": math.exp(-2 * strength)}


def _stream(model: FrameModel, steps: Steps, randomness: Randomness) -> Iterator[Tensor]:
    while True:
        with evaluating(model), torch.inference_mode(), randomness():
            step = next(steps, None)
        if step is None:
            return
        # Cloned outside of inference mode, a frame is one that a user can train with.
        yield step[0].clone()
