"""The density of functions along their input, given some of their points."""

from typing import NamedTuple

import torch
from torch import Tensor

from seqmdn.data import Batch
from seqmdn.distributions import Flowed
from seqmdn.models import FunctionModel
from seqmdn.runs.run import Run

__all__ = ["Functions", "look_functions"]

_POINTS = 400  # of the output


class Functions(NamedTuple):
    """A model's density of outputs y along an input x for N tasks, in the data's units.

    Attributes:
        x: Inputs ``(P,)``, evenly over those of the split.
        y: Outputs ``(Q,)``, evenly over those of the tasks and a tenth beyond.
        density: p(y | x, given points), ``(N, P, Q)``, in 1 / unit of y.
        given: x and y of the points that are given of each task, ``(n, 2)``.
        asked: x and y of the points that are asked for, ``(m, 2)``.
        names: Of x and y.
        unit: Of y.
    """

    x: Tensor
    y: Tensor
    density: Tensor
    given: list[Tensor]
    asked: list[Tensor]
    names: tuple[str, str]
    unit: str


@torch.no_grad()
def look_functions(run: Run, num: int, points: int = 200, split: str = "test") -> Functions:
    """Follow the density of the first tasks of a split along their input.

    Args:
        run: The run of a density of functions of one output on one input.
        num: Number N of tasks.
        points: Number P of inputs.
        split: Where the tasks come from.

    Raises:
        ValueError: If the model is no density of functions, there are other points than of one
            input and one output, not so many tasks, or no points.
    """
    data, model = run.data, run.model
    if not isinstance(model, FunctionModel) or data.context != 1 or data.features != 1:
        raise ValueError(
            "expected a density of functions of one output on one input, found a "
            f"{type(model).__name__} of {data.features} outputs and {data.context} inputs"
        )
    indices = data.store.indices(split)[:num]
    if num < 1 or points < 2 or len(indices) < num:
        raise ValueError(
            f"expected 1 task or more of the {len(data.store.indices(split))} of split {split!r} "
            f"and 2 points or more, found {num} and {points}"
        )
    batch = data.sequences(split, indices)
    assert batch.context is not None
    places = torch.cat((batch.context, batch.values), dim=-1)  # (N, T, 2)
    mask, present = batch.mask(), batch.present()
    low, high = places[present].amin(0).tolist(), places[present].amax(0).tolist()
    beyond = 0.1 * (high[1] - low[1])
    x = torch.linspace(low[0], high[0], points)
    y = torch.linspace(low[1] - beyond, high[1] + beyond, _POINTS)
    # One task at a time: as many points are given as are, and the inputs are asked for behind them.
    densities = []
    for task, asked, known in zip(places, mask, present, strict=True):
        given = task[known & ~asked]
        inputs = torch.cat((given[:, :1], x.unsqueeze(1)))
        outputs = torch.cat((given[:, 1:], y[:1].expand(points, 1)))
        whole, start = torch.tensor([len(inputs)]), torch.tensor([len(given)])
        along = Batch(outputs.unsqueeze(0), whole, inputs.unsqueeze(0), start)
        density = Flowed(model.distributions(along)[0], model.transform)  # (1, n + P)
        values = y[:, None, None, None].expand(-1, 1, len(inputs), 1)
        densities.append(density.log_prob(values)[:, 0, len(given) :].exp().T)
    return Functions(
        x=x,
        y=y,
        density=torch.stack(densities),
        given=[t[known & ~asked] for t, asked, known in zip(places, mask, present, strict=True)],
        asked=[task[asked] for task, asked in zip(places, mask, strict=True)],
        names=(data.store.context_names[0], data.store.names[0]),
        unit=data.store.unit,
    )
