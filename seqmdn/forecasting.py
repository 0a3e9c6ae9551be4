"""How well a model sees what comes several steps ahead, when only the contexts are known."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
from lightning.pytorch.utilities import move_data_to_device
from torch import Tensor

from seqmdn.data import Batch
from seqmdn.metrics import energy_score
from seqmdn.metrics.draws import seeded
from seqmdn.models import SequenceModel
from seqmdn.scoring import first_part

__all__ = ["Forecasts", "forecast"]

_ROWS = 2**12  # futures that are drawn at a time, those of one origin at the least


class Forecasts(NamedTuple):
    """Scores of N forecasts at K horizons, sequence after sequence, origin after origin.

    Two models on the same sequences have the same forecasts, one by one.

    Attributes:
        horizons: How many steps ahead each column is.
        log_prob: In nats a frame, in the data's units, float64 ``(N, K)``. Exact one step ahead;
            further on, a lower bound in expectation.
        energy: Energy score in the data's units, float64 ``(N, K)``; smaller is better.
        sequence: Number of the sequence ``(N,)``.
        origin: Frame of it that is one step ahead ``(N,)``.
    """

    horizons: tuple[int, ...]
    log_prob: Tensor
    energy: Tensor
    sequence: Tensor
    origin: Tensor

    def per_sequence(self, scores: Tensor) -> Tensor:  # (N, K) -> (sequences, K)
        """Return the means over the origins of each sequence that was long enough."""
        return torch.stack(
            [scores[self.sequence == each].mean(0) for each in self.sequence.unique()]
        )


@torch.inference_mode()
def forecast(
    model: SequenceModel,
    batches: Iterable[Batch],
    horizons: Sequence[int] = (1, 5, 20, 100),
    given: int = 60,
    every: int = 50,
    draws: int = 200,
    seed: int = 0,
) -> Forecasts:
    r"""Judge what a model expects k steps ahead, given frames and all contexts up to there.

    Futures :math:`y^s` are drawn frame by frame under the real contexts, and the real frame k steps
    ahead is scored by the exact density that each drawn past leads to:

    .. math:: \log \frac1S \sum_{s=1}^S p(y_{t+k} | y_{t+k-1:t+1}^s, y_{\le t}, x_{\le t+k})

    One step ahead no draw matters and this is the exact log-density. Further on, the mean estimates
    the density without bias, so that its logarithm is a lower bound in expectation, which rises to
    the log-density with the number of draws. The energy score is that of the drawn frames, by its
    unbiased estimator.

    Of frames of independent parts the first one is judged: the latents of a world model, whose
    rewards are drawn along. A bit of the end counts as not set in drawn pasts, since what is real
    went on.

    The model sees nothing before the given frames, which are those of a sequence that begins there.
    Forecasts begin behind its first ``given`` frames and every so many after, as long as the
    furthest horizon lies within the sequence. Their random numbers follow from these arguments and
    their places alone, so that two models draw from the same ones, as far as they need as many.

    Args:
        model: The model, in evaluation mode.
        batches: Sequences, whole.
        horizons: k, each 1 or more.
        given: Real frames before each forecast.
        every: Frames between two origins.
        draws: Futures S of each, at least 2. Those of 4,096 together, or of one origin, are held at
            a time.
        seed: Seed of the draws; the state of torch's global generators is not touched.

    Raises:
        ValueError: If the model has no densities of single frames, an argument is out of range,
            features may be missing, there are texts, or no sequence is long enough.

    Example:
        >>> model = SequenceModel(features=2).eval()
        >>> batch = Batch(values=torch.randn(3, 30, 2), lengths=torch.tensor([30, 17, 9]))
        >>> found = forecast(model, [batch], horizons=(1, 5), given=10, every=5, draws=20)
        >>> found.log_prob.shape, found.sequence.tolist(), found.origin.tolist()
        (torch.Size([5, 2]), [0, 0, 0, 0, 1], [10, 15, 20, 25, 10])
    """
    if not isinstance(model, SequenceModel):
        raise ValueError(
            f"a {type(model).__name__} has no density of single frames to score: expected a"
            " SequenceModel"
        )
    for name, value, least in (("given", given, 1), ("every", every, 1), ("draws", draws, 2)):
        if value < least:
            raise ValueError(f"{name} must be at least {least}, found {value}")
    steps = tuple(horizons)
    if not steps or min(steps) < 1 or list(steps) != sorted(set(steps)):
        raise ValueError(f"horizons must rise from 1 or more, each once, found {list(steps)}")
    device, furthest = model.start.device, max(steps)
    scores: list[tuple[Tensor, Tensor]] = []
    places: list[tuple[int, int]] = []
    for number, sequence in enumerate(_sequences(batches)):
        sequence = move_data_to_device(sequence, device)
        origins = range(given, sequence.values.shape[1] - furthest + 1, every)
        for part in _parts(origins, max(1, _ROWS // draws)):
            with seeded(device, seed, number, part[0]):
                scores.append(_judge(model, sequence, part, given, steps, draws))
            places += [(number, origin) for origin in part]
    if not scores:
        raise ValueError(
            f"expected a sequence of {given} given frames and {furthest} more, found none: lower "
            "the furthest horizon, or give less"
        )
    log_prob, energy = (torch.cat(each) for each in zip(*scores, strict=True))
    numbers, firsts = torch.tensor(places).unbind(1)
    return Forecasts(steps, log_prob, energy, numbers, firsts)


def _sequences(batches: Iterable[Batch]) -> Iterator[Batch]:
    """Take batches apart into sequences without padding."""
    for batch in batches:
        if batch.observed is not None or batch.text is not None:
            raise ValueError(
                "expected sequences without missing features and texts, found some with: only "
                "others are forecast"
            )
        for place, length in enumerate(batch.lengths.tolist()):
            one = batch.part(place, place + 1)
            context = None if one.context is None else one.context[:, :length]
            yield Batch(one.values[:, :length], one.lengths, context)


def _parts(origins: range, size: int) -> Iterator[range]:
    for first in range(0, len(origins), size):
        yield origins[first : first + size]


def _judge(
    model: SequenceModel,
    sequence: Batch,
    origins: range,
    given: int,
    horizons: tuple[int, ...],
    draws: int,
) -> tuple[Tensor, Tensor]:  # (O, K) each
    """Score the forecasts of some origins O of one sequence."""

    def windows(frames: Tensor) -> Tensor:  # (1, T, D) -> (O, given + furthest, D)
        ends = [(origin - given, origin + horizons[-1]) for origin in origins]
        return torch.stack([frames[0, first:last] for first, last in ends])

    def each(part: Tensor) -> Tensor:  # (O, ...) -> (O S, ...)
        return part.repeat_interleave(draws, dim=0)

    values = windows(sequence.values)
    known = None if sequence.context is None else windows(sequence.context)

    def context(t: int) -> Tensor | None:  # (O, X)
        return None if known is None else known[:, t]

    z = model.transform.call_and_ladj(values)[0]
    h, state = model.advance(None, context(0), batch_size=len(origins))
    for t in range(given):
        h, state = model.advance(z[:, t], context(t + 1), state)
    C = first_part(model.head(h)).event_shape[0]
    judged = torch.arange(model.features, device=values.device) < C
    ladj = model.transform.call_and_ladj(values, judged.expand_as(values))[1]
    h, state = each(h), tuple(each(part) for part in state)
    log_prob, energy = [], []
    for k in range(1, horizons[-1] + 1):
        t = given + k - 1  # of the frame k steps ahead
        drawn = _draw(model, h)
        if k in horizons:
            density = first_part(model.head(h))
            found = density.log_prob(each(z[:, t, :C])).double().unflatten(0, (-1, draws))
            log_prob.append(found.logsumexp(1) - math.log(draws) + ladj[:, t].double())
            frames = model.transform.inverse(drawn)[:, :C].unflatten(0, (-1, draws))
            energy.append(energy_score(frames.transpose(0, 1), values[:, t, :C]).double())
        if k < horizons[-1]:
            now = context(t + 1)
            h, state = model.advance(drawn, None if now is None else each(now), state)
    return torch.stack(log_prob, dim=1).cpu(), torch.stack(energy, dim=1).cpu()


def _draw(model: SequenceModel, h: Tensor) -> Tensor:  # (N, D)
    """Draw frames that go on, in the transform's units."""
    head: Any = model.head
    drawn: Tensor = head.draw(h) if hasattr(head, "draw") else head(h).sample()
    last: Callable[[Tensor], Tensor | None] | None = getattr(head, "last", None)
    if last is not None and last(drawn) is not None:
        drawn[:, -1] = 0
    return drawn
