"""Measure images by rows: `python -m benchmarks.pixels [--write]`.

The models of recipes/pixels/mnist, with random weights: steps of training beside those of a squared
error, with the same LSTM and with one that is so wide as to have as many parameters, and the
drawing of 64 images. `--write` puts the tables into benchmarks/README.md as well.
"""

from __future__ import annotations

from bisect import bisect
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.measure import Comparison, Work, compare
from benchmarks.one_thread import run
from seqmdn.configuration import fit_parser
from seqmdn.data import Batch
from seqmdn.generation import generate
from seqmdn.models import SequenceModel

BEGIN, END = "<!-- begin: python -m benchmarks.pixels -->", "<!-- end: benchmarks.pixels -->"
RECIPE = Path(__file__).parents[1] / "recipes/pixels/mnist"
MODELS = sorted(path.stem for path in RECIPE.glob("*.yaml") if path.stem != "base")
STEPS = (
    "| a step of 64 images | parameters | ms | images a second "
    "| by the same LSTM with a squared error | the same, processor "
    "| by an LSTM of as many parameters | the same, processor | target |"
)
DRAWS = "| 64 images drawn by rows | seconds | target |"
IMAGES, SIDE = 64, 28


class SquaredError(nn.Module):
    """A model's own LSTM, told the row before, with a linear guess of the row: no density.

    Args:
        model: The model.
        hidden: Another width of the LSTM than the model's.
    """

    def __init__(self, model: SequenceModel, hidden: int | None = None) -> None:
        super().__init__()
        backbone = model.backbone
        hidden = backbone.hidden if hidden is None else hidden
        self.layers = nn.LSTM(
            SIDE,
            hidden,
            len(backbone.layers),
            dropout=backbone.dropout.p if len(backbone.layers) > 1 else 0.0,
            batch_first=True,
        )
        self.output = nn.Linear(hidden, SIDE)

    def guess(self, rows: Tensor) -> Tensor:
        """Return what each row (B, T, D) is guessed to be, given those before it."""
        before = F.pad(rows[:, :-1], (0, 0, 1, 0))
        return self.output(self.layers(before)[0])

    def loss(self, rows: Tensor) -> Tensor:
        """Return the mean squared error of the guesses."""
        return F.mse_loss(self.guess(rows), rows)


def as_large(model: SequenceModel) -> SquaredError:
    """Return a squared error's LSTM of about as many parameters as a model has, and not more."""

    def fits(hidden: int) -> bool:
        with torch.device("meta"):
            return parameters(SquaredError(model, hidden)) <= parameters(model)

    return SquaredError(model, bisect(range(1, 10_000), False, key=lambda n: not fits(n)))


def parameters(model: nn.Module) -> int:
    """Return the number of a model's parameters."""
    return sum(p.numel() for p in model.parameters())


def recipe(name: str) -> SequenceModel:
    """Return the model of a recipe, with random weights, as it begins on some images."""
    torch.manual_seed(0)
    parser = fit_parser()
    files = ["-c", str(RECIPE / "base.yaml"), "-c", str(RECIPE / f"{name}.yaml")]
    model: SequenceModel = parser.instantiate(parser.parse_args(files)).model(SIDE, 0)
    model.initialise(images().flatten(0, 1))
    return model


def images() -> Tensor:
    """Return frames of noise, half of them black: what they show takes no time."""
    generator = torch.Generator().manual_seed(0)
    levels = torch.rand(IMAGES, SIDE, SIDE, generator=generator)
    noise = torch.rand(IMAGES, SIDE, SIDE, generator=generator)
    return (256 * (2 * levels - 1).clamp_min(0)).floor() + 0.998 * noise + 0.001


def training(model: SequenceModel, plain: SquaredError) -> tuple[Work, Work]:
    """Return a step of ours, forward, backward and AdamW, and one of a squared error."""
    rows = images()
    batch = Batch(values=rows, lengths=torch.full((IMAGES,), SIDE))
    scaled = rows / 256
    return (
        _step(model.train(), lambda: model.loss(batch)),
        _step(plain, lambda: plain.loss(scaled)),
    )


def drawing(model: SequenceModel) -> Work:
    """Return the drawing of 64 images."""
    return partial(generate, model.eval(), IMAGES, SIDE)


def line(name: str, count: int, same: Comparison, large: Comparison) -> str:
    """Return a line of the first table."""
    cells = [name, f"{count:,}", f"{1e3 * same.ours:.0f}", f"{IMAGES / same.ours:.0f}"]
    for found in (same, large):
        cells += [f"{1 / found.ratio:.2f}", f"{1 / found.ratio_processor:.2f}"]
    return "| " + " | ".join([*cells, "≤ 1.5"]) + " |"


def table(repeats: int) -> str:
    """Measure all lines of both tables."""
    lines = [STEPS, "|" + "---|" * (STEPS.count("|") - 1)]
    for name in MODELS:
        model = recipe(name)
        same, large = (
            compare(*training(model, plain), repeats)
            for plain in (SquaredError(model), as_large(model))
        )
        lines.append(line(name, parameters(model), same, large))
        print(lines[-1], flush=True)
    lines += ["", DRAWS, "|" + "---|" * (DRAWS.count("|") - 1)]
    for name in MODELS:
        draw = drawing(recipe(name))
        lines.append(f"| {name} | {compare(draw, draw, repeats).ours:.2f} | < 1 |")
        print(lines[-1], flush=True)
    return "\n".join(lines)


def _step(model: nn.Module, loss: Work) -> Work:
    optimiser = torch.optim.AdamW(model.parameters())

    def work() -> None:
        optimiser.zero_grad()
        loss().backward()
        optimiser.step()

    return work


if __name__ == "__main__":
    run("images by rows", table, BEGIN, END)
