from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from seqmdn.distributions import frames
from seqmdn.distributions.density import mixture_log_prob
from seqmdn.distributions.scratch import Scratch
from tests.distributions import dense


def draw(count: int, components: int, features: int, rank: int) -> list[Tensor]:
    made = dense.draw_gaussian((count, components), features, rank)
    log_weights = torch.randn(count, components, dtype=torch.float64).log_softmax(-1)
    value = torch.randn(count, features, dtype=torch.float64)
    tensors = [log_weights, made["loc"], made["diagonal"], made["factor"], value]
    return [tensor.requires_grad_() for tensor in tensors]


def gradients(tensors: list[Tensor]) -> tuple[Tensor, ...]:
    found = mixture_log_prob(*tensors)
    inputs = [tensor for tensor in tensors if tensor.numel()]
    weight = torch.linspace(-1, 1, len(found), dtype=found.dtype)
    return found, *torch.autograd.grad(found, inputs, weight)


@pytest.mark.parametrize(("features", "rank"), [(2, 1), (5, 2), (16, 0), (16, 3)])
def test_blocks_compute_what_one_block_does(
    features: int, rank: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    tensors = draw(500, 3, features, rank)
    expected = gradients(tensors)
    seen: list[int] = []
    block = frames.block_log_prob if features > 2 else frames.planar_log_prob

    def watched(*arguments: object) -> Tensor:
        found = block(*arguments)
        seen.append(len(found))
        return found

    monkeypatch.setattr(frames, block.__name__, watched)
    monkeypatch.setattr(frames, "SCRATCH", 0)
    monkeypatch.setattr(frames, "BLOCK", 200)
    monkeypatch.setattr(frames, "PLANE", 200)
    found = gradients(tensors)
    assert len(seen) > 3 and sum(seen) == 500
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("features", [5, 16])
@pytest.mark.parametrize("rank", [1, 2])
@pytest.mark.parametrize("place", [1, 2, 3])
def test_what_all_frames_share_is_summed_over_blocks(
    place: int, rank: int, features: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frames, "SCRATCH", 0)
    monkeypatch.setattr(frames, "BLOCK", 200)
    tensors = draw(500, 3, features, rank)
    one = tensors[place].detach()[:1]
    tensors[place] = one.clone().requires_grad_()
    found = gradients(tensors)
    tensors[place] = one.expand(500, *one.shape[1:]).clone().requires_grad_()
    expected = gradients(tensors)
    torch.testing.assert_close(found[place + 1], expected[place + 1].sum(0, keepdim=True))


def test_blocks_compute_in_as_many_arrays_as_their_size_counts_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[frames.Scratch] = []
    monkeypatch.setattr(
        frames, "Scratch", lambda like: made.append(scratch := Scratch(like)) or scratch
    )
    for rank in (0, 1, 2, 3, 4):
        gradients(draw(6, 3, 16, rank))
        numbers = sum(array.numel() for array in made.pop()._arrays.values())
        assert numbers == max(2, rank) * 6 * 3 * 16


@pytest.mark.parametrize("threads", [1, 2, 8])
@pytest.mark.parametrize("count", [1, 2, 7, 1000])
def test_blocks_are_of_one_size_and_longer_where_threads_share_them(
    threads: int, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    monkeypatch.setattr(frames, "SCRATCH", 0)
    monkeypatch.setattr(frames, "BLOCK", 1500)
    size = frames._block_size(tuple(draw(count, 3, 5, 2)), planar=False)
    most = 1500 * (1 if threads == 1 else frames.LONGER)
    assert 1 <= size <= count and size * 15 <= max(15, most)
    blocks = math.ceil(count / size)
    assert blocks == math.ceil(count * 15 / most), "no more blocks than needed"
    assert count - (blocks - 1) * size > size - blocks, "the last one is nearly as long"


@pytest.mark.parametrize(("rank", "arrays"), [(0, 2), (1, 2), (2, 2), (3, 3), (4, 4)])
def test_all_arrays_of_a_block_fit_beside_the_core(
    rank: int, arrays: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Residuals and products, of which there are R - 1 at once, at least one.
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    monkeypatch.setattr(frames, "SCRATCH", 36_000)
    monkeypatch.setattr(frames, "BLOCK", 0)
    size = frames._block_size(tuple(draw(1000, 3, 5, rank)), planar=False)
    assert size * 15 * arrays <= 36_000
    assert math.ceil(1000 / size) == math.ceil(1000 * 15 * arrays / 36_000)
    monkeypatch.setattr(frames, "BLOCK", 20_000)  # the arithmetic outlasts what calls it
    assert frames._block_size(tuple(draw(1000, 3, 5, rank)), planar=False) == 1000


def test_a_block_of_two_features_is_measured_by_one_plane(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    monkeypatch.setattr(frames, "PLANE", 600)
    size = frames._block_size(tuple(draw(1000, 3, 2, 1)), planar=True)
    assert size == 200, "600 numbers of 3 components"


def test_elsewhere_than_on_a_cpu_all_frames_are_one_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "SCRATCH", 0)
    monkeypatch.setattr(frames, "BLOCK", 200)
    elsewhere = tuple(tensor.to("meta") for tensor in draw(500, 3, 5, 2))
    assert frames._block_size(elsewhere, planar=False) == 500
