"""The reduction is the plain sum over all components, in a fraction of its memory."""

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from benchmarks.measure import peak_memory
from seqmdn.backbones.ugmm import reduction
from seqmdn.backbones.ugmm.reduction import plain_log_density, reduced_log_density


def arguments(batch: int, inputs: int, neurons: int, removed: bool = False) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    coefficient = normal(neurons, inputs)
    if removed:
        coefficient[:, ::2] = -torch.inf
    tensors = [
        2 * normal(batch, inputs),
        normal(neurons, inputs),
        normal(neurons, inputs).exp(),
        coefficient,
    ]
    return [tensor.requires_grad_() for tensor in tensors]


@pytest.mark.parametrize("elements", [1, 50, 2**17])
@pytest.mark.parametrize("removed", [False, True])
@pytest.mark.parametrize(
    ("batch", "inputs", "neurons"),
    [(7, 5, 3), (3, 70, 9), (70, 66, 2), (60, 5, 8), (1, 4, 2), (4, 2, 1)],
)
def test_it_is_the_plain_form(
    batch: int,
    inputs: int,
    neurons: int,
    removed: bool,
    elements: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reduction, "_ON_CPU", elements)
    given = arguments(batch, inputs, neurons, removed)
    expected, found = plain_log_density(*given), reduced_log_density(*given)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
    weights = torch.randn_like(expected)
    for one, other in zip(
        torch.autograd.grad(found, given, weights),
        torch.autograd.grad(expected, given, weights),
        strict=True,
    ):
        assert one.isfinite().all()
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("shape", [(5,), (2, 3, 5), (0, 5), (1, 5)])
def test_any_leading_shape(shape: tuple[int, ...]) -> None:
    _, *parameters = arguments(1, 5, 3)
    x = torch.randn(shape, dtype=torch.float64)
    found = reduced_log_density(x, *parameters)
    assert found.shape == (*shape[:-1], 3)
    torch.testing.assert_close(found, plain_log_density(x, *parameters), rtol=1e-12, atol=1e-12)
    turned = x.mT.contiguous().mT if x.ndim > 1 else x  # of other strides
    assert torch.equal(reduced_log_density(turned, *parameters), found)


@pytest.mark.parametrize("batch", [3, 70])
def test_gradients_are_those_of_differences(batch: int) -> None:
    assert gradcheck(reduced_log_density, arguments(batch, 3, 2), fast_mode=batch > 3)


@pytest.mark.parametrize("wanted", range(4))
def test_gradients_that_are_not_asked_for_are_not_computed(wanted: int) -> None:
    given = [tensor.detach() for tensor in arguments(6, 5, 3)]
    given[wanted].requires_grad_()
    (found,) = torch.autograd.grad(reduced_log_density(*given).sum(), given[wanted])
    (expected,) = torch.autograd.grad(plain_log_density(*given).sum(), given[wanted])
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


def test_a_second_derivative_is_refused_and_the_plain_form_has_it() -> None:
    given = arguments(3, 3, 2)
    y = reduced_log_density(*given).sum()  # whose gradient is a constant
    (gradient,) = torch.autograd.grad(y, given[0], create_graph=True)
    (expected,) = torch.autograd.grad(plain_log_density(*given).sum(), given[0])
    torch.testing.assert_close(gradient, expected)
    with pytest.raises(RuntimeError, match="found a second one: use its method plain"):
        (y + gradient.square().sum()).backward()
    assert gradgradcheck(plain_log_density, given, fast_mode=True)


@pytest.mark.parametrize("away", [1e2, 1e4, 1e6])
def test_far_away_float32_is_right(away: float) -> None:
    given = [tensor.detach().float() for tensor in arguments(9, 40, 5)]
    given[0] += away
    found = reduced_log_density(*given)
    expected = plain_log_density(*(tensor.double() for tensor in given))
    torch.testing.assert_close(found.double(), expected, rtol=3e-6, atol=3e-6)


@pytest.mark.parametrize("away", [30.0, 1e3])
def test_the_square_is_not_expanded(away: float) -> None:
    x, mean, inverse, coefficient = (tensor.detach().float() for tensor in arguments(9, 40, 5))
    x, mean = x + away, mean + away
    given = x, mean, inverse, coefficient
    expected = plain_log_density(*(tensor.double() for tensor in given))
    error = (reduced_log_density(*given).double() - expected).abs().max()
    expanded = coefficient - 0.5 * inverse.square() * (
        x.square().unsqueeze(-2) - 2 * x.unsqueeze(-2) * mean + mean.square()
    )
    wrong = (expanded.logsumexp(-1).double() - expected).abs().max()
    assert error < 1e-5 and wrong > 50 * error


def test_autocast_keeps_the_density_in_float32() -> None:
    given = [tensor.detach().float() for tensor in arguments(9, 5, 3)]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = reduced_log_density(given[0].bfloat16(), *given[1:])
    assert found.dtype == torch.float32
    expected = reduced_log_density(given[0].bfloat16().float(), *given[1:])
    assert torch.equal(found, expected)


def test_memory_is_a_small_part_of_the_plain_form() -> None:
    given = [tensor.detach().float().requires_grad_() for tensor in arguments(64, 500, 64)]

    def work(function: object) -> None:
        y = function(*given)  # type: ignore[operator]
        torch.autograd.grad(y.sum(), given)

    ours = peak_memory(lambda: work(reduced_log_density))
    plain = peak_memory(lambda: work(plain_log_density))
    pairs, connections, values = 64 * 500 * 64, 500 * 64, 64 * 500
    assert plain > 3 * 4 * pairs
    assert ours < 4 * (2 * 2**17 + 8 * connections + 4 * values), "two work arrays, and gradients"
    assert plain > 10 * ours
