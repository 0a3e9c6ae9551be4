"""Measure layers of mixtures: `python -m benchmarks.ugmm [--write]`.

Ours beside the plain form, which holds all pairs of inputs and neurons at once and lets autograd
keep what it wants, as the published code does; and beside `nn.Linear` of the same size, a third of
the parameters. Both sides of a row by turns in one process, one thread, in float32. `--write` puts
the table into benchmarks/README.md as well.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from benchmarks.measure import Work, compare, peak_memory
from benchmarks.one_thread import run
from seqmdn.backbones.ugmm import UGMMLinear

BEGIN, END = "<!-- begin: python -m benchmarks.ugmm -->", "<!-- end: benchmarks.ugmm -->"
HEADER = (
    "| batch, in, out | pass | against | ours ms | theirs ms | ratio | ratio, processor"
    " | ours MB | theirs MB | ratio, memory | target |"
)
SIZES = ((256, 784, 128), (256, 128, 64), (256, 64, 10), (64, 136, 512))
TARGET = "≥ 7, ≥ 25"  # of time and memory, of the first size, forward and backward


def plain(layer: UGMMLinear, x: Tensor) -> Tensor:
    """Return the layer's outputs by the formula as it stands, one operation after the other."""
    deviation = layer.scales()
    distance = x.unsqueeze(1) - layer.means()
    density = -(distance**2) / (2 * deviation**2) - deviation.log() - 0.5 * math.log(2 * math.pi)
    return torch.logsumexp(density + layer.logits.log_softmax(dim=1), dim=2)


def passing(
    layer: nn.Module, function: Callable[[Tensor], Tensor], x: Tensor, backward: bool
) -> Work:
    """Return one pass, of which nothing is left behind."""

    def forward() -> None:
        with torch.no_grad():
            function(x)

    def both() -> None:
        y = function(x)
        torch.autograd.grad(y.square().sum(), (x, *layer.parameters()))

    return both if backward else forward


def row(repeats: int, sizes: tuple[int, int, int], backward: bool, against: str) -> str:
    """Measure one row."""
    batch, inputs, outputs = sizes
    torch.manual_seed(0)
    x = torch.randn(batch, inputs, requires_grad=True)
    layer, linear = UGMMLinear(inputs, outputs), nn.Linear(inputs, outputs)
    if against == "plain":
        theirs = passing(layer, lambda x: plain(layer, x), x, backward)
    else:
        theirs = passing(linear, linear, x, backward)
    ours = passing(layer, layer, x, backward)
    found = compare(ours, theirs, repeats)
    memory, other = (peak_memory(work) / 2**20 for work in (ours, theirs))
    named = "the plain form" if against == "plain" else "`nn.Linear`"
    target = TARGET if sizes == SIZES[0] and backward and against == "plain" else ""
    cells = [
        f"{batch}, {inputs}, {outputs}",
        "forward and backward" if backward else "forward",
        named,
        f"{1e3 * found.ours:.2f}",
        f"{1e3 * found.theirs:.2f}",
        _ratio(found.ratio),
        _ratio(found.ratio_processor),
        f"{memory:.2f}",
        f"{other:.2f}",
        _ratio(other / memory),
        target,
    ]
    return "| " + " | ".join(cells) + " |"


def table(repeats: int) -> str:
    """Measure all rows, print and return them."""
    lines = [HEADER, "|---" * (HEADER.count("|") - 1) + "|"]
    print("\n".join(lines))
    for sizes in SIZES:
        for backward in (False, True):
            for against in ("plain", "linear"):
                lines.append(row(repeats, sizes, backward, against))
                print(lines[-1], flush=True)
    return "\n".join(lines)


def _ratio(value: float) -> str:
    """Write a ratio with two digits at least, also of what is a hundred times as slow."""
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}" if value < 0.1 else f"{value:.2f}"


def main() -> None:
    """Run the command."""
    run("layers of mixtures against the plain form and linear layers", table, BEGIN, END)


if __name__ == "__main__":
    main()
