"""Gradients of the spline in closed form: autograd's, of any order."""

import gc
import weakref

import pytest
import torch
from torch import Tensor

from seqmdn.flows.rational_quadratic import RationalQuadratic

KINDS = [RationalQuadratic(2, 1.0), RationalQuadratic(3, 2.0), RationalQuadratic(8, 5.0)]


def some(
    maps: RationalQuadratic,
    strength: float = 2.0,
    count: int = 200,
    dtype: torch.dtype | None = None,
) -> tuple[Tensor, Tensor]:
    """Numbers inside and outside of the box, and parameters of each."""
    torch.manual_seed(0)
    x = maps.bound * 0.8 * torch.randn(4, count, dtype=torch.float64)
    x[:, :4] = torch.tensor([20.0, -20.0, 1e3, 0.0], dtype=torch.float64) * maps.bound
    phi = strength * torch.randn(3 * maps.bins - 1, 4, count, dtype=torch.float64)
    return tuple(t.to(dtype or torch.float64).requires_grad_() for t in (x, phi))


def slopes(z: Tensor, ladj: Tensor, inputs: tuple[Tensor, Tensor]) -> tuple[Tensor, ...]:
    """Gradients of a sum in which every result has a weight of its own."""
    torch.manual_seed(1)
    weights = torch.randn(2, *z.shape, dtype=torch.float64).to(z)
    return torch.autograd.grad((weights[0] * z + weights[1] * ladj).sum(), inputs)


@pytest.mark.parametrize("maps", KINDS, ids=lambda maps: f"{maps.bins} bins")
@pytest.mark.parametrize("strength", [0.0, 2.0, 30.0])
def test_gradients_are_autograds(maps: RationalQuadratic, strength: float) -> None:
    inputs = some(maps, strength)
    found, expected = maps.call_and_ladj(*inputs), maps.plain(*inputs)
    assert type(found[0].grad_fn).__name__ == "_SplineBackward", "not the plain operations"
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)
    for one, other in zip(slopes(*found, inputs), slopes(*expected, inputs), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9 * float(other.abs().max()))


@pytest.mark.parametrize("maps", KINDS, ids=lambda maps: f"{maps.bins} bins")
def test_gradients_of_any_order(maps: RationalQuadratic) -> None:
    x, phi = some(maps, count=6)
    assert torch.autograd.gradcheck(maps.call_and_ladj, (x, phi))
    assert torch.autograd.gradgradcheck(maps.call_and_ladj, (x, phi))


@pytest.mark.parametrize("which", [0, 1])
def test_one_gradient_may_be_left_out(which: int) -> None:
    maps = KINDS[2]
    inputs = some(maps)
    whole = slopes(*maps.call_and_ladj(*inputs), inputs)
    fixed = [t if i == which else t.detach() for i, t in enumerate(inputs)]
    z, ladj = maps.call_and_ladj(*fixed)
    (only,) = slopes(z, ladj, (inputs[which],))
    assert torch.equal(only, whole[which])


def test_a_second_pass_gives_the_same() -> None:
    maps = KINDS[2]
    inputs = some(maps)
    z, ladj = maps.call_and_ladj(*inputs)
    first = torch.autograd.grad(z.sum() + ladj.sum(), inputs, retain_graph=True)
    second = torch.autograd.grad(z.sum() + ladj.sum(), inputs)
    for one, other in zip(first, second, strict=True):
        assert torch.equal(one, other)


def test_only_one_of_two_results_may_be_used() -> None:
    maps = KINDS[2]
    inputs = some(maps)
    for i in (0, 1):
        found = torch.autograd.grad(maps.call_and_ladj(*inputs)[i].sum(), inputs)
        expected = torch.autograd.grad(maps.plain(*inputs)[i].sum(), inputs)
        for one, other in zip(found, expected, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("strength", [1.0, 30.0])
def test_float32_is_as_close_as_the_plain_formula(strength: float) -> None:
    maps = KINDS[2]
    exact, single = some(maps, strength, count=5000), some(maps, strength, 5000, torch.float32)
    expected = slopes(*maps.plain(*exact), exact)
    errors = [
        [
            float((one.double() - other).abs().quantile(0.999))
            for one, other in zip(slopes(*how(*single), single), expected, strict=True)
        ]
        for how in (maps.call_and_ladj, maps.plain)
    ]
    for ours, plain in zip(*errors, strict=True):
        assert ours <= 2 * plain


def test_a_spline_without_a_gradient_is_freed() -> None:
    maps = KINDS[0]
    z, ladj = maps.call_and_ladj(*some(maps))
    seen = weakref.ref(ladj)
    gc.disable()
    try:
        del z, ladj
        assert seen() is None
    finally:
        gc.enable()
