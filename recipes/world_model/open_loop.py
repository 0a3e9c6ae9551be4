"""Looks ahead: what does a memory expect many steps ahead, when it is told nothing but the actions?

Each run is given 60 real frames of a test rollout and draws futures under the real actions, from
many places of each rollout. Scores are of the latents 1 to 100 steps ahead: the log-likelihood of
the real ones (exact one step ahead; further on a lower bound in expectation, of so many draws),
and the energy score of the drawn ones. Both are means over the origins of each rollout; ± is one
standard error over rollouts, and differences are paired by rollout and origin.

    python recipes/world_model/open_loop.py --draws 200 --out open_loop.json --runs \
        results/world_model/carracing_latents/runs/rmdn_factorised-0 \
        results/world_model/carracing_latents/runs/frmdn-0
"""

import argparse
import math
import shlex
import sys
from pathlib import Path
from typing import Any

import torch
from rich.progress import track
from torch import Tensor

from seqmdn.files import save_json
from seqmdn.forecasting import forecast
from seqmdn.plotting import save_horizons
from seqmdn.provenance import provenance
from seqmdn.runs import Run, load_run

HORIZONS = [1, 2, 5, 10, 20, 50, 100]
SCORES = {"log_prob": "log-likelihood, nats/frame", "energy": "energy score"}


def named(run: Run) -> str:
    """The name of a run's model: its folder without the seed."""
    folder = run.checkpoint.parents[1].name
    return folder.rpartition("-")[0] or folder


def summary(scores: Tensor) -> dict[str, Any]:  # (rollouts,)
    """The mean, its standard error (None of one rollout), and what it is a mean of."""
    error = float(scores.std()) / math.sqrt(len(scores)) if len(scores) > 1 else None
    return {"mean": float(scores.mean()), "stderr": error, "per_rollout": scores.tolist()}


def look_ahead(runs: list[Run], options: argparse.Namespace, device: torch.device) -> dict:
    """Forecast with every run, and compare each with the first."""
    described = [run.data.describe(options.split) for run in runs]
    names = [named(run) for run in runs]
    if any(each != described[0] for each in described) or len(set(names)) < len(names):
        raise ValueError(f"expected runs of different names and one store, found {names}")
    result: dict[str, Any] = {"dataset": described[0], "unit": "nats/frame", "models": {}}
    keys = ("split", "horizons", "given", "every", "draws", "seed")
    result |= {key: getattr(options, key) for key in keys}
    first: dict[str, Tensor] = {}
    for name, run in zip(names, runs, strict=True):
        indices = run.data.store.indices(options.split).tolist()
        rollouts = (
            run.data.sequences(options.split, [index])
            for index in track(indices, f"{name}, rollouts")
        )
        model = run.model.to(device)
        arguments = (options.horizons, options.given, options.every, options.draws, options.seed)
        found = forecast(model, rollouts, *arguments)
        result |= {"origins": len(found.origin), "rollouts": len(found.sequence.unique())}
        entry: dict[str, Any] = {}
        for score in SCORES:
            means = found.per_sequence(getattr(found, score))  # (rollouts, K)
            first.setdefault(score, means)
            entry[score] = {
                str(k): summary(means[:, i]) | {"paired": summary((means - first[score])[:, i])}
                for i, k in enumerate(found.horizons)
            }
        result["models"][name] = entry
    return result


def markdown(result: dict[str, Any]) -> str:
    """The tables for a README, one a score."""
    names, horizons = list(result["models"]), list(map(str, result["horizons"]))
    lines = []
    for score, title in SCORES.items():
        lines += [f"| {title} | {' | '.join(horizons)} |", "| --- |" + " ---: |" * len(horizons)]
        for name in names:
            found = [result["models"][name][score][k] for k in horizons]
            first = name == names[0]
            cells = [_cell(each) if first else _cell(each["paired"], "+") for each in found]
            lines.append(f"| {name} | {' | '.join(cells)} |")
        lines.append("")
    return "\n".join(lines) + (
        f"\nSteps ahead: {result['origins']} forecasts from {result['rollouts']} rollouts of the "
        f"{result['split']} part of {result['dataset']['name']}, {result['draws']} futures each. "
        f"Below {names[0]}: paired differences to it. ± is one standard error over rollouts. More "
        "than one step ahead the log-likelihood is a lower bound in expectation; it is better "
        "higher, the energy score lower."
    )


def picture(result: dict[str, Any], path: Path) -> None:
    """Draw how each memory drifts away from what came."""
    horizons = [str(k) for k in result["horizons"]]
    scores: dict[str, dict[str, Any]] = {title: {} for title in SCORES.values()}
    for name, entry in result["models"].items():
        for score, title in SCORES.items():
            found = [entry[score][k] for k in horizons]
            errors = [each["paired"]["stderr"] or 0.0 for each in found]
            scores[title][name] = [each["mean"] for each in found], errors
    save_horizons(path, result["horizons"], scores)


def _cell(found: dict[str, Any], sign: str = "") -> str:
    error = "" if found["stderr"] is None else f" ± {found['stderr']:.2f}"
    return f"{found['mean']:{sign}.2f}{error}"


def main(words: list[str]) -> None:
    """Forecast, write and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=Path, nargs="+", required=True, help="the first is compared")
    parser.add_argument("--horizons", type=int, nargs="+", default=HORIZONS)
    parser.add_argument("--given", type=int, default=60, help="real frames before each forecast")
    parser.add_argument("--every", type=int, default=50, help="frames between two origins")
    parser.add_argument("--draws", type=int, default=200, help="futures of each origin")
    parser.add_argument("--split", default="test")
    parser.add_argument("--data", type=Path, help="another store than the one they were trained on")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True, help="FILE.json, and FILE.png")
    options = parser.parse_args(words)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    result = look_ahead([load_run(run, options.data) for run in options.runs], options, device)
    command = shlex.join(["python", "recipes/world_model/open_loop.py", *words])
    result |= provenance(device, command)
    save_json(options.out, result)
    picture(result, options.out.with_suffix(".png"))
    print(markdown(result))


if __name__ == "__main__":
    main(sys.argv[1:])
