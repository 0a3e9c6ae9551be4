from __future__ import annotations

import math
import threading
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from seqmdn.distributions import frames
from seqmdn.distributions.density import mixture_log_prob
from tests.distributions import dense


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


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
def test_two_threads_compute_what_one_does(
    features: int, rank: int, two_threads: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frames, "SCRATCH", 0)
    monkeypatch.setattr(frames, "BLOCK", 200)
    monkeypatch.setattr(frames, "PLANE", 200)
    tensors = draw(500, 3, features, rank)
    seen: set[int] = set()
    met = threading.Barrier(2)
    block = frames.block_log_prob if features > 2 else frames.planar_log_prob

    def watched(*arguments: object) -> Tensor:
        if len(seen) < 2 and threading.get_ident() not in seen:
            seen.add(threading.get_ident())
            met.wait(timeout=60)  # neither computes everything before the other has begun
        assert torch.get_num_threads() == 1 and not torch.is_grad_enabled()
        return block(*arguments)

    monkeypatch.setattr(frames, block.__name__, watched)
    found = gradients(tensors)
    assert len(seen) == 2
    assert torch.get_num_threads() == 2
    monkeypatch.setattr(frames, block.__name__, block)
    torch.set_num_threads(1)
    for one, other in zip(found, gradients(tensors), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


def test_what_is_summed_over_frames_is_not_shared_out(
    two_threads: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frames, "SCRATCH", 0)
    monkeypatch.setattr(frames, "BLOCK", 200)
    tensors = draw(500, 3, 5, 2)
    tensors[1] = tensors[1].detach()[:1].requires_grad_()
    assert frames._division(tuple(tensors), planar=False, summed=True)[1] == 1
    assert frames._division(tuple(tensors), planar=False, summed=False)[1] == 2
    found = gradients(tensors)
    repeated = tensors[1].expand(500, -1, -1).contiguous().detach().requires_grad_()
    expected = gradients([tensors[0], repeated, *tensors[2:]])
    torch.testing.assert_close(found[2], expected[2].sum(0, keepdim=True))


def test_an_error_in_another_thread_is_raised_and_nothing_is_left_changed(
    two_threads: None,
) -> None:
    here = threading.get_ident()
    met = threading.Barrier(2)

    def work() -> None:
        met.wait()
        if threading.get_ident() != here:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        frames._run(work, 2)
    assert torch.get_num_threads() == 2


def test_threads_take_inference_mode_along(
    two_threads: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frames, "SCRATCH", 0)
    monkeypatch.setattr(frames, "BLOCK", 200)
    tensors = draw(300, 3, 5, 2)
    expected = mixture_log_prob(*tensors).detach()
    with torch.inference_mode():
        made = [tensor.clone() for tensor in tensors]
        torch.testing.assert_close(mixture_log_prob(*made), expected)


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
@pytest.mark.parametrize("count", [1, 2, 7, 1000])
def test_blocks_are_of_one_size_and_enough_for_every_thread(
    threads: int, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    monkeypatch.setattr(frames, "SCRATCH", 0)
    monkeypatch.setattr(frames, "BLOCK", 1500)
    size, workers = frames._division(tuple(draw(count, 3, 5, 2)), planar=False, summed=False)
    assert workers == (threads if threads <= frames.THREADS else 1)
    blocks = math.ceil(count / size)
    assert blocks == 1 or blocks >= min(count, workers)
    total = 1500 * (4 if threads > frames.THREADS else 1)
    assert size * 15 * min(workers, blocks) <= max(total, 15 * workers) + 15 * workers
