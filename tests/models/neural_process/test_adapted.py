"""Networks that are adapted: by which steps, with which gradients, in every mode."""

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from seqmdn.data import Batch
from seqmdn.heads import FlooredMixtureHead, MixtureHead
from seqmdn.models import AdaptedProcess
from tests.contracts import perturbed
from tests.models.neural_process.kinds import GIVEN, LENGTHS, D, X, tasks
from tests.models.neural_process.test_function import assert_learns_to_use_given_points

HEADS = {
    "one gaussian": partial(FlooredMixtureHead, components=1),
    "a mixture": partial(MixtureHead, components=3, covariance="lowrank", rank=1),
}
ADAPTS = ("weights", "context")
RATE = {"weights": 0.03, "context": 0.3}


def build(
    adapts: Any, head: str = "one gaussian", unit: float = 1.0, **options: Any
) -> AdaptedProcess:
    torch.manual_seed(0)
    options = {"rate": RATE[adapts], "steps": 2, "hidden": 8, "layers": 2, "size": 4} | options
    model = AdaptedProcess(D, X, HEADS[head], adapts, **options)
    generator = torch.Generator().manual_seed(5)
    values = 5 + unit * torch.randn(100, D, generator=generator).double()
    model.double().initialise(values, torch.randn(100, X, generator=generator).double())
    return perturbed(model, 0.2)


def gradients(model: AdaptedProcess, loss: Tensor) -> dict[str, Tensor]:
    names, parameters = zip(*model.named_parameters(), strict=True)
    return dict(zip(names, torch.autograd.grad(loss, parameters), strict=True))


def log_prob_by_hand(
    weights: Sequence[Tensor], beside: Tensor, x: Tensor, y: Tensor, narrowest: float = 0.1
) -> Tensor:
    """Of points (T, D) under one Gaussian each, feature by feature."""
    h = torch.cat((x, beside.expand(len(x), -1)), dim=-1)
    for i in (0, 2):
        h = (h @ weights[i].T + weights[i + 1]).clamp(min=0)
    raw = h @ weights[4].T + weights[5]  # a logit, D means, D numbers of deviations
    deviation = narrowest + F.softplus(raw[:, 1 + D :])
    precision = 1e-6 + (1 - 1e-6 * narrowest**2) / deviation**2
    e = y - raw[:, 1 : 1 + D]
    return (0.5 * (precision.log() - precision * e**2) - 0.5 * math.log(2 * math.pi)).sum(-1)


def loss_by_hand(model: AdaptedProcess, batch: Batch, first_order: bool = False) -> Tensor:
    """The loss of one task after another, each adapted in a loop of its own."""
    weights = [
        part
        for layer in (*model.network.layers, model.head.head.projection)
        for part in (layer.weight, layer.bias)
    ]
    total = torch.zeros((), dtype=torch.float64)
    for b in range(len(LENGTHS)):
        n, points = GIVEN[b], slice(LENGTHS[b])
        x = model.inputs(batch.context[b, points])
        y, ladj = model.transform.call_and_ladj(batch.values[b, points])
        of_weights = model.adapts == "weights"
        moved = list(weights) if of_weights else [torch.zeros(4).double().requires_grad_()]

        def log_prob(
            moved: list[Tensor], x: Tensor, y: Tensor, of_weights: bool = of_weights
        ) -> Tensor:
            own = (moved, x.new_zeros(1, 0)) if of_weights else (weights, moved[0])
            return log_prob_by_hand(*own, x, y)

        for _ in range(model.steps if n else 0):
            nll = -log_prob(moved, x[:n], y[:n]).sum() / n
            slopes = torch.autograd.grad(nll, moved, create_graph=True)
            length = torch.cat([slope.flatten() for slope in slopes]).norm()
            slopes = [slope * (model.clip / length).clamp(max=1) for slope in slopes]
            if first_order:
                slopes = [slope.detach() for slope in slopes]
            rates = [model.rate * rate for rate in model.rates] or [model.rate] * len(moved)
            moved = [m - r * slope for m, r, slope in zip(moved, rates, slopes, strict=True)]
        total = total - (log_prob(moved, x[n:], y[n:]) + ladj[n:]).sum()
    return total / int(batch.frames().sum())


