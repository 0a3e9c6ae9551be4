"""Measure streaming sound: `python -m benchmarks.streaming [--write]`.

Two seconds of sound, 200 samples a frame at 16 kHz, drawn frame by frame by an LSTM of 512, against
bare loops of an LSTM and a linear layer of the same size, which draw nothing. `--write` puts the
table into benchmarks/README.md as well.
"""

from __future__ import annotations

from functools import partial
from itertools import islice

import torch

from benchmarks.loops import Bare
from benchmarks.measure import Comparison, Work, compare
from benchmarks.one_thread import run
from seqmdn.backbones import LSTMBackbone
from seqmdn.flows import AffineCoupling
from seqmdn.generation import stream
from seqmdn.heads import FlowMixtureHead, MixtureHead
from seqmdn.models import SequenceModel

BEGIN, END = "<!-- begin: python -m benchmarks.streaming -->", "<!-- end: benchmarks.streaming -->"
HEADER = (
    "| work | against | ours, ms a frame | theirs | ours by theirs | the same, processor "
    "| real-time factor | theirs | target |"
)
RATE, SIZE, SECONDS = 16_000, 200, 2
HIDDEN, COMPONENTS = 512, 20
HEADS = {
    "RMDN": partial(MixtureHead, components=COMPONENTS),
    "FRMDN, two affine couplings": partial(
        FlowMixtureHead, components=COMPONENTS, flow=partial(AffineCoupling, transforms=2)
    ),
}
LOOPS = {"nn.LSTM": False, "nn.LSTMCell": True}


def frames() -> int:
    """Return how many frames of sound are drawn."""
    return SECONDS * RATE // SIZE


def model(name: str, hidden: int = HIDDEN) -> SequenceModel:
    """Return the network with random weights."""
    torch.manual_seed(0)
    backbone = partial(LSTMBackbone, hidden=hidden)
    return SequenceModel(SIZE, backbone=backbone, head=HEADS[name]).eval()


def streaming(network: SequenceModel) -> Work:
    """Return the drawing of one sequence, each frame handed out and let go."""

    def work() -> None:
        for _ in islice(stream(network), frames()):
            pass

    return work


def bare(network: SequenceModel, cells: bool) -> Bare:
    """Return the loop of a network's size."""
    outputs = network.head.projection.out_features
    return Bare(SIZE, network.backbone.features, 1, outputs, frames(), cells)


def line(name: str, loop: str, found: Comparison) -> str:
    """Return a line of the table; a real-time factor is seconds of sound a second on the wall."""
    each = 1e3 / frames()
    return (
        f"| {name} | bare `{loop}` and `nn.Linear` | {each * found.ours:.2f}"
        f" | {each * found.theirs:.2f} | {1 / found.ratio:.2f} | {1 / found.ratio_processor:.2f}"
        f" | {SECONDS / found.ours:.1f} | {SECONDS / found.theirs:.1f} | factor above 1 |"
    )


def table(repeats: int) -> str:
    """Measure all lines."""
    lines = [HEADER, "|" + "---|" * (HEADER.count("|") - 1)]
    for name in HEADS:
        network = model(name)
        for loop, cells in LOOPS.items():
            found = compare(streaming(network), bare(network, cells), repeats)
            lines.append(line(name, loop, found))
            print(lines[-1], flush=True)
    return "\n".join(lines)


if __name__ == "__main__":
    run("streaming sound", table, BEGIN, END)
