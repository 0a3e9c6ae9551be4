"""The network of single frames: the backbone contract, with a state that is empty."""

import re
from functools import partial

import pytest
import torch
from torch import nn

from seqmdn.backbones import MLPBackbone
from tests.contracts import BackboneKind, check_backbone

KIND = BackboneKind("mlp", partial(MLPBackbone, hidden=[6, 5]), ())


@pytest.mark.parametrize(
    "check",
    [
        "has_its_shapes",
        "sequences_never_mix",
        "gradients_reach_every_parameter",
        "saves_and_loads",
    ],
)
def test_contract(check: str) -> None:
    check_backbone(KIND, check)


def test_every_frame_is_seen_by_itself() -> None:
    backbone = MLPBackbone(3, hidden=[6, 5]).double()
    x = torch.randn(2, 4, 3, dtype=torch.float64, requires_grad=True)
    h, state = backbone(x)
    assert state == ()
    for t in range(4):
        (gradient,) = torch.autograd.grad(h[:, t].square().sum(), x, retain_graph=True)
        assert [bool(gradient[:, s].any()) for s in range(4)] == [s == t for s in range(4)]
        torch.testing.assert_close(backbone(x[:, t : t + 1], ())[0], h[:, t : t + 1])


@pytest.mark.parametrize("activation", ["silu", "gelu", "relu", "tanh"])
def test_layers_are_affine_maps_with_the_activation_behind_each(activation: str) -> None:
    backbone = MLPBackbone(3, hidden=[6, 5], activation=activation)
    function = {"silu": nn.functional.silu, "gelu": nn.functional.gelu}.get(
        activation, getattr(torch, activation, None)
    )
    x = torch.randn(2, 1, 3)
    first, second = (layer for layer in backbone.network if isinstance(layer, nn.Linear))
    torch.testing.assert_close(backbone(x)[0], function(second(function(first(x)))))


def test_without_layers_the_input_is_handed_on() -> None:
    backbone = MLPBackbone(3, hidden=[])
    x = torch.randn(2, 1, 3)
    assert torch.equal(backbone(x)[0], x) and backbone.features == 3
    assert not list(backbone.parameters())


def test_units_are_dropped_in_training_only() -> None:
    backbone = MLPBackbone(3, hidden=[400], dropout=0.25)
    x = torch.randn(50, 1, 3)
    dropped = (backbone(x)[0] == 0).double().mean().item()
    assert dropped == pytest.approx(0.25, abs=0.02)
    backbone.eval()
    assert torch.equal(backbone(x)[0], backbone(x)[0]) and (backbone(x)[0] != 0).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"inputs": 0}, "inputs must be at least 1, found 0"),
        ({"hidden": [8, 0]}, "hidden must be widths of 1 or more, found [8, 0]"),
        ({"dropout": 1.0}, "dropout must lie in [0, 1), found 1.0"),
        (
            {"activation": "step"},
            "activation must be one of silu, gelu, relu, tanh, found 'step'",
        ),
    ],
)
def test_what_makes_no_network_is_refused(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        MLPBackbone(**({"inputs": 3} | options))


def test_what_does_not_fit_is_refused() -> None:
    backbone = MLPBackbone(3)
    with pytest.raises(ValueError, match=r"x must have shape \(B, T, 3\), found \(2, 3\)"):
        backbone(torch.zeros(2, 3))
    with pytest.raises(ValueError, match="state must be empty, found 1 tensors"):
        backbone(torch.zeros(2, 1, 3), (torch.zeros(2, 1),))
