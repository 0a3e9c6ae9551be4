"""Images of which some pixels are given: what a model expects of the others."""

from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from seqmdn.data import Batch, GivenPoints, Placed
from seqmdn.distributions import Flowed
from seqmdn.generation import generate
from seqmdn.models import FunctionModel
from seqmdn.runs.run import Run

__all__ = ["Completion", "Completions", "look_completions"]

_DRAWS = 400  # of each pixel, for its mean and deviation


class Completion(NamedTuple):
    """What a model expects of images, given some of their pixels.

    All are in the store's columns, ``(N, height, width * channels)``, in the data's units.

    Attributes:
        given: The pixels that are given, NaN elsewhere.
        mean: Of each pixel by itself; given ones as they are.
        deviation: Of each pixel by itself, the standard one; given ones have none.
        drawn: The given pixels and a draw of the others by the chain rule, in random order: the
            first of all pixels see those drawn before them, and the rest sees these.
    """

    given: Tensor
    mean: Tensor
    deviation: Tensor
    drawn: Tensor


class Completions(NamedTuple):
    """Images, and their completions from what is given.

    Attributes:
        images: As they are, ``(N, height, width * channels)``.
        of: Completions by what is given, such as ``"10 pixels"``.
    """

    images: Tensor
    of: dict[str, Completion]


@torch.no_grad()
def look_completions(
    run: Run, num: int, split: str = "test", seed: int = 0, chain: int | None = None
) -> Completions:
    """Complete the first images of a split from few pixels, from many, and from the upper half.

    Few and many are the fewest and the most that are given in training (``--data.points``), taken
    at random; all of the few are among the many.

    Args:
        run: The run of a neural process on pixels beside their places.
        num: Number N of images, taken again in turn where there are fewer.
        split: Where they come from.
        seed: Seed of the draws.
        chain: How many first pixels of an image, given or drawn, are seen by those behind them: as
            many as are given at most in training, if that is not said. More is asked of a model
            than it has learnt.

    Raises:
        ValueError: If the model or the data are others, no image is asked for, or no chain.
    """
    data, model = run.data, run.model
    store = data.store
    if not isinstance(model, FunctionModel) or not isinstance(store, Placed):
        raise ValueError(
            f"expected a neural process of pixels beside their places, found a "
            f"{type(model).__name__} of {data.name}: train one (--data.scan place)"
        )
    if num < 1:
        raise ValueError(f"expected 1 image or more, found {num}")
    if chain is not None and chain < 1:
        raise ValueError(f"expected a chain of 1 pixel or more, found {chain}")
    rule = data.points or GivenPoints()
    chain = rule.most if chain is None else chain
    indices = store.indices(split)[torch.arange(num) % len(store.indices(split))]
    batch = data.sequences(split, indices, replace(rule, asked=None))
    assert batch.context is not None
    pixels, T = store.pixels(batch.context), batch.values.shape[1]
    half = store.scan.height // 2 * store.scan.width
    upper_first = (pixels >= half).long().argsort(dim=1, stable=True)
    as_they_are = torch.arange(T).expand(num, -1)
    # Where nothing is given at least, nothing is shown of it: that is one pixel.
    wanted = {max(1, rule.least): as_they_are, min(rule.most, T - 1): as_they_are}
    ways = {f"{count} pixels": (count, order) for count, order in wanted.items() if count}
    ways["upper half"] = (half, upper_first)
    found = {}
    for name, (count, order) in ways.items():
        part = _ordered(batch, order)._replace(start=torch.full((num,), count))
        found[name] = _complete(run, model, part, count, min(max(count, chain), T), seed)
    return Completions(data.whole(batch).values, found)


def _complete(
    run: Run, model: FunctionModel, batch: Batch, count: int, chain: int, seed: int
) -> Completion:
    given = batch.values[:, :count]
    values = _independent(model, batch, _DRAWS, seed)  # (S, N, T, D)
    mean, deviation = values.mean(0), values.std(0)
    mean[:, :count], deviation[:, :count] = given, 0
    drawn = values[0]
    if count < chain:
        context = None if batch.context is None else batch.context[:, :chain]
        first = generate(
            model, len(given), chain, context=context, prime=given, chain=chain, seed=seed
        ).values
        drawn = torch.cat((first, batch.values[:, chain:]), dim=1)
        known = batch._replace(values=drawn, start=torch.full_like(batch.lengths, chain))
        drawn = _independent(model, known, 1, seed)[0]
        drawn[:, :chain] = first
    drawn[:, :count] = given
    seen = torch.full_like(batch.values, torch.nan)
    seen[:, :count] = given

    def whole(values: Tensor) -> Tensor:
        return run.data.whole(batch._replace(values=values)).values

    return Completion(whole(seen), whole(mean), whole(deviation), whole(drawn))


def _independent(model: FunctionModel, batch: Batch, draws: int, seed: int) -> Tensor:
    """Draw every point of tasks by itself, ``(S, B, T, D)``; of given ones, whatever comes."""
    density = Flowed(model.distributions(batch)[0], model.transform)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        drawn: Tensor = density.sample(torch.Size([draws]))
    return drawn


def _ordered(batch: Batch, order: Tensor) -> Batch:
    """Put the points of each task in another order ``(B, T)``."""

    def take(part: Tensor | None) -> Tensor | None:
        if part is None:
            return None
        return part.gather(1, order.unsqueeze(-1).expand(-1, -1, part.shape[-1]))

    values = take(batch.values)
    assert values is not None
    return batch._replace(values=values, context=take(batch.context), observed=take(batch.observed))
