"""Measure drawing: `python -m benchmarks.drawing [--write]`.

Strokes of 700 points, drawn 64 at once against one at a time, and one against bare loops of an LSTM
and a linear layer of the same size, which draw nothing. `--write` puts the table into
benchmarks/README.md as well.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from benchmarks.loops import Bare
from benchmarks.measure import Work, compare
from benchmarks.one_thread import run
from seqmdn.backbones import LSTMBackbone
from seqmdn.data import Partial
from seqmdn.generation import generate
from seqmdn.heads import FlowMixtureHead, MixtureHead, StrokeHead
from seqmdn.models import SequenceModel

BEGIN, END = "<!-- begin: python -m benchmarks.drawing -->", "<!-- end: benchmarks.drawing -->"
HEADER = "| work | against | ours ms | theirs ms | ratio | the same, processor | target |"
POINTS, BATCH, FEATURES, COMPONENTS = 700, 64, 4, 20
SIZES = {"LSTM 256": (256, 1), "three LSTMs of 400 (Graves)": (400, 3)}
HEADS = {"RMDN": MixtureHead, "FRMDN, affine": FlowMixtureHead}


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    name: str
    against: str
    target: str
    make: Callable[[], tuple[Work, Work]]
    ours_by_theirs: bool
    scale: float = 1.0


def model(hidden: int, layers: int, offsets: type[MixtureHead] = MixtureHead) -> SequenceModel:
    """Return Graves' network with random weights: 20 Gaussians with correlation, and two bits."""
    torch.manual_seed(0)
    head = partial(offsets, components=COMPONENTS, covariance="lowrank", rank=1)
    return SequenceModel(
        FEATURES,
        backbone=partial(LSTMBackbone, hidden=hidden, layers=layers),
        head=partial(StrokeHead, offsets=head),
        transform=Partial,
    ).eval()


def never(frame: Tensor) -> Tensor:
    """Say of no frame that it is the last."""
    return torch.zeros(len(frame), dtype=torch.bool)


def drawing(network: SequenceModel, count: int) -> Work:
    """Return the drawing of as many sequences at once."""
    return lambda: generate(network, count, POINTS, stop=never)


def bare(hidden: int, layers: int, cells: bool) -> Bare:
    """Return the loop of a network's size."""
    head = model(hidden, layers).head
    outputs = head.offsets.projection.out_features + head.bits.out_features
    return Bare(FEATURES, hidden, layers, outputs, POINTS, cells)


def rows() -> list[Row]:
    """Return the lines of the table."""
    table = []
    for size, (hidden, layers) in SIZES.items():
        for name, head in HEADS.items():
            network = model(hidden, layers, head)
            table.append(
                Row(
                    f"{name}, {size}: {BATCH} at once",
                    f"{BATCH} one at a time",
                    "at least 20",
                    lambda network=network: (drawing(network, BATCH), drawing(network, 1)),
                    ours_by_theirs=False,
                    scale=BATCH,
                )
            )
        network = model(hidden, layers)
        for what, cells in (("nn.LSTM", False), ("nn.LSTMCell", True)):
            loop = bare(hidden, layers, cells)
            table.append(
                Row(
                    f"RMDN, {size}: a single one",
                    f"bare `{what}` and `nn.Linear`",
                    "at most 1.5",
                    lambda network=network, loop=loop: (drawing(network, 1), loop),
                    ours_by_theirs=True,
                )
            )
    return table


def table(repeats: int) -> str:
    """Measure all lines."""
    lines = [HEADER, "|---|---|---|---|---|---|---|"]
    for row in rows():
        found = compare(*row.make(), repeats, row.scale)
        both = (found.ratio, found.ratio_processor)
        wall, processor = (1 / ratio if row.ours_by_theirs else ratio for ratio in both)
        lines.append(
            f"| {row.name} | {row.against} | {1e3 * found.ours:.0f} | {1e3 * found.theirs:.0f}"
            f" | {wall:.2f} | {processor:.2f} | {row.target} |"
        )
        print(lines[-1], flush=True)
    return "\n".join(lines)


if __name__ == "__main__":
    run("drawing", table, BEGIN, END)
