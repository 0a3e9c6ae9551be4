"""Checks that every kind of backbone must pass."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn

from tests.contracts.distributions import (
    assert_finite_gradients,
)
from tests.contracts.modules import assert_state_is_complete, perturbed


@dataclass(frozen=True)
class BackboneKind:
    """One kind of backbone, and the shape of its state."""

    name: str
    make: Callable[..., nn.Module]
    """(inputs, dropout=...) -> the backbone."""
    state: tuple[tuple[int, ...], ...]
    """The shape of each part of the state of one sequence."""

    def __str__(self) -> str:
        return self.name


def check_backbone(kind: BackboneKind, check: str | None = None) -> None:
    """Runs one named check of `BACKBONE_CHECKS`, or all of them."""
    for name in [check] if check else BACKBONE_CHECKS:
        torch.manual_seed(0)
        BACKBONE_CHECKS[name](kind)


def _backbone_has_its_shapes(kind: BackboneKind) -> None:
    backbone = kind.make(3)
    for batch, time in ((1, 1), (5, 7)):
        h, state = backbone(torch.randn(batch, time, 3))
        assert h.shape == (batch, time, backbone.features)
        assert isinstance(state, tuple)
        assert [part.shape for part in state] == [(batch, *shape) for shape in kind.state]
        again, after = backbone(torch.randn(batch, 2, 3), state)
        assert again.shape == (batch, 2, backbone.features)
        assert [part.shape for part in after] == [part.shape for part in state]


def _backbone_steps_are_the_whole(kind: BackboneKind) -> None:
    backbone = perturbed(kind.make(3), 0.3).double()
    x = torch.randn(4, 9, 3, dtype=torch.float64)
    whole, last = backbone(x)
    outputs, state = [], None
    for t in range(9):
        h, state = backbone(x[:, t : t + 1], state)
        outputs.append(h)
    _assert_all_close((torch.cat(outputs, dim=1), *state), (whole, *last))
    for split in range(1, 9):
        first, state = backbone(x[:, :split])
        second, state = backbone(x[:, split:], state)
        _assert_all_close((torch.cat((first, second), dim=1), *state), (whole, *last))
        forgotten, _ = backbone(x[:, split:])
        assert (forgotten - second).abs().max() > 1e-3, "the state has no effect"
    with torch.no_grad():  # where a step by itself may go another way
        outputs, state = [], None
        for t in range(9):
            h, state = backbone(x[:, t : t + 1], state)
            outputs.append(h)
    _assert_all_close((torch.cat(outputs, dim=1), *state), (whole, *last))


def _backbone_sequences_never_mix(kind: BackboneKind) -> None:
    backbone = perturbed(kind.make(3), 0.3).double()
    x = torch.randn(4, 6, 3, dtype=torch.float64)
    _, before = backbone(torch.randn(4, 3, 3, dtype=torch.float64))
    whole, last = backbone(x, before)
    order = torch.tensor([2, 0, 3, 1])
    shuffled, after = backbone(x[order], tuple(part[order] for part in before))
    _assert_all_close((shuffled, *after), (whole[order], *(part[order] for part in last)))
    for i in range(4):
        alone, after = backbone(x[i : i + 1], tuple(part[i : i + 1] for part in before))
        _assert_all_close((alone, *after), (whole[i : i + 1], *(p[i : i + 1] for p in last)))


def _backbone_looks_back_only(kind: BackboneKind) -> None:
    backbone = perturbed(kind.make(3), 0.3)
    x = torch.randn(2, 6, 3, requires_grad=True)
    h, _ = backbone(x)
    for t in range(6):
        (gradient,) = torch.autograd.grad(h[:, t].square().sum(), x, retain_graph=True)
        assert (gradient[:, t + 1 :] == 0).all() and (gradient[:, : t + 1] != 0).all()


def _backbone_gradients_reach_every_parameter(kind: BackboneKind) -> None:
    backbone = kind.make(3)
    x = torch.randn(4, 6, 3, requires_grad=True)
    _, state = backbone(torch.randn(4, 2, 3))
    state = tuple(part.detach().requires_grad_() for part in state)
    h, after = backbone(x, state)
    (h.square().sum() + sum(part.sum() for part in after)).backward()
    tensors = dict(backbone.named_parameters()) | {"x": x}
    tensors |= {f"state {i}": part for i, part in enumerate(state)}
    assert_finite_gradients(tensors, nonzero=True)
    for name, parameter in backbone.named_parameters():
        assert parameter.grad is not None and (parameter.grad != 0).all(), name


def _backbone_saves_and_loads(kind: BackboneKind) -> None:
    backbone = perturbed(kind.make(3))
    assert_state_is_complete(backbone)
    fresh = kind.make(3)
    fresh.load_state_dict(backbone.state_dict())
    x = torch.randn(2, 5, 3)
    assert torch.equal(fresh(x)[0], backbone(x)[0])


def _backbone_drops_outputs_in_training_only(kind: BackboneKind) -> None:
    backbone, plain = kind.make(3, dropout=0.5), kind.make(3)
    plain.load_state_dict(backbone.state_dict())
    x = torch.randn(200, 5, 3)
    assert not torch.equal(backbone(x)[0], backbone(x)[0])
    expected, state = plain(x)
    dropped, _ = backbone(x)
    zeros = (dropped == 0).float().mean(dim=(0, 1))
    layers, handed_on = zeros.tensor_split([len(zeros) - 3 * getattr(plain, "bypass", False)])
    assert ((layers - 0.5).abs() < 0.1).all(), "every output is dropped half of the time"
    assert (handed_on == 0).all(), "the input is no output of a layer"
    # The first layer's memory knows nothing of dropout.
    _, after = backbone(x)
    for found, part in zip(after, state, strict=True):
        torch.testing.assert_close(found[:, 0], part[:, 0])
    backbone.eval()
    assert not backbone.dropout.training
    assert torch.equal(backbone(x)[0], expected)


def _backbone_says_what_does_not_fit(kind: BackboneKind) -> None:
    for name in ("inputs", "hidden", "layers"):
        with pytest.raises(ValueError, match=f"{name} must be at least 1, found 0"):
            kind.make(**({"inputs": 3} | {name: 0}))
    for dropout in (-0.1, 1.0, 1.5):
        with pytest.raises(ValueError, match=rf"dropout must lie in \[0, 1\), found {dropout}"):
            kind.make(3, dropout=dropout)
    backbone = kind.make(3)
    for shape in ((2, 5, 4), (5, 3), (3,)):  # without its batch, a sequence would pass for one
        found = re.escape(str(shape))
        with pytest.raises(ValueError, match=rf"x must have shape \(B, T, 3\), found {found}"):
            backbone(torch.zeros(shape))
    _, state = backbone(torch.zeros(2, 5, 3))
    wrong = (
        state[:-1],
        (*state, state[0]),
        tuple(part[:1] for part in state),
        tuple(torch.cat((part, part), dim=1) for part in state),
        tuple(part[..., :-1] for part in state),
    )
    for other in wrong:
        with pytest.raises(ValueError, match=r"state must .*found"):
            backbone(torch.zeros(2, 5, 3), other)


BACKBONE_CHECKS: dict[str, Callable[[BackboneKind], None]] = {
    "has_its_shapes": _backbone_has_its_shapes,
    "steps_are_the_whole": _backbone_steps_are_the_whole,
    "sequences_never_mix": _backbone_sequences_never_mix,
    "looks_back_only": _backbone_looks_back_only,
    "gradients_reach_every_parameter": _backbone_gradients_reach_every_parameter,
    "saves_and_loads": _backbone_saves_and_loads,
    "drops_outputs_in_training_only": _backbone_drops_outputs_in_training_only,
    "says_what_does_not_fit": _backbone_says_what_does_not_fit,
}


def _assert_all_close(found: tuple[Tensor, ...], expected: tuple[Tensor, ...]) -> None:
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10)
