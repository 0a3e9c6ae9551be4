"""Layers of mixtures: both sides compute the same, and the README holds every row."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from benchmarks import ugmm
from benchmarks.measure import Comparison
from seqmdn.backbones import UGMMLinear
from tests.contracts.modules import perturbed


def test_the_plain_form_is_the_layer() -> None:
    layer = perturbed(UGMMLinear(6, 4), 0.5)
    x = 2 * torch.randn(9, 6)
    torch.testing.assert_close(ugmm.plain(layer, x), layer(x))


@pytest.mark.parametrize("backward", [False, True])
def test_a_pass_leaves_nothing_behind(backward: bool) -> None:
    layer = UGMMLinear(6, 4)
    x = torch.randn(9, 6, requires_grad=True)
    seen: list[bool] = []

    def function(given: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = layer(given)
        seen.append(y.requires_grad)
        return y

    ugmm.passing(layer, function, x, backward)()
    assert seen == [backward]
    assert x.grad is None and all(parameter.grad is None for parameter in layer.parameters())


@pytest.mark.parametrize(
    ("against", "kind", "name"), [("plain", UGMMLinear, "the plain"), ("linear", nn.Linear, "`nn.")]
)
def test_ratios_are_theirs_by_ours(
    against: str, kind: type, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = Comparison(0.002, 0.02, 0.002, 0.01, 10.0, 0.05)
    made: list[nn.Module] = []
    passing = ugmm.passing

    def watched(layer: nn.Module, *rest: object) -> object:
        made.append(layer)
        return passing(layer, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(ugmm, "passing", watched)
    monkeypatch.setattr(ugmm, "compare", lambda ours, theirs, repeats: found)
    sizes = iter([2**20, 2**22])
    monkeypatch.setattr(ugmm, "peak_memory", lambda work: next(sizes))
    line = ugmm.row(1, (4, 6, 3), True, against)
    assert isinstance(made[0], kind) and isinstance(made[1], UGMMLinear)
    assert f"{name}" in line and line.count("|") == ugmm.HEADER.count("|")
    assert "| 2.00 | 20.00 | 10 | 0.05 | 1.00 | 4.00 | 4.00 |  |" in line


def test_the_readme_holds_every_row() -> None:
    text = Path(ugmm.__file__).with_name("README.md").read_text()
    table = text.split(ugmm.BEGIN)[1].split(ugmm.END)[0]
    for sizes in ugmm.SIZES:
        for name in ("the plain form", "`nn.Linear`"):
            for each in ("forward", "forward and backward"):
                assert f"| {', '.join(map(str, sizes))} | {each} | {name} |" in table
    assert table.count(ugmm.TARGET) == 1
