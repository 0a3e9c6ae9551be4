"""The window over a text: the contract of backbones, Graves' equations, and where a text ends."""

import math
import re
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from seqmdn.backbones import WindowBackbone
from seqmdn.backbones.backbone import State
from seqmdn.data import encode
from tests.contracts import BACKBONE_CHECKS, BackboneKind, check_backbone, perturbed

TEXTS = ["abcab", "c", "ba"]


class Said(WindowBackbone):
    """A window that begins by itself, on a text that everyone says."""

    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        return super().forward(x, self.begin(encode(["ab"] * len(x))) if state is None else state)


KINDS = [
    BackboneKind(
        f"window, {layers} layer{'s' if layers > 1 else ''}",
        partial(Said, **{"alphabet": "ab", "hidden": 6, "layers": layers, "windows": 2}),
        ((layers, 6), (layers, 6), (2,), (2,), (2, 2)),
    )
    for layers in (1, 3)
]


@pytest.mark.parametrize("check", BACKBONE_CHECKS)
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_contract(kind: BackboneKind, check: str) -> None:
    check_backbone(kind, check)


def build(strength: float = 0.4, **options: Any) -> WindowBackbone:
    torch.manual_seed(0)
    arguments = {"alphabet": "abc", "hidden": 5, "layers": 3, "windows": 2, "pace": 0.6} | options
    return perturbed(WindowBackbone(3, **arguments), strength).double().eval()


