"""The density of one target along one input, and where its modes are."""

from typing import NamedTuple

import torch
from torch import Tensor

from seqmdn.distributions import Mixture
from seqmdn.models import ExactModel, conditional
from seqmdn.runs.run import Run

__all__ = ["Conditional", "distinct_modes", "look_conditional"]

_POINTS = 400  # of the target
_ROWS = 2000  # real ones that are shown


class Conditional(NamedTuple):
    """A model's density of a target y along an input x, in the data's units.

    Attributes:
        x: Inputs ``(P,)``, evenly over those of the split.
        y: Targets ``(Q,)``, evenly over those of the split and a tenth beyond.
        density: p(y | x), ``(P, Q)``, in 1 / unit of y.
        mean: Of the density, ``(P,)``, None where it is not known in closed form.
        modes: x and y of every mode ``(M, 2)``, None where the density is no Gaussian mixture.
        rows: x and y of real rows ``(N, 2)``.
        names: Of x and y.
        unit: Of y.
    """

    x: Tensor
    y: Tensor
    density: Tensor
    mean: Tensor | None
    modes: Tensor | None
    rows: Tensor
    names: tuple[str, str]
    unit: str


@torch.no_grad()
def look_conditional(run: Run, points: int = 200, split: str = "test") -> Conditional:
    """Follow a regression's density along its input.

    Args:
        run: The run of a model of one target given one input, row by row.
        points: Number P of inputs.
        split: Whose rows say how far x and y reach.

    Raises:
        ValueError: If there are other rows than of one input and one target, no points, or the
            model has no density of single rows.
    """
    data, model = run.data, run.model
    if not isinstance(model, ExactModel) or data.context != 1 or data.features != 1:
        raise ValueError(
            f"expected a regression of one target on one input, found a {type(model).__name__} of "
            f"{data.features} targets and {data.context} inputs: its report (`seqmdn report`) shows"
            " what was expected of single rows"
        )
    if points < 2:
        raise ValueError(f"expected 2 points or more, found {points}")
    indices = data.store.indices(split)
    batch = data.sequences(split, indices)
    assert batch.context is not None
    present = batch.present()
    rows = torch.stack((batch.context[present][:, 0], batch.values[present][:, 0]), dim=1)
    (left, low), (right, high) = rows.amin(0).tolist(), rows.amax(0).tolist()
    beyond = 0.1 * (high - low)
    x = torch.linspace(left, right, points)
    y = torch.linspace(low - beyond, high + beyond, _POINTS)
    density = conditional(model, x.unsqueeze(1))
    log_prob = density.log_prob(y[:, None, None].expand(-1, points, 1))  # (Q, P)
    modes = None
    if isinstance(density, Mixture):
        found = [
            torch.cat((torch.full_like(own, at), own), dim=1)
            for at, own in zip(x.tolist(), distinct_modes(density), strict=True)
        ]
        modes = torch.cat(found)
    return Conditional(
        x=x,
        y=y,
        density=log_prob.exp().T,
        mean=density.mean[:, 0] if isinstance(density, Mixture) else None,
        modes=modes,
        rows=rows[:: -(-len(rows) // _ROWS)],
        names=(data.store.context_names[0], data.store.names[0]),
        unit=data.store.unit,
    )


def distinct_modes(mixture: Mixture, least: float = 0.05) -> list[Tensor]:
    """Return the modes of each mixture ``(M, D)``, the highest first, each of them once.

    Args:
        mixture: Of batch shape ``(N,)``.
        least: Lowest density of a mode, as a share of the highest one's: components that have died
            have modes, too.

    Example:
        >>> from torch.distributions import Categorical
        >>> from seqmdn.distributions import LowRankPrecisionNormal
        >>> loc = torch.tensor([[[0.0], [0.1], [5.0], [99.0]]])
        >>> logits = torch.tensor([[0.0, 0.0, 1.0, -9.0]])
        >>> normals = LowRankPrecisionNormal(loc, torch.ones(1, 4, 1))
        >>> (modes,) = distinct_modes(Mixture(Categorical(logits=logits), normals))
        >>> modes.squeeze(1)
        tensor([5.0000, 0.0500])
    """
    places, heights = mixture.modes()  # (N, K, D), (N, K)
    apart = 1e-3 * mixture.stddev  # what mean-shift leaves between two ways to one mode is less
    found = []
    for own, height, near in zip(places, heights, apart, strict=True):
        kept: list[Tensor] = []
        for k in height.argsort(descending=True).tolist():
            if (height[k] - height.max()).exp() < least:
                break
            if all(bool(((own[k] - other).abs() > near).any()) for other in kept):
                kept.append(own[k])
        found.append(torch.stack(kept))
    return found
