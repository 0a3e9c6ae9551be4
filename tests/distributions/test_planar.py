from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from seqmdn.distributions import frames
from seqmdn.distributions.blocks import FRAMES_FIRST, Targets, block_log_prob
from seqmdn.distributions.density import mixture_log_prob
from seqmdn.distributions.planar import planar_log_prob
from seqmdn.distributions.scratch import Scratch
from tests.distributions import dense

NAMES = Targets._fields[:5]


def draw(count: int, components: int, rank: int) -> list[Tensor]:
    """Returns log-weights, loc, diagonal, columns and value in float64."""
    made = dense.draw_gaussian((count, components), 2, rank)
    log_weights = torch.randn(count, components, dtype=torch.float64).log_softmax(-1)
    columns = made["factor"].movedim(-1, 0)
    value = torch.randn(count, 2, dtype=torch.float64)
    return [log_weights, made["loc"], made["diagonal"], columns, value]


def run(
    tensors: list[Tensor], wanted: tuple[str, ...], weight: Tensor | None, planar: bool
) -> tuple[Tensor | None, dict[str, Tensor]]:
    names = dict(zip(NAMES, tensors, strict=True))
    gradients = {name: torch.full_like(names[name], math.nan) for name in wanted}
    rest = (Scratch(tensors[-1]), Targets(**gradients), weight)
    if planar:
        return planar_log_prob(*tensors, *rest), gradients
    return block_log_prob(FRAMES_FIRST, *tensors, *rest), gradients


@pytest.mark.parametrize("rank", [0, 1])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("wanted", [NAMES, *((name,) for name in NAMES)], ids=str)
def test_a_block_equals_the_general_one(rank: int, weighted: bool, wanted: tuple[str, ...]) -> None:
    tensors = draw(7, 3, rank)
    before = [tensor.clone() for tensor in tensors]
    weight = torch.randn(7, dtype=torch.float64) if weighted else None
    found, slopes = run(tensors, wanted, weight, planar=True)
    expected, expected_slopes = run(tensors, wanted, weight, planar=False)
    assert found is not None
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
    for name in wanted:
        torch.testing.assert_close(
            slopes[name], expected_slopes[name], msg=lambda m, n=name: f"{n}: {m}"
        )
    for one, other in zip(tensors, before, strict=True):
        assert torch.equal(one, other), "an argument was written to"


@pytest.mark.parametrize("rank", [0, 1])
@pytest.mark.parametrize("scale", [1e-18, 1e-10, 1e-4, 1.0, 1e4, 1e10, 1e18])
def test_every_scale_of_float32_is_as_exact(scale: float, rank: int) -> None:
    made = dense.draw_gaussian((40, 3), 2, rank)
    value = 0.3 * scale * torch.randn(40, 2, dtype=torch.float64)
    given = [
        torch.randn(40, 3, dtype=torch.float64).log_softmax(-1),
        made["loc"] * scale,
        made["diagonal"] / scale**2,
        made["factor"] / scale,
        value,
    ]
    mine = [t.float().requires_grad_() for t in given]
    exact = [t.detach().double().requires_grad_() for t in mine]
    found = mixture_log_prob(*mine)
    # In float64 every one of these is inside the range, so the dense formula is the judge.
    expected = dense.mixture_log_prob(
        dict(zip(("logits", "loc", "diagonal", "factor"), exact[:4], strict=True)), exact[4]
    )
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=2e-4)
    found.sum().backward()
    units = (1.0, 1 / scale, scale**2, scale, 1 / scale)  # those of each gradient
    general = [t.detach().double().requires_grad_() for t in mine]
    mixture_log_prob(*general).sum().backward()
    for name, one, other, unit in zip(NAMES, mine, general, units, strict=True):
        if one.numel():
            torch.testing.assert_close(
                one.grad.double() / unit,
                other.grad / unit,
                rtol=2e-4,
                atol=2e-4,
                msg=lambda m, n=name: f"{n}: {m}",
            )


@pytest.mark.parametrize(
    ("place", "number"),
    [("diagonal", 1e-12), ("diagonal", 1e12), ("columns", 1e19), ("columns", math.nan),
     ("diagonal", math.nan)],
)  # fmt: skip
def test_what_could_overflow_is_left_to_the_general_block(place: str, number: float) -> None:
    tensors = [tensor.float() for tensor in draw(5, 2, 1)]
    tensors[NAMES.index(place) if place in NAMES else 3][..., 0] = number
    found, _ = run(tensors, NAMES, None, planar=True)
    assert found is None
    # And only that block: the other frames' are computed all the same.
    many = [t.expand(*t.shape) for t in tensors[:3]]
    log_prob = mixture_log_prob(*many, tensors[3].movedim(0, -1), tensors[4])
    assert log_prob.shape == (5,)
    assert log_prob.isnan().all() == math.isnan(number)


@pytest.mark.parametrize(("features", "rank", "used"), [(2, 0, 1), (2, 1, 1), (2, 2, 0), (3, 1, 0)])
def test_two_features_and_one_column_come_here(
    features: int, rank: int, used: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def counted(*arguments: object) -> Tensor | None:
        calls.append(arguments)
        return planar_log_prob(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(frames, "planar_log_prob", counted)
    made = dense.draw_gaussian((4, 3), features, rank)
    mixture_log_prob(torch.zeros(4, 3), *made.values(), torch.zeros(4, features))
    assert len(calls) == used


def test_a_target_that_is_not_dense_is_written_all_the_same() -> None:
    tensors = draw(6, 3, 1)
    expected = run(tensors, ("loc",), None, planar=True)[1]["loc"]
    target = torch.full((6, 2, 3), math.nan, dtype=torch.float64).mT
    planar_log_prob(*tensors, Scratch(tensors[-1]), Targets(loc=target))
    assert torch.equal(target, expected)
