from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.distributions import Categorical

from seqmdn import linalg
from seqmdn.distributions import LowRankPrecisionNormal, Mixture, frames
from seqmdn.distributions.blocks import FRAMES_FIRST, FRAMES_LAST
from seqmdn.distributions.density import joint_log_density, mixture_log_prob
from tests.distributions import dense

NAMES = ("logits", "loc", "diagonal", "factor", "value")

# What float32 may lose against float64 at condition numbers up to 1e6: of the log-density, absolute
# and relative; of a gradient, relative to the largest entry of that frame's.
LOG_PROB_ABSOLUTE, LOG_PROB_RELATIVE, GRADIENT_RELATIVE = 2e-4, 1e-5, 1e-4


def draw(batch: tuple[int, ...], components: int, features: int, rank: int) -> tuple[Tensor, ...]:
    """Returns log-weights, loc, diagonal, factor and value in float64."""
    made = dense.draw_gaussian((*batch, components), features, rank)
    logits = torch.randn(*batch, components, dtype=torch.float64).log_softmax(-1)
    value = made["loc"].mean(-2) + torch.randn(*batch, features, dtype=torch.float64)
    return logits, made["loc"], made["diagonal"], made["factor"] / math.sqrt(max(rank, 1)), value


def leaves(tensors: tuple[Tensor, ...]) -> list[Tensor]:
    return [tensor.detach().clone().requires_grad_() for tensor in tensors]


def dense_log_prob(*tensors: Tensor) -> Tensor:
    return dense.mixture_log_prob(dict(zip(NAMES[:4], tensors[:4], strict=True)), tensors[4])


def plain_log_prob(*tensors: Tensor) -> Tensor:
    return joint_log_density(*tensors).logsumexp(-1)


# Every rank with every number of features, and the full rank where that is sensible.
SIZES = [
    *((features, rank) for features in (1, 2, 3, 32, 200, 512) for rank in (0, 1, 2, 4, 8)),
    *((features, features) for features in (3, 32)),
]


@pytest.mark.parametrize(("features", "rank"), SIZES)
def test_log_prob_and_every_gradient_equal_the_dense_reference(features: int, rank: int) -> None:
    tensors = draw((2,), 2, features, rank)
    mine, theirs = leaves(tensors), leaves(tensors)
    # The reference normalises the weights; so does what takes them from logits.
    found = mixture_log_prob(mine[0].log_softmax(-1), *mine[1:])
    expected = dense_log_prob(*theirs)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)
    weight = torch.tensor([1.0, -0.3], dtype=torch.float64)
    found.backward(weight)
    expected.backward(weight)
    for name, one, other in zip(NAMES, mine, theirs, strict=True):
        if one.numel():
            torch.testing.assert_close(
                one.grad, other.grad, rtol=1e-7, atol=1e-9, msg=lambda m, n=name: f"{n}: {m}"
            )


@pytest.mark.parametrize("rank", [0, 1, 2, 4])
@pytest.mark.parametrize("features", [2, 32])
def test_float32_at_condition_numbers_up_to_a_million(features: int, rank: int) -> None:
    frames, components = 200, 3
    logits, loc, _, factor, _ = draw((frames,), components, features, rank)
    diagonal = 10 ** (3 - 6 * torch.rand(frames, components, features, dtype=torch.float64))
    factor = factor * diagonal.sqrt().unsqueeze(-1) * 10 ** torch.rand(frames, 1, 1, 1).double()
    mine = leaves(tuple(t.float() for t in (logits, loc, diagonal, factor)))
    components_ = LowRankPrecisionNormal(mine[1].double(), mine[2].double(), mine[3].double())
    value = Mixture(Categorical(logits=mine[0].double()), components_).sample().float()
    mine.append(value.requires_grad_())
    exact = leaves(tuple(t.double() for t in mine))
    found, expected = mixture_log_prob(*mine), plain_log_prob(*exact)
    torch.testing.assert_close(
        found.double(), expected, atol=LOG_PROB_ABSOLUTE, rtol=LOG_PROB_RELATIVE
    )
    found.sum().backward()
    expected.sum().backward()
    for name, one, other in zip(NAMES, mine, exact, strict=True):
        if one.numel():
            # In units of each feature's own precision, in which all of them are of one size.
            scale = _units(name, exact[2].detach())
            error = ((one.grad.double() - other.grad) * scale).abs().flatten(1).amax(1)
            size = (other.grad * scale).abs().flatten(1).amax(1)
            assert (error <= GRADIENT_RELATIVE * size).all(), f"{name}: {(error / size).max()}"


def _units(name: str, diagonal: Tensor) -> Tensor:
    if name == "loc":
        return diagonal.rsqrt()
    if name == "diagonal":
        return diagonal
    return (
        diagonal.sqrt().unsqueeze(-1) if name == "factor" else torch.ones((), dtype=torch.float64)
    )


