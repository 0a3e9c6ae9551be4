"""What backbones share: the gradient's limit, and what one without a text says."""

from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor

from seqmdn.backbones import Backbone, GRUBackbone, LSTMBackbone, WindowBackbone
from seqmdn.backbones.backbone import State, clip_gradient
from seqmdn.data import encode
from tests.contracts import perturbed

WINDOW = partial(WindowBackbone, alphabet="ab", windows=2)
MAKERS: dict[str, Callable[..., Backbone]] = {
    "lstm": LSTMBackbone,
    "lstm skip": partial(LSTMBackbone, skip=True),
    "gru": GRUBackbone,
    "window": WINDOW,
}


def begin(backbone: Backbone, size: int) -> State | None:
    return backbone.begin(encode(["ab"] * size)) if isinstance(backbone, WindowBackbone) else None


@pytest.mark.parametrize("limit", [0.3, 2.0])
def test_a_gradient_is_cut_entry_by_entry(limit: float) -> None:
    x = torch.randn(5, 4, dtype=torch.float64, requires_grad=True)
    weight = 3 * torch.randn(5, 4, dtype=torch.float64)
    out = clip_gradient(x, limit)
    assert torch.equal(out, x)
    out.backward(weight)
    assert (weight.abs() > limit).any() and (weight.abs() < limit).any()
    assert torch.equal(x.grad, torch.where(weight.abs() > limit, limit * weight.sign(), weight))


def test_without_a_limit_nothing_is_done() -> None:
    x = torch.randn(3, requires_grad=True)
    assert clip_gradient(x, None) is x


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("name", MAKERS)
def test_a_clip_changes_gradients_and_no_values(name: str, layers: int) -> None:
    def gradients(clip: float | None) -> tuple[Tensor, list[Tensor]]:
        torch.manual_seed(0)
        backbone = perturbed(MAKERS[name](3, hidden=6, layers=layers, clip=clip), 0.5)
        x = torch.randn(4, 7, 3)
        h, _ = backbone(x, begin(backbone, 4))
        found = torch.autograd.grad(50 * h.square().sum(), list(backbone.parameters()))
        return h, list(found)

    free, wide, narrow = gradients(None), gradients(1e9), gradients(1e-3)
    assert torch.equal(free[0], wide[0]) and torch.equal(free[0], narrow[0])
    for one, other, cut in zip(free[1], wide[1], narrow[1], strict=True):
        torch.testing.assert_close(one, other)
        assert cut.abs().sum() < 0.1 * one.abs().sum()


@pytest.mark.parametrize("name", MAKERS)
def test_every_layers_output_is_clipped(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    limits: list[float | None] = []

    def note(x: Tensor, limit: float | None) -> Tensor:
        limits.append(limit)
        return x

    for module in ("stacked", "window"):
        monkeypatch.setattr(f"seqmdn.backbones.{module}.clip_gradient", note)
    backbone = MAKERS[name](3, hidden=6, layers=3, clip=0.7)
    backbone(torch.zeros(2, 1, 3), begin(backbone, 2))
    assert limits == [0.7] * 3


def test_the_gradient_of_one_layer_is_cut_where_it_leaves_it() -> None:
    # Of one step and one layer: what reaches the layer is the clamped gradient of its output.
    plain = perturbed(LSTMBackbone(3, 6), 0.3)
    clipped = LSTMBackbone(3, 6, clip=0.5)
    clipped.load_state_dict(plain.state_dict())
    x, weight = torch.randn(4, 1, 3), torch.randn(4, 1, 6)
    clipped(x)[0].backward(weight)
    plain(x)[0].backward(weight.clamp(-0.5, 0.5))
    for one, other in zip(clipped.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad)


@pytest.mark.parametrize("clip", [0.0, -1.0, float("nan")])
@pytest.mark.parametrize("name", MAKERS)
def test_a_clip_that_lets_nothing_through_is_refused(name: str, clip: float) -> None:
    with pytest.raises(ValueError, match=f"clip must be positive, found {clip}"):
        MAKERS[name](3, clip=clip)


@pytest.mark.parametrize("cell", [LSTMBackbone, GRUBackbone])
def test_one_that_reads_no_text_says_so(cell: type[Backbone]) -> None:
    backbone = cell(3)
    message = rf"a {cell.__name__} does not read texts: use .*WindowBackbone, or data without text"
    with pytest.raises(ValueError, match=message):
        backbone.begin(encode(["ab"]))
    assert backbone.finished(backbone(torch.zeros(2, 1, 3))[1]) is None
