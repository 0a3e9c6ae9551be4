"""Backbones: the contract of every one of them, and torch's own networks as a reference."""

from functools import partial

import pytest
import torch
from torch import nn

from seqmdn.backbones import Backbone, GRUBackbone, LSTMBackbone
from tests.contracts import BACKBONE_CHECKS, BackboneKind, check_backbone, perturbed

KINDS = [
    BackboneKind(
        f"{cell.__name__} {layers}{' skip' if skip else ''}{' bypass' if bypass else ''}",
        partial(cell, **{"hidden": 6, "layers": layers, "skip": skip, "bypass": bypass}),
        ((layers, 6),) * parts,
    )
    for cell, parts in ((LSTMBackbone, 2), (GRUBackbone, 1))
    for layers in (1, 2)
    for skip in (False, True)
    for bypass in (False, True)
]


@pytest.mark.parametrize("check", BACKBONE_CHECKS)
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_contract(kind: BackboneKind, check: str) -> None:
    check_backbone(kind, check)


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize(("cell", "reference"), [(LSTMBackbone, nn.LSTM), (GRUBackbone, nn.GRU)])
def test_it_is_torchs_network(
    cell: type[Backbone], reference: type[nn.RNNBase], layers: int
) -> None:
    backbone = perturbed(cell(3, 6, layers=layers), 0.3)
    plain = reference(3, 6, num_layers=layers, batch_first=True)
    for i, layer in enumerate(backbone.layers):
        for name, parameter in layer.named_parameters():
            getattr(plain, name.replace("_l0", f"_l{i}")).data.copy_(parameter)
    x, first = torch.randn(4, 7, 3), torch.randn(4, 5, 3)
    _, state = backbone(first)
    h, after = backbone(x, state)
    _, given = plain(first)
    expected, last = plain(x, given)
    torch.testing.assert_close(h, expected)
    last = last if isinstance(last, tuple) else (last,)
    for found, part in zip(after, last, strict=True):
        torch.testing.assert_close(found, part.transpose(0, 1))


def test_skip_connects_the_input_to_every_layer_and_every_layer_to_the_output() -> None:
    backbone = perturbed(LSTMBackbone(3, 6, layers=3, skip=True), 0.2)
    assert backbone.features == 18
    assert [layer.input_size for layer in backbone.layers] == [3, 9, 9]
    x = torch.randn(2, 5, 3)
    h, _ = backbone(x)
    below, expected = x, []
    for i, layer in enumerate(backbone.layers):
        below, _ = layer(below if i == 0 else torch.cat((below, x), dim=-1))
        expected.append(below)
    torch.testing.assert_close(h, torch.cat(expected, dim=-1))


def test_without_skip_only_the_last_layer_is_the_output() -> None:
    backbone = LSTMBackbone(3, 6, layers=3)
    assert backbone.features == 6
    assert [layer.input_size for layer in backbone.layers] == [3, 6, 6]


@pytest.mark.parametrize("skip", [False, True])
def test_a_bypass_hands_the_input_on_as_it_is(skip: bool) -> None:
    backbone = perturbed(LSTMBackbone(3, 6, layers=2, skip=skip, bypass=True, dropout=0.9), 0.2)
    plain = LSTMBackbone(3, 6, layers=2, skip=skip, dropout=0.9)
    plain.load_state_dict(backbone.state_dict())
    assert backbone.features == plain.features + 3
    x = 100 * torch.randn(2, 5, 3)
    torch.manual_seed(1)
    h, _ = backbone(x)
    torch.manual_seed(1)
    expected, _ = plain(x)
    assert torch.equal(h, torch.cat((expected, x), dim=-1)), "in training, too, nothing is dropped"


def test_forget_gates_begin_with_a_bias_of_one() -> None:
    for layer in LSTMBackbone(3, 6, layers=2).layers:
        bias = (layer.bias_ih_l0 + layer.bias_hh_l0).view(4, 6)  # input, forget, cell, output
        assert torch.equal(bias[1], torch.ones(6))
        assert (bias[[0, 2, 3]] != 1).all()
    # With open forget gates a new network remembers its first input for longer.
    x = torch.zeros(1, 12, 3)
    x[:, 0] = 3
    remembering, usual = LSTMBackbone(3, 64), LSTMBackbone(3, 64)
    with torch.no_grad():
        usual.layers[0].bias_ih_l0[64:128] = 0
        usual.layers[0].load_state_dict(
            remembering.layers[0].state_dict() | {"bias_ih_l0": usual.layers[0].bias_ih_l0}
        )
    cells = [
        backbone(x)[1][1] - backbone(torch.zeros(1, 12, 3))[1][1]
        for backbone in (remembering, usual)
    ]
    assert cells[0].abs().mean() > 2 * cells[1].abs().mean()


def test_dropout_scales_what_is_left() -> None:
    backbone = LSTMBackbone(3, 6, dropout=0.25)
    x = torch.randn(500, 4, 3)
    dropped = backbone(x)[0]
    left = dropped != 0
    expected = backbone.eval()(x)[0] / 0.75
    torch.testing.assert_close(dropped[left], expected[left])


def test_a_state_can_be_cut_and_gathered() -> None:
    backbone = LSTMBackbone(3, 6, layers=2)
    _, state = backbone(torch.randn(4, 5, 3))
    x = torch.randn(1, 1, 3)
    chosen = torch.tensor([3, 3, 0])
    h, _ = backbone(x.expand(3, 1, 3), tuple(part[chosen] for part in state))
    assert torch.equal(h[0], h[1]) and not torch.equal(h[0], h[2])


@pytest.mark.parametrize("steps", [1, 7])
@pytest.mark.parametrize("cell", [LSTMBackbone, GRUBackbone])
def test_half_precision_on_a_cpu_runs_step_by_step(cell: type[Backbone], steps: int) -> None:
    backbone = cell(5, hidden=6, layers=2)
    x, begun = torch.randn(3, steps, 5), backbone(torch.randn(3, 2, 5))[1]
    for given in (None, tuple(part.detach() for part in begun)):
        expected, after = backbone(x, given)
        with torch.autocast("cpu", dtype=torch.float16):
            found, state = backbone(x, given)
        torch.testing.assert_close(found.float(), expected, rtol=0.01, atol=0.003)
        for part, whole in zip(state, after, strict=True):
            torch.testing.assert_close(part.float(), whole, rtol=0.01, atol=0.003)
        assert steps == 1 or not torch.equal(found.float(), expected)
        backbone.zero_grad()
        found.float().square().sum().backward()
        gradients = [each.grad for each in backbone.parameters()]
        assert all(each is not None for each in gradients)
        # A first step sees a state of 0, of whose weights the slope is 0.
        assert (steps == 1 and given is None) or all(each.any() for each in gradients)
