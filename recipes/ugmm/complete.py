"""Draw what a generative network of images knows: lower halves given upper ones, and classes.

    python -m recipes.ugmm.complete RUN --out completions.png --json completions.json

RUN is a run of a `GenerativeNetwork` of images and their class. All of it is exact but the most
probable lower halves, which are the highest that were reached from some draws.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from seqmdn.data import Identity, Partial
from seqmdn.distributions import most_probable
from seqmdn.models import GenerativeNetwork
from seqmdn.plotting import save_completions
from seqmdn.runs import load_run
from seqmdn.runs.run import Run


def test_rows(run: Run) -> Tensor:
    """Return the rows of the test, images and their class."""
    return torch.cat([batch.values[:, 0] for batch in run.data.batches("test")])


def known(model: GenerativeNetwork, rows: Tensor) -> dict[str, float]:
    """Return how often the class is told right, from the whole image and from its upper half.

    And what the lower half is worth, in nats: by itself, and given the upper one.
    """
    half = (rows.shape[-1] - 1) // 2
    upper = rows.clone()
    upper[:, half:] = torch.nan
    density = model.density()
    lower = list(range(half, 2 * half))
    seen = torch.arange(rows.shape[-1]) < half
    given = density.condition(rows, seen).marginal(range(half))
    right = {
        name: float((model.class_log_prob(part).argmax(-1) == rows[:, -1]).float().mean())
        for name, part in (("whole", rows), ("upper", upper))
    }
    return {
        "rows": len(rows),
        "accuracy": right["whole"],
        "accuracy_upper_half": right["upper"],
        "lower_half": float(density.marginal(lower).log_prob(rows[:, lower]).mean()),
        "lower_half_given_upper": float(given.log_prob(rows[:, lower]).mean()),
    }


def completions(
    model: GenerativeNetwork, rows: Tensor, starts: int
) -> tuple[dict[str, dict[str, Any]], dict[str, float]]:
    """Return rows of pictures, and the log-densities of three lower halves given the upper one."""
    pixels = rows.shape[-1] - 1
    half, side = pixels // 2, int(pixels**0.5)
    density = model.density()
    seen = torch.arange(rows.shape[-1]) < half
    given = density.condition(rows, seen).marginal(range(half))
    likeliest = most_probable(given, starts=starts, iterations=10)
    lower = {
        "given": torch.full_like(rows[:, half:pixels], torch.nan),
        "expected": given.mean,
        "drawn": given.sample(),
        "likeliest": likeliest.values,
    }

    def pictures(values: Tensor) -> Any:
        return values.reshape(-1, side, side).numpy()

    halves = {
        name: pictures(torch.cat([rows[:, :half], own], dim=1)) for name, own in lower.items()
    }
    drawn = density.sample((len(rows),))[:, :pixels]
    reached = {
        "likeliest": float(likeliest.log_prob.mean()),
        "drawn": float(given.log_prob(lower["drawn"]).mean()),
        "real": float(given.log_prob(rows[:, half:pixels]).mean()),
    }
    return {"upper half:": halves, "nothing given:": {"drawn": pictures(drawn)}}, reached


def main(arguments: list[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="a run's folder")
    parser.add_argument("--out", type=Path, required=True, help="FILE.png or .svg")
    parser.add_argument("--json", type=Path, help="write the figures, too")
    parser.add_argument("--num", type=int, default=12, help="images beside each other")
    parser.add_argument("--starts", type=int, default=4, help="draws that climb, an image")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    run = load_run(options.run)
    model = run.model
    if not isinstance(model, GenerativeNetwork) or not model.head.classes:
        parser.error("expected the run of a GenerativeNetwork with classes")
    if not isinstance(model.transform, Partial) or not isinstance(model.transform.first, Identity):
        parser.error("expected a network of pixels as they are (transform: seqmdn.data.Identity)")
    torch.manual_seed(options.seed)
    with torch.inference_mode():
        rows = test_rows(run)
        found = known(model.eval(), rows)
        chosen = rows[np.random.default_rng(options.seed).permutation(len(rows))[: options.num]]
        pictures, reached = completions(model, chosen, options.starts)
    attributes = dict(run.data.store.attributes) | {"kind": "image"}
    side = int((rows.shape[-1] - 1) ** 0.5)
    truth = chosen[:, :-1].reshape(-1, side, side).numpy()
    save_completions(options.out, truth, pictures, attributes)
    found |= {f"shown_{name}": value for name, value in reached.items()}
    print(json.dumps(found, indent=1))
    if options.json is not None:
        options.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
