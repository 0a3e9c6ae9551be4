"""Measure dreams: `python -m benchmarks.dreams [--write]`.

A batch of 256 dreams of memories of 256 units against CarRacing itself on the same core: latents a
second, and frames a second. `--write` puts the table into benchmarks/README.md as well.
"""

from __future__ import annotations

from functools import partial
from itertools import islice
from typing import Any

import numpy as np
import torch

from benchmarks.measure import Comparison, Work, compare
from benchmarks.one_thread import run
from seqmdn.backbones import LSTMBackbone
from seqmdn.environments import Brownian, make_car_racing, play
from seqmdn.environments.car_racing import HIGH, LOW
from seqmdn.flows import AffineCoupling
from seqmdn.heads import FlowMixtureHead, MixtureHead
from seqmdn.models import WorldModel
from seqmdn.worlds import Dream, World

BEGIN, END = "<!-- begin: python -m benchmarks.dreams -->", "<!-- end: benchmarks.dreams -->"
HEADER = (
    "| memory | ms a step of all dreams | latents a second | CarRacing, frames a second | ratio "
    "| the same, processor | target |"
)
DREAMS, STEPS, FRAMES = 256, 100, 200
LATENTS, HIDDEN, COMPONENTS = 32, 256, 5
HEADS = {
    "RMDN, factorised": partial(MixtureHead, components=COMPONENTS, factorised=True),
    "RMDN, joint": partial(MixtureHead, components=COMPONENTS),
    "RMDN, rank 2": partial(MixtureHead, components=COMPONENTS, covariance="lowrank", rank=2),
    "FRMDN, four affine couplings": partial(
        FlowMixtureHead,
        components=COMPONENTS,
        covariance="lowrank",
        rank=2,
        flow=partial(AffineCoupling, transforms=4),
    ),
}


def world(name: str, hidden: int = HIDDEN) -> World:
    """Return a world whose memory has random weights, and whose dreams seldom end."""
    torch.manual_seed(0)
    backbone = partial(LSTMBackbone, hidden=hidden, bypass=True)
    memory = WorldModel(LATENTS + 2, 3, latents=LATENTS, backbone=backbone, head=HEADS[name])
    with torch.no_grad():
        memory.head.bits.bias.fill_(-8.0)  # an episode ends once in 3,000 steps
    return World(memory.eval(), LOW, HIGH)


def dreaming(dreamt: World, dreams: int = DREAMS, steps: int = STEPS) -> Work:
    """Return the dreaming of a batch, each step under actions of its own."""
    dream = Dream(dreamt, dreams, steps=10 * steps)
    dream.begin(0)
    actions = np.random.default_rng(0).uniform(LOW, HIGH, (steps, dreams, 3))

    def work() -> None:
        for each in actions:
            dream.step(each)

    return work


def driving(frames: int = FRAMES) -> Work:
    """Return the driving of CarRacing at random, as it is collected."""
    environment: Any = make_car_racing(10 * frames)

    def work() -> None:
        for _ in islice(play(environment, Brownian(LOW, HIGH), seed=0), frames):
            pass

    return work


def line(name: str, found: Comparison) -> str:
    """Return a line of the table; a comparison's other side is scaled to as many frames."""
    latents = DREAMS * STEPS
    return (
        f"| {name} | {1e3 * found.ours / STEPS:.2f} | {latents / found.ours:,.0f}"
        f" | {latents / found.theirs:,.0f} | {found.ratio:.0f} | {found.ratio_processor:.0f}"
        " | ≥ 200 |"
    )


def table(repeats: int) -> str:
    """Measure all lines."""
    lines = [HEADER, "|" + "---|" * (HEADER.count("|") - 1)]
    real = driving()
    for name in HEADS:
        found = compare(dreaming(world(name)), real, repeats, scale=DREAMS * STEPS / FRAMES)
        lines.append(line(name, found))
        print(lines[-1], flush=True)
    return "\n".join(lines)


if __name__ == "__main__":
    run("dreams", table, BEGIN, END)
