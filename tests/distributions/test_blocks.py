from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from seqmdn.distributions.blocks import (
    FRAMES_FIRST,
    FRAMES_LAST,
    Order,
    Scratch,
    Targets,
    block_log_prob,
    log_sum,
    orthogonalise,
)
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


@pytest.mark.parametrize("rank", [1, 2, 4, 7])
def test_orthogonal_columns_decompose_the_capacitance(rank: int) -> None:
    diagonal = 0.2 + torch.rand(3, 6, dtype=torch.float64)
    factor = torch.randn(3, 6, rank, dtype=torch.float64)
    columns = factor.movedim(-1, 0).contiguous()
    basis, rows, pivots = orthogonalise(1 / diagonal, columns, 1, Scratch(factor))
    lower = torch.eye(rank, dtype=torch.float64).repeat(3, 1, 1)  # N, (3, R, R)
    for i, row in enumerate(rows[1:], start=1):
        lower[:, i, :i] = row.squeeze(-1).mT
    capacitance = torch.eye(rank) + factor.mT @ (factor / diagonal.unsqueeze(-1))
    torch.testing.assert_close(
        lower @ capacitance @ lower.mT, torch.diag_embed(pivots.squeeze(-1).mT)
    )
    expected = (factor / diagonal.unsqueeze(-1)) @ lower.mT
    torch.testing.assert_close(basis.movedim(0, -1), expected)


@pytest.mark.parametrize("features", range(1, 14))
def test_sum_of_logarithms(features: int) -> None:
    numbers = torch.rand(5, features, 3, dtype=torch.float64) + 0.01
    found = log_sum(numbers, 1, Scratch(numbers))
    torch.testing.assert_close(found, numbers.log().sum(1, keepdim=True), rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize(
    "numbers", [[1e-30] * 4, [1e30] * 4, [1e-25, 1e-25, 1e25, 1e25], [1e38, 9]]
)
def test_sum_of_logarithms_whose_product_float32_cannot_hold(numbers: list[float]) -> None:
    tensor = torch.tensor(numbers)
    exact = tensor.double().log().sum()
    assert log_sum(tensor, 0, Scratch(tensor)).item() == pytest.approx(exact.item(), abs=1e-5)


def test_sum_of_logarithms_passes_nan_on() -> None:
    tensor = torch.tensor([1.0, math.nan, 1.0, 1.0])
    assert log_sum(tensor, 0, Scratch(tensor)).isnan()


def test_scratch_gives_the_same_memory_until_it_is_too_small() -> None:
    scratch = Scratch(torch.zeros(0, dtype=torch.float64))
    first = scratch("a", (4, 3))
    assert first.dtype == torch.float64
    assert scratch("a", (2, 3)).data_ptr() == first.data_ptr()
    assert scratch("b", (4, 3)).data_ptr() != first.data_ptr()
    assert scratch("a", (5, 3)).shape == (5, 3)
    assert scratch("a", (4, 3)).data_ptr() == scratch("a", (5, 3)).data_ptr()
