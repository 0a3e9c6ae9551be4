from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from seqmdn.distributions.blocks import (
    FRAMES_FIRST,
    FRAMES_LAST,
    Order,
    Targets,
    block_log_prob,
)
from seqmdn.distributions.scratch import Scratch
from tests.distributions import dense

ORDERS = pytest.mark.parametrize("order", [FRAMES_FIRST, FRAMES_LAST], ids=["first", "last"])


def draw(frames: int, components: int, features: int, rank: int) -> tuple[dense.Parameters, Tensor]:
    parameters = dense.draw_gaussian((frames, components), features, rank)
    parameters["logits"] = torch.randn(frames, components, dtype=torch.float64).log_softmax(-1)
    return parameters, torch.randn(frames, features, dtype=torch.float64)


def arrange(order: Order, name: str, tensor: Tensor) -> Tensor:
    """Returns a view in this order, the columns of a factor at the front."""
    arranged = order.arrange(tensor)
    return arranged.movedim(order.features + 1, 0) if name == "factor" else arranged


def evaluate(
    order: Order, parameters: dense.Parameters, value: Tensor, weight: Tensor | None
) -> tuple[Tensor, dense.Parameters]:
    """Returns the block's log-density and its gradients, in the order (n, ...) again."""
    gradients = {name: torch.full_like(tensor, math.nan) for name, tensor in parameters.items()}
    gradients["value"] = torch.full_like(value, math.nan)
    names = ("logits", "loc", "diagonal", "factor", "value")
    targets = Targets(*(arrange(order, name, gradients[name]) for name in names))
    log_prob = block_log_prob(
        order,
        *(arrange(order, name, parameters[name]).clone() for name in names[:4]),
        order.arrange(value).contiguous(),
        Scratch(value),
        targets,
        weight,
    )
    return log_prob, gradients


@ORDERS
@pytest.mark.parametrize("rank", [0, 1, 2, 3, 5])
@pytest.mark.parametrize("weighted", [False, True])
def test_log_density_and_gradients_equal_dense_autograd(
    order: Order, rank: int, weighted: bool
) -> None:
    parameters, value = draw(7, 3, 4, rank)
    weight = torch.randn(7, dtype=torch.float64) if weighted else None
    found, gradients = evaluate(order, parameters, value, weight)

    leaves = {
        name: t.clone().requires_grad_() for name, t in (parameters | {"value": value}).items()
    }
    # The dense reference normalises the weights, which takes their own gradient out of the sum.
    weights = leaves["logits"]
    terms = [
        weights[:, k]
        + dense.gaussian_log_prob(
            {n: leaves[n][:, k] for n in ("loc", "diagonal", "factor")}, leaves["value"]
        )
        for k in range(3)
    ]
    expected = torch.logsumexp(torch.stack(terms), dim=0)
    torch.testing.assert_close(found, expected.detach())
    expected.backward(torch.ones_like(expected) if weight is None else weight)
    for name, gradient in gradients.items():
        if gradient.numel():
            torch.testing.assert_close(
                gradient, leaves[name].grad, msg=lambda m, n=name: f"{n}: {m}"
            )


@ORDERS
def test_what_is_shared_gets_the_sum_of_all_frames(order: Order) -> None:
    parameters, value = draw(6, 3, 4, 2)
    shared = {name: tensor[:1] for name, tensor in parameters.items()}
    repeated = {name: tensor.expand(6, *tensor.shape[1:]) for name, tensor in shared.items()}
    weight = torch.randn(6, dtype=torch.float64)
    expected_log_prob, expected = evaluate(order, repeated, value, weight)
    for names in (set(shared), {"diagonal"}, {"factor"}, {"loc", "diagonal"}, {"logits"}):
        mixed = {n: (shared if n in names else repeated)[n] for n in parameters}
        sums = {n: torch.zeros_like(shared[n] if n in names else repeated[n]) for n in parameters}
        order_names = ("logits", "loc", "diagonal", "factor")
        found = block_log_prob(
            order,
            *(arrange(order, name, mixed[name]).clone() for name in order_names),
            order.arrange(value).contiguous(),
            Scratch(value),
            Targets(
                *(arrange(order, name, sums[name]) for name in order_names),
                shared=tuple({"logits": "log_weights"}.get(name, name) for name in names),
            ),
            weight,
        )
        torch.testing.assert_close(found, expected_log_prob)
        for name in parameters:
            total = expected[name].sum(0, keepdim=True) if name in names else expected[name]
            torch.testing.assert_close(sums[name], total, msg=lambda m, n=name: f"{n}: {m}")


@ORDERS
@pytest.mark.parametrize("wanted", Targets._fields[:5])
def test_each_gradient_alone_is_the_same(order: Order, wanted: str) -> None:
    parameters, value = draw(5, 2, 3, 2)
    _, everything = evaluate(order, parameters, value, None)
    name = {"log_weights": "logits"}.get(wanted, wanted)
    alone = torch.full_like(everything[name], math.nan)
    block_log_prob(
        order,
        *(
            arrange(order, n, parameters[n]).clone()
            for n in ("logits", "loc", "diagonal", "factor")
        ),
        order.arrange(value).contiguous(),
        Scratch(value),
        Targets(**{wanted: arrange(order, wanted, alone)}),
    )
    torch.testing.assert_close(alone, everything[name])


@ORDERS
@pytest.mark.parametrize("rank", [0, 1, 2, 3, 5])
@pytest.mark.parametrize("alone", [None, "loc", "diagonal", "factor"])
@pytest.mark.parametrize("gaps", [False, True])
def test_without_weights_it_is_each_component_by_itself(
    order: Order, rank: int, alone: str | None, gaps: bool
) -> None:
    parameters, value = draw(7, 3, 6, rank)
    leaves = {
        name: parameters[name].clone().requires_grad_() for name in ("loc", "diagonal", "factor")
    }
    expected = dense.gaussian_log_prob(leaves, value.unsqueeze(1))
    expected.sum().backward()
    # With gaps, no target is one piece in which something else could wait.
    room = {
        name: torch.full((*t.shape[:-1], t.shape[-1] + gaps), math.nan, dtype=t.dtype)
        for name, t in leaves.items()
    }
    found = {name: room[name][..., : t.shape[-1]] for name, t in leaves.items()}
    wanted = {name: arrange(order, name, t) for name, t in found.items() if alone in (None, name)}
    log_prob = block_log_prob(
        order,
        None,
        *(arrange(order, name, parameters[name]).contiguous() for name in leaves),
        order.arrange(value).contiguous(),
        Scratch(value),
        Targets(**wanted),
    )
    torch.testing.assert_close(order.arrange(expected.detach()), log_prob)
    for name in wanted:
        if leaves[name].numel():
            torch.testing.assert_close(
                found[name], leaves[name].grad, msg=lambda m, n=name: f"{n}: {m}"
            )
