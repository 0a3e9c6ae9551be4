"""The network of single frames whose layers are mixtures."""

import re
from functools import partial

import pytest
import torch
from torch import nn

from seqmdn.backbones import UGMMBlock, UGMMLinear, UGMMNetwork
from tests.contracts import BackboneKind, check_backbone

# In a batch's statistics frames mix while it learns: what is asked of single frames is of others.
KINDS = [
    BackboneKind("plain", partial(UGMMNetwork, hidden=[6, 5], normalise=None), ()),
    BackboneKind(
        "all", partial(UGMMNetwork, hidden=[6, 5], normalise="layer", mix=True, product=True), ()
    ),
]


@pytest.mark.parametrize("check", ["has_its_shapes", "sequences_never_mix", "saves_and_loads"])
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_contract(kind: BackboneKind, check: str) -> None:
    check_backbone(kind, check)


@pytest.mark.parametrize("normalise", [None, "layer", "batch"])
@pytest.mark.parametrize("mix", [False, True])
def test_gradients_reach_every_parameter(normalise: str | None, mix: bool) -> None:
    torch.manual_seed(0)
    backbone = UGMMNetwork(3, [6, 5], mix=mix, product=True, normalise=normalise)  # type: ignore[arg-type]
    h, _ = backbone(torch.randn(9, 2, 3))
    (h * torch.randn_like(h)).sum().backward()
    for name, parameter in backbone.named_parameters():
        if normalise == "batch" and name.endswith("parts.0.bias") and mix:
            continue  # what a normalisation behind it takes away
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name
        assert (parameter.grad != 0).any(), name


def test_statistics_are_those_of_training_when_scored() -> None:
    torch.manual_seed(0)
    backbone = UGMMNetwork(3, [6, 5])
    x = 3 * torch.randn(500, 1, 3)
    for _ in range(60):
        h, _ = backbone(x)
    torch.testing.assert_close(h.mean((0, 1)), torch.zeros(5), rtol=0, atol=1e-4)
    torch.testing.assert_close(h.std((0, 1)), torch.ones(5), rtol=0, atol=1e-2)
    backbone.eval()
    torch.testing.assert_close(backbone(x)[0], h, rtol=0, atol=2e-2)
    one = backbone(x[:1])[0]
    torch.testing.assert_close(one, backbone(x)[0][:1]), "a frame is scored by itself"


def test_layers_are_in_their_order() -> None:
    def kinds(**options: object) -> list[type]:
        backbone = UGMMNetwork(3, [6, 5], **options)  # type: ignore[arg-type]
        return [
            type(part)
            for part in backbone.modules()
            if isinstance(part, nn.Linear | nn.LayerNorm | nn.BatchNorm1d | nn.Dropout | UGMMLinear)
        ]

    assert kinds(normalise=None) == [UGMMLinear] * 2
    assert kinds() == [UGMMLinear, nn.BatchNorm1d] * 2
    mixed = [nn.Linear, nn.LayerNorm, UGMMLinear, nn.LayerNorm, nn.Linear, nn.Dropout]
    assert kinds(mix=True, product=True, normalise="layer", dropout=0.1) == mixed * 2
    layers = [
        part for part in UGMMNetwork(3, [6, 5], mix=True).modules() if isinstance(part, UGMMLinear)
    ]
    assert [tuple(layer.mean.shape) for layer in layers] == [(6, 6), (5, 5)]


@pytest.mark.parametrize("shape", [(5,), (2, 3, 5)])
def test_a_block_takes_any_leading_shape_and_is_its_parts(shape: tuple[int, ...]) -> None:
    block = UGMMBlock(5, 4, mix=True, product=True, normalise="layer").double()
    x = torch.randn(shape, dtype=torch.float64)
    mix, first, layer, second, product = block.parts
    expected = product(second(layer(first(mix(x)))))
    torch.testing.assert_close(block(x), expected)
    assert block(x).shape == (*shape[:-1], 4)


def test_components_are_dropped_in_training_only() -> None:
    backbone = UGMMNetwork(3, [6], component_dropout=0.5, normalise=None)
    x = torch.randn(5, 1, 3)
    assert not torch.equal(backbone(x)[0], backbone(x)[0])
    backbone.eval()
    assert torch.equal(backbone(x)[0], backbone(x)[0])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"inputs": 0}, "inputs must be at least 1, found 0"),
        ({"hidden": [8, 0]}, "hidden must be widths of 1 or more, found [8, 0]"),
        ({"hidden": []}, "hidden must be widths of 1 or more, found []"),
        ({"dropout": 1.0}, "dropout must lie in [0, 1), found 1.0"),
        ({"component_dropout": 1.0}, "dropout must lie in [0, 1), found 1.0"),
        ({"normalise": "group"}, "normalise must be batch, layer or null, found 'group'"),
    ],
)
def test_what_makes_no_network_is_refused(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        UGMMNetwork(**({"inputs": 3} | options))


def test_what_does_not_fit_is_refused() -> None:
    backbone = UGMMNetwork(3)
    with pytest.raises(ValueError, match=r"x must have shape \(B, T, 3\), found \(2, 3\)"):
        backbone(torch.zeros(2, 3))
    with pytest.raises(ValueError, match="state must be empty, found 1 tensors"):
        backbone(torch.zeros(2, 1, 3), (torch.zeros(2, 1),))