@pytest.mark.parametrize("rank", [2, 3, 8])
def test_large_parallel_columns_keep_their_digits_in_float32(rank: int) -> None:
    # In float32, I vanishes beside V'V of these: from the capacitance, nats would be off, or NaN.
    column = 1e4 * torch.randn(50, 1, 16, 1)
    loc, one = torch.zeros(50, 1, 16), torch.ones(50, 1, 16)
    factor = column.expand(50, 1, 16, rank).contiguous().requires_grad_()
    found = mixture_log_prob(torch.zeros(1), loc, one, factor, torch.zeros(50, 16))
    exact = torch.log1p(rank * column.double().square().sum((1, 2, 3)))
    expected = 0.5 * (exact - 16 * math.log(2 * math.pi))
    torch.testing.assert_close(found.double(), expected, atol=1e-3, rtol=0)
    found.sum().backward()
    # Of R equal columns u: Lambda^-1 u = u / (1 + R u'u).
    slope = column.double() / (1 + rank * column.double().square().sum(2, keepdim=True))
    error = (factor.grad - slope).abs().amax((1, 2, 3)) / slope.abs().amax((1, 2, 3))
    assert error.max() < 1e-5


@pytest.mark.parametrize("rank", [2, 4])
def test_columns_that_differ_by_little_keep_the_digits_of_the_variances(rank: int) -> None:
    # Rounded one by one, as V = D^-1/2 U is, they would be off in what they differ by.
    logits, loc, diagonal, factor, value = draw((100,), 1, 16, rank)
    columns = 1e3 * factor[..., :1] * (1 + 1e-4 * torch.randn_like(factor))
    mine = leaves(tuple(t.float() for t in (logits, loc, diagonal, columns, loc[:, 0])))
    exact = leaves(tuple(t.double() for t in mine))
    mixture_log_prob(*mine).sum().backward()
    plain_log_prob(*exact).sum().backward()
    error = (mine[2].grad - exact[2].grad).flatten(1).norm(dim=1)
    assert (error / exact[2].grad.flatten(1).norm(dim=1)).max() < 1e-6


@pytest.mark.parametrize("rank", [0, 1, 2, 8])
@pytest.mark.parametrize("features", [2, 32, 512])
def test_far_out_and_at_the_edges_all_is_finite(features: int, rank: int) -> None:
    logits, loc, diagonal, factor, _ = (t.float() for t in draw((4,), 3, features, rank))
    # A weight near 0, and one of 0; a diagonal at the floor of the heads.
    logits = torch.tensor([0.0, -80.0, -math.inf]).expand(4, 3).log_softmax(-1)
    diagonal[:2] = 1e-3
    deviation = linalg.covariance_diagonal(diagonal, factor).sqrt()
    for sigmas in (0.0, 50.0, -50.0):
        value = loc[:, 0] + sigmas * deviation[:, 0]
        mine = leaves((logits, loc, diagonal, factor, value))
        found = mixture_log_prob(*mine)
        exact = [t.detach().double() for t in mine]
        torch.testing.assert_close(
            found.double(), plain_log_prob(*exact), rtol=1e-4, atol=1e-2, check_dtype=False
        )
        found.sum().backward()
        for name, tensor in zip(NAMES, mine, strict=True):
            assert tensor.grad.isfinite().all(), f"{name} at {sigmas} sigmas"
        assert (mine[0].grad[:, 2] == 0).all(), "a component of the weight 0 takes no gradient"


def test_no_component_at_all_is_minus_infinity_and_no_nan() -> None:
    tensors = leaves(draw((3,), 2, 4, 1))
    logits = torch.full_like(tensors[0], -math.inf).requires_grad_()
    found = mixture_log_prob(logits, *tensors[1:])
    assert (found == -math.inf).all()
    found.sum().backward()
    for tensor in (logits, *tensors[1:]):
        assert (tensor.grad == 0).all()


@pytest.mark.parametrize("rank", [0, 1, 2, 3])
@pytest.mark.parametrize("shared", [(), (3,), (1, 2, 3), (0, 1, 2, 3)], ids=str)
def test_first_and_second_derivatives(rank: int, shared: tuple[int, ...]) -> None:
    tensors = list(draw((3,), 2, 3, rank))
    for place in shared:
        tensors[place] = tensors[place][0]
    inputs = [tensor for tensor in leaves(tuple(tensors)) if tensor.numel()]

    def function(*given: Tensor) -> Tensor:
        logits, loc, diagonal, *rest = given
        factor = rest[0] if rank else diagonal.new_zeros(*diagonal.shape, 0)
        return mixture_log_prob(logits, loc, diagonal, factor, rest[-1])

    assert torch.autograd.gradcheck(function, inputs)
    assert torch.autograd.gradgradcheck(function, inputs)