def cell(weights: dict[str, Tensor], x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
    gates = weights["weight_ih"] @ x + weights["bias_ih"]
    gates = gates + weights["weight_hh"] @ h + weights["bias_hh"]
    i, f, g, o = gates.chunk(4)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    return o.sigmoid() * c.tanh(), c


def by_hand(backbone: WindowBackbone, x: Tensor, text: str) -> tuple[Tensor, Tensor, list[bool]]:
    """Runs equations 46 to 52 over one sequence (T, X): h (T, H), phi (T, U + 1), finished."""
    M, layers = backbone.windows, [backbone.first, *backbone.above]
    weights = [
        {name.removesuffix("_l0"): p.detach() for name, p in layer.named_parameters()}
        for layer in layers
    ]
    codes = [torch.tensor([float(c == a) for a in backbone.alphabet], dtype=x.dtype) for c in text]
    h, c = (
        [x.new_zeros(backbone.hidden)] * len(layers),
        [x.new_zeros(backbone.hidden)] * len(layers),
    )
    w, kappa = codes[0], [0.0] * M
    outputs, shown, finished = [], [], []
    for step in x:
        h[0], c[0] = cell(weights[0], torch.cat((step, w)), h[0], c[0])
        hats = backbone.window.weight.detach() @ h[0] + backbone.window.bias.detach()
        alpha, beta = hats[:M].exp().tolist(), hats[M : 2 * M].exp().tolist()
        kappa = [k + math.exp(hat) for k, hat in zip(kappa, hats[2 * M :].tolist(), strict=True)]
        phi = [
            sum(alpha[m] * math.exp(-beta[m] * (kappa[m] - u) ** 2) for m in range(M))
            for u in range(1, len(text) + 2)
        ]
        w = sum(p * code for p, code in zip(phi, codes, strict=False))
        for n in range(1, len(layers)):
            h[n], c[n] = cell(weights[n], torch.cat((h[n - 1], step, w)), h[n], c[n])
        outputs.append(torch.cat(h))
        shown.append(torch.tensor(phi, dtype=x.dtype))
        finished.append(all(phi[-1] > p for p in phi[:-1]))
    return torch.stack(outputs), torch.stack(shown), finished


@pytest.mark.parametrize("layers", [1, 3])
def test_it_is_graves_network(layers: int) -> None:
    backbone = build(layers=layers)
    x = torch.randn(3, 12, 3).double()
    h, _, phi = backbone.trace(x, backbone.begin(encode(TEXTS)))
    assert h.shape == (3, 12, 5 * layers) and phi.shape == (3, 12, 5)
    assert torch.equal(h, backbone(x, backbone.begin(encode(TEXTS)))[0])
    for i, text in enumerate(TEXTS):
        expected, shown, _ = by_hand(backbone, x[i], text)
        torch.testing.assert_close(h[i], expected, rtol=1e-10, atol=1e-12)
        U = len(text)
        torch.testing.assert_close(phi[i, :, :U], shown[:, :U], rtol=1e-10, atol=1e-12)


def test_a_text_is_finished_where_the_window_shows_what_is_behind_it() -> None:
    backbone = build()
    x, state = torch.randn(3, 25, 3).double(), backbone.begin(encode(TEXTS))
    found = []
    for t in range(25):
        _, state = backbone(x[:, t : t + 1], state)
        found.append(backbone.finished(state))
    said = torch.stack(found, dim=1)  # (B, T)
    for i, text in enumerate(TEXTS):
        assert said[i].tolist() == by_hand(backbone, x[i], text)[2], text
        assert not said[i, 0] and said[i, -1], "it flips once the windows pass the end"
    # Asking moves nothing, and longer texts take longer.
    assert torch.equal(backbone.finished(state), said[:, -1])
    assert said[1].sum() > said[2].sum() > said[0].sum()


def test_a_window_far_behind_the_end_has_finished() -> None:
    backbone = WindowBackbone(3, "abc", hidden=4, layers=1, windows=2)
    hidden, cell, _, window, text = backbone.begin(encode(TEXTS))
    for beyond in (1.0, 5.0, 100.0, 1e4):
        place = torch.tensor([5.0, 1.0, 2.0]).unsqueeze(1).expand(3, 2) + beyond
        assert backbone.finished((hidden, cell, place, window, text)).all(), beyond
        assert not backbone.finished((hidden, cell, place * 0, window, text)).any()


@pytest.mark.parametrize("texts", [["a", "abcabcab"], TEXTS], ids=str)
def test_padding_of_texts_changes_nothing(texts: list[str]) -> None:
    backbone = build()
    x = torch.randn(len(texts), 9, 3).double()
    h, state, phi = backbone.trace(x, backbone.begin(encode(texts)))
    finished = backbone.finished(state)
    for i, text in enumerate(texts):
        one, after, shown = backbone.trace(x[i : i + 1], backbone.begin(encode([text])))
        torch.testing.assert_close(one[0], h[i])
        torch.testing.assert_close(shown[0], phi[i, :, : len(text)])
        for found, part in zip(after[:4], state[:4], strict=True):
            torch.testing.assert_close(found[0], part[i])
        assert bool(backbone.finished(after)) is bool(finished[i])


def test_the_window_never_goes_back_and_begins_at_its_pace() -> None:
    backbone, places = build(1.0), []
    state = backbone.begin(encode(TEXTS))
    assert (state[2] == 0).all() and torch.equal(state[3], state[4][:, 0])
    for _ in range(30):
        _, state = backbone(5 * torch.randn(3, 1, 3).double(), state)
        places.append(state[2])
    assert (torch.stack(places).diff(dim=0) > 0).all()
    new = WindowBackbone(3, "abc", hidden=64, pace=0.2)
    with torch.no_grad():
        _, state = new(torch.randn(3, 50, 3), new.begin(encode(TEXTS)))
    torch.testing.assert_close(state[2], torch.full((3, 10), 50 * 0.2), rtol=0.2, atol=0)


def test_dropout_never_moves_the_window() -> None:
    backbone = build(dropout=0.9)
    x, state = torch.randn(3, 9, 3).double(), backbone.begin(encode(TEXTS))
    expected, after, shown = backbone.trace(x, state)
    found, dropped, phi = backbone.train().trace(x, state)
    assert not torch.equal(found, expected)
    torch.testing.assert_close(phi, shown)
    for one, other in zip(dropped[2:], after[2:], strict=True):
        torch.testing.assert_close(one, other)


def test_every_character_of_a_text_is_seen() -> None:
    backbone = build()
    x = torch.randn(1, 20, 3).double()
    h = backbone(x, backbone.begin(encode(["abcab"])))[0]
    for text in ("bbcab", "abcac", "abc"):
        other = backbone(x, backbone.begin(encode([text])))[0]
        assert (h - other).abs().max() > 1e-6, text


def test_autocast_keeps_the_windows_place() -> None:
    backbone = WindowBackbone(3, "abc", hidden=16, windows=2)
    x, codes = torch.randn(2, 300, 3), encode(["abc" * 9, "a"])
    with torch.no_grad():
        plain = backbone(x, backbone.begin(codes))[1][2]
        with torch.autocast("cpu", dtype=torch.bfloat16):
            _, state = backbone(x, backbone.begin(codes))
            assert backbone.finished(state).tolist() == [False, True]
    assert state[2].dtype == torch.float32
    torch.testing.assert_close(state[2], plain, rtol=0.02, atol=0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"alphabet": ""}, "every character of the texts once, found ''"),
        ({"alphabet": "aba"}, "every character of the texts once, found 'aba'"),
        ({"alphabet": "a\0"}, "every character of the texts once"),
        ({"windows": 0}, "windows must be at least 1, found 0"),
        ({"pace": 0.0}, "pace must be positive, found 0.0"),
        ({"pace": math.nan}, "pace must be positive, found nan"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        WindowBackbone(**({"inputs": 3, "alphabet": "ab"} | options))


@pytest.mark.parametrize(
    ("codes", "message"),
    [
        (encode(["ab", "xaé"]), "never saw 'x', 'é': write texts of the characters 'abc'"),
        (torch.tensor([[97, 98], [0, 0]]), r"found shape \(2, 2\) with an empty text"),
        (torch.zeros(2, 0, dtype=torch.int64), "of one character or more"),
        (torch.tensor([97, 98]), r"expected texts \(B, U\) .*found shape \(2,\)"),
    ],
)
def test_texts_that_it_cannot_read_are_refused(codes: Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build().begin(codes)


def test_states_that_do_not_fit_are_refused() -> None:
    backbone = build()
    with pytest.raises(ValueError, match="this backbone reads a text: begin its state with begin"):
        backbone(torch.zeros(2, 1, 3).double())
    state = backbone.begin(encode(["ab", "c"]))
    expected = re.escape(
        "state must hold 5 tensors of shape [(2, 3, 5), (2, 3, 5), (2, 2), (2, 3)]"
    )
    for wrong in (state[:4], (*state[:4], state[4][:, :, :2]), (*state[:2], state[3], *state[3:])):
        with pytest.raises(ValueError, match=rf"{expected} and \(B, U, 3\), found"):
            backbone(torch.zeros(2, 1, 3).double(), wrong)
        with pytest.raises(ValueError, match=expected):
            backbone.finished(wrong)
    with pytest.raises(ValueError, match="state must hold 5 tensors"):
        backbone(torch.zeros(3, 1, 3).double(), state)
