"""States of the published code: each layer once, the same numbers out, and reasons for refusal."""

import math
import re

import pytest
import torch
from torch import Tensor

from seqmdn.models.ugmm import UGMMLinear, convert_published

WIDTHS = (4, 6, 5, 3)


def published(widths: tuple[int, ...] = WIDTHS, copies: bool = True) -> dict[str, Tensor]:
    """A network's state, as its modules register themselves: layer i holds the one below, too."""
    torch.manual_seed(0)
    layers = []
    for below, width in zip(widths, widths[1:], strict=False):
        shape = (width, below)
        layers.append(
            {
                "mu": torch.randn(shape),
                "std": torch.rand(shape).clamp(min=1e-3).log(),
                "k": torch.rand(shape),
            }
        )
    state = {}
    for i in range(len(layers)):
        for down in range(i + 1 if copies else 1):
            place = f"layers.{i + 1}." + "prev_layer." * down
            state |= {f"{place}{name}": part for name, part in layers[i - down].items()}
    return state


def as_published(state: dict[str, Tensor], x: Tensor) -> Tensor:
    """What the published network computes, written down from its formula."""
    for i in range(1, len(WIDTHS)):
        mean, deviation, logits = (state[f"layers.{i}.{name}"] for name in ("mu", "std", "k"))
        normal = torch.distributions.Normal(mean, deviation.exp())
        x = (normal.log_prob(x.unsqueeze(1)) + logits.log_softmax(1)).logsumexp(2)
    return x


@pytest.mark.parametrize("copies", [True, False])
def test_the_network_computes_the_same(copies: bool) -> None:
    state = published(copies=copies)
    network = convert_published(state)
    assert [layer.out_features for layer in network] == list(WIDTHS[1:])
    x = torch.randn(9, 4)
    torch.testing.assert_close(network(x), as_published(state, x), rtol=1e-5, atol=1e-5)
    stored = sum(tensor.numel() for tensor in network.state_dict().values())
    assert stored == 3 * (4 * 6 + 6 * 5 + 5 * 3)
    if copies:
        assert sum(tensor.numel() for tensor in state.values()) > 2 * stored


def test_the_state_of_its_last_layer_is_a_network_too() -> None:
    whole = published()
    top = {n.removeprefix("layers.3."): t for n, t in whole.items() if n.startswith("layers.3.")}
    x = torch.randn(9, 4)
    assert torch.equal(convert_published(top)(x), convert_published(whole)(x))


def changed(**new: Tensor | None) -> dict[str, Tensor]:
    state = published()
    for name, tensor in new.items():
        name = name.replace("__", ".")
        state.pop(name, None)
        if tensor is not None:
            state[name] = tensor
    return state


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({}, "found no entries"),
        (UGMMLinear(2, 3).state_dict(), "found 'logits': a state of this layer is loaded by"),
        (changed(layers__1__k=None), "expected mu, std and k at 'layers.1.', found no k"),
        (changed(layers__1__k=torch.zeros(6, 5)), "expected one shape (out, in) at 'layers.1.'"),
        (changed(layers__2__mu=torch.zeros(5, 6)), "the copies of the state differ"),
        (
            changed(layers__1__std=torch.full((6, 4), -math.inf)),
            "found 24 others in layers.1.std: a scale of 0 or a NaN has no density",
        ),
        (
            {f"layers.1.{n}": torch.zeros(3, 2) for n in ("mu", "std", "k")}
            | {f"layers.2.{n}": torch.zeros(3, 2) for n in ("mu", "std", "k")},
            "expected a layer of 3 inputs, as many as the one below has neurons, found 2",
        ),
    ],
)
def test_what_is_no_such_state_is_refused_with_the_reason(
    state: dict[str, Tensor], message: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        convert_published(state)


def test_a_layer_says_what_to_do_with_a_published_state() -> None:
    state = {name: torch.zeros(3, 2) for name in ("mu", "std", "k")}
    with pytest.raises(ValueError, match="convert it by seqmdn.models.ugmm.convert_published"):
        UGMMLinear(2, 3).load_state_dict(state)