@pytest.mark.parametrize("short", [False, True])
@pytest.mark.parametrize("first_order", [False, True])
@pytest.mark.parametrize("learned", [False, True])
@pytest.mark.parametrize("adapts", ADAPTS)
def test_loss_and_gradient_are_those_of_steps_by_hand(
    adapts: str, learned: bool, first_order: bool, short: bool
) -> None:
    clip = {"weights": 3.0, "context": 0.1}[adapts] if short else 1e3
    model, batch = build(adapts, learned=learned, first_order=first_order, clip=clip), tasks()
    loss, expected = model.loss(batch), loss_by_hand(model, batch, first_order)
    torch.testing.assert_close(loss, expected)
    found, by_hand = gradients(model, loss), gradients(model, expected)
    assert any(name.startswith("rates") for name in found) == learned
    for name in found:
        assert found[name].abs().max() > 0 or adapts == "context", name
        torch.testing.assert_close(found[name], by_hand[name], msg=lambda m, n=name: f"{n}: {m}")
    other = gradients(model, loss_by_hand(model, batch, not first_order))
    assert any(not torch.allclose(found[name], other[name], rtol=1e-3) for name in found)


@pytest.mark.parametrize("adapts", ADAPTS)
def test_without_given_points_no_step_is_taken(adapts: str) -> None:
    model, batch = build(adapts), tasks()
    nothing = batch._replace(start=None)
    blind = model.frame_log_prob(nothing)
    torch.testing.assert_close(model.frame_log_prob(batch)[1], blind[1])
    model.steps = 0
    before = model.frame_log_prob(batch)
    torch.testing.assert_close(before, blind.where(batch.mask(), 0))
    model.steps = 5
    given = batch._replace(lengths=torch.tensor([6, 4, 2]))  # ... but the others' are
    repeated = given._replace(
        values=torch.cat((given.values[:, :3], given.values[:, :3], given.values[:, 6:]), dim=1),
        context=torch.cat((given.context[:, :3], given.context[:, :3], given.context[:, 6:]), 1),
        start=torch.tensor([3, 0, 0]),
    )
    after = model.log_prob(repeated)[0]
    model.steps = 0
    assert after > model.log_prob(repeated)[0], "steps raise the density of what is given"


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
@pytest.mark.parametrize("adapts", ADAPTS)
def test_steps_are_taken_in_every_mode(adapts: str, mode: Any) -> None:
    model, batch = build(adapts), tasks()
    expected = model.frame_log_prob(batch).detach()
    with mode():
        made = Batch._make(None if part is None else part.clone() for part in batch)
        found = model.eval().frame_log_prob(made)
        assert not torch.is_grad_enabled() and not found.requires_grad
        torch.testing.assert_close(model.distributions(made)[0].mean.isfinite().all().item(), True)
    torch.testing.assert_close(found, expected)
    assert all(parameter.grad is None for parameter in model.parameters())
    # What is frozen adapts as well, and its gradient reaches what is not.
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name.startswith("rates"))
    model.loss(batch).backward()
    for name, parameter in model.named_parameters():
        assert (parameter.grad is not None) == name.startswith("rates"), name


@pytest.mark.parametrize("adapts", ADAPTS)
def test_a_short_training_makes_use_of_the_given_points(adapts: Any) -> None:
    torch.manual_seed(0)
    model = AdaptedProcess(
        1, 1, HEADS["one gaussian"], adapts, hidden=32, layers=2, size=8, steps=2, rate=RATE[adapts]
    )
    assert_learns_to_use_given_points(model, steps=100)


def test_what_does_not_fit_is_refused() -> None:
    for options, message in (
        ({"adapts": "both"}, "adapts must be 'weights' or 'context', found 'both'"),
        ({"steps": -1}, "steps must be at least 0, found -1"),
        ({"rate": 0.0}, "rate must be positive, found 0.0"),
        ({"rate": math.nan}, "rate must be positive, found nan"),
        ({"clip": 0.0}, "clip must be positive, found 0.0"),
        ({"size": 0}, "size must be at least 1, found 0"),
        ({"hidden": 0}, "hidden must be at least 1, found 0"),
    ):
        with pytest.raises(ValueError, match=message):
            AdaptedProcess(D, X, **options)
    model, batch = build("weights"), tasks()
    values = batch.values.clone()
    values[0, 5] = torch.nan
    with pytest.raises(ValueError, match="whose outputs are all there, found 3 NaN"):
        model.log_prob(batch._replace(values=values))