@pytest.mark.parametrize("features", [4, 16])
def test_a_second_backward_pass_gives_the_same(features: int) -> None:
    tensors = leaves(draw((5,), 3, features, 2))
    found = mixture_log_prob(*tensors)
    weight = torch.randn(5, dtype=torch.float64)
    first = torch.autograd.grad(found, tensors, weight, retain_graph=True)
    second = torch.autograd.grad(found, tensors, 2 * weight, retain_graph=True)
    third = torch.autograd.grad(found, tensors, weight, create_graph=True)
    for one, other, differentiable in zip(first, second, third, strict=True):
        torch.testing.assert_close(2 * one, other)
        torch.testing.assert_close(one, differentiable.detach())
        assert differentiable.requires_grad


@pytest.mark.parametrize("features", [4, 16])
@pytest.mark.parametrize("wanted", range(5))
def test_gradients_of_some_inputs_alone(wanted: int, features: int) -> None:
    tensors = draw((5,), 3, features, 2)
    everything = leaves(tensors)
    mixture_log_prob(*everything).sum().backward()
    some = [t.clone().requires_grad_(i == wanted) for i, t in enumerate(tensors)]
    mixture_log_prob(*some).sum().backward()
    torch.testing.assert_close(some[wanted].grad, everything[wanted].grad)
    assert all((t.grad is None) == (i != wanted) for i, t in enumerate(some))


@given(
    batch=st.sampled_from([(), (1,), (4,), (2, 3), (1, 3), (2, 1)]),
    sample=st.sampled_from([(), (2,), (1, 2)]),
    alone=st.sets(st.integers(0, 3)),
    components=st.integers(1, 4),
    features=st.integers(1, 14),
    rank=st.integers(0, linalg.UNROLLED_RANK + 1),
    size=st.sampled_from([1, 60, 49_152]),
    innermost=st.booleans(),
    seed=st.integers(0, 2**16),
)
@settings(max_examples=150, deadline=None)
def test_any_shape_in_any_number_of_blocks(
    batch: tuple[int, ...],
    sample: tuple[int, ...],
    alone: set[int],
    components: int,
    features: int,
    rank: int,
    size: int,
    innermost: bool,
    seed: int,
) -> None:
    torch.manual_seed(seed)
    tensors = list(draw(batch, components, features, rank))
    for place in alone:  # what all frames share
        tensors[place] = tensors[place][(0,) * len(batch)]
    tensors[4] = torch.randn(*sample, *tensors[4].shape, dtype=torch.float64)
    mine, theirs = leaves(tuple(tensors)), leaves(tuple(tensors))
    given_ = mine
    if innermost and len(batch) == 1:  # as a head could emit them
        given_ = [t.movedim(0, -1).contiguous().movedim(-1, 0) if t.dim() > 1 else t for t in mine]
    before = frames.SCRATCH, frames.BLOCK
    frames.SCRATCH, frames.BLOCK = 0, size
    try:
        found, expected = mixture_log_prob(*given_), plain_log_prob(*theirs)
        assert found.shape == expected.shape
        weight = torch.randn_like(expected)
        found.backward(weight)
    finally:
        frames.SCRATCH, frames.BLOCK = before
    expected.backward(weight)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)
    for name, one, other in zip(NAMES, mine, theirs, strict=True):
        if one.numel():
            torch.testing.assert_close(
                one.grad, other.grad, rtol=1e-8, atol=1e-9, msg=lambda m, n=name: f"{n}: {m}"
            )


def test_what_is_shared_is_never_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    for name in ("empty_like", "zeros_like"):
        make = getattr(torch, name)
        monkeypatch.setattr(torch, name, lambda t, m=make: seen.append(tuple(t.shape)) or m(t))
    factor = torch.randn(4, 3, 2, requires_grad=True)
    tied = LowRankPrecisionNormal(torch.randn(1000, 4, 3), torch.ones(1000, 4, 3), factor)
    mixture = Mixture(Categorical(logits=torch.zeros(1000, 4)), tied)
    mixture.log_prob(torch.randn(1000, 3)).sum().backward()
    assert seen == [(1, 4, 3, 2)]
    assert factor.grad is not None


@pytest.mark.parametrize("rank", [0, 1, 2])
@pytest.mark.parametrize("innermost", [False, True])
def test_nothing_that_was_given_is_written_to(innermost: bool, rank: int) -> None:
    tensors = draw((50,), 3, 16, rank)
    if innermost:
        tensors = tuple(t.movedim(0, -1).contiguous().movedim(-1, 0) for t in tensors)
    # Frames that lie innermost are read as they lie; that is what makes this a risk.
    assert frames._order(tensors) is (FRAMES_LAST if innermost else FRAMES_FIRST)
    before = [tensor.clone() for tensor in tensors]
    inputs = [tensor.requires_grad_() for tensor in tensors]
    mixture_log_prob(*inputs).sum().backward()
    for one, other in zip(inputs, before, strict=True):
        assert torch.equal(one.detach(), other)


def test_mixed_precision_goes_to_the_wider() -> None:
    logits, loc, diagonal, factor, value = draw((3,), 2, 4, 1)
    found = mixture_log_prob(logits.float(), loc, diagonal.float(), factor, value.float())
    assert found.dtype == torch.float64
    expected = mixture_log_prob(logits, loc, diagonal, factor, value)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
