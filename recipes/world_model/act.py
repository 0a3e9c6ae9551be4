"""Act: a linear controller for each memory, evolved, and scored on unseen tracks."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from drivers import Drive, Driver
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from scales import Scale
from stages import Stage, stage

from seqmdn.environments import Player, summary
from seqmdn.files import save_json
from seqmdn.provenance import provenance
from seqmdn.worlds import Evolution, LinearController, load_agent, load_world, save_agent

SQUASH = ("tanh", "tanh", "clip")  # of steering, gas and brake
DREAMS = 4  # of each candidate that one process dreams at once
SIGMA = {True: 0.03, False: 0.1}  # whether it is dreamt: what a memory has seen is near
TRACKS = 2**20  # seeds of the final tracks begin here, far from those of the evolution


def act(at: Stage) -> None:
    """Evolve a controller for each memory, in dreams or on real tracks, and drive unseen ones."""
    scores, scale = at.out / "scores.json", at.scale
    if scores.exists():
        return
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    with (
        Progress(*columns, TimeRemainingColumn()) as progress,
        Player(Driver, at.workers) as player,
    ):
        agents = {name: evolve(at, name, player, progress) for name in scale.controllers}
        evolved = {name: load_agent(path).parameters for name, path in agents.items()}
        path, parameters = agents[scale.controllers[0]], evolved[scale.controllers[0]]
        jobs = {
            "random": Drive(None, scale.track_steps),
            "unevolved": Drive(path, scale.track_steps, np.zeros_like(parameters)),
        }
        others = tuple(jobs)
        for name, each in evolved.items():
            jobs[name] = Drive(agents[name], scale.track_steps, each)
        tracks = range(TRACKS, TRACKS + scale.tracks)
        played = player.play([job for job in jobs.values() for _ in tracks], [*tracks] * len(jobs))
        total = len(jobs) * len(tracks)
        found = np.reshape(
            list(progress.track(played, total, description="tracks")), (len(jobs), -1)
        )
    drivers = dict(zip(jobs, found, strict=True))
    result: dict[str, Any] = {"tracks": scale.tracks, "steps": scale.track_steps, "drivers": {}}
    for name, each in drivers.items():
        apart = {f"minus {other}": summary((each - drivers[other]).tolist()) for other in others}
        result["drivers"][name] = summary(each.tolist()) | apart
    save_json(scores, result | provenance(torch.device("cpu"), at.command))
    print(markdown(result))


def evolve(at: Stage, name: str, player: Player, progress: Progress) -> Path:
    """Evolve a controller for a memory, from where it was stopped, and write the agent's file."""
    folder, scale = at.out / "act", at.scale
    folder.mkdir(exist_ok=True)
    memory, path = at.memory(name), folder / f"{name}.json"
    world = load_world(memory, at.eyes)
    size = LinearController(world.observation, world.low, world.high, SQUASH).size
    evolution = Evolution(
        folder / f"{name}-evolution.json", size, scale.population, SIGMA[scale.dreaming], at.seed
    )
    task = progress.add_task(f"{name}, generations", total=scale.generations)
    save_agent(path, memory, at.eyes, SQUASH, evolution.mean)
    while evolution.generation < scale.generations:
        seeds = range(scale.episodes_each * evolution.generation, 2**63)
        found = score(player, path, evolution.ask(), seeds, scale)
        evolution.tell(found)
        progress.update(task, completed=evolution.generation)
        progress.console.print(
            f"{name}, generation {evolution.generation}: mean {found.mean():.1f}, "
            f"best {found.max():.1f}"
        )
    save_agent(path, memory, at.eyes, SQUASH, evolution.mean)
    return path


def score(
    player: Player, path: Path, candidates: np.ndarray, seeds: range, scale: Scale
) -> np.ndarray:
    """Score a generation: in dreams, or all of it on the same tracks, other ones each time."""
    if scale.dreaming:
        groups = -(-scale.episodes_each // DREAMS)
        dreams = [Drive(path, scale.evolve_steps, candidates, DREAMS)] * groups
        return np.mean(list(player.play(dreams, seeds[:groups])), axis=0)
    tracks = seeds[: scale.episodes_each]
    jobs = [Drive(path, scale.evolve_steps, each) for each in candidates for _ in tracks]
    found = list(player.play(jobs, [*tracks] * len(candidates)))
    return np.reshape(found, (len(candidates), -1)).mean(axis=1)


def markdown(result: dict[str, Any]) -> str:
    """The table for a README."""
    others = [f"minus {name}" for name in ("random", "unevolved")]
    lines = [f"| driver | score | {' | '.join(others)} |", "| --- | ---: | ---: | ---: |"]
    for name, found in result["drivers"].items():
        cells = ["" if f"minus {name}" == other else _cell(found[other], "+") for other in others]
        lines.append(f"| {name} | {_cell(found)} | {' | '.join(cells)} |")
    return "\n".join(lines) + (
        f"\n\nSum of rewards over {result['steps']} steps, on {result['tracks']} tracks that no "
        "controller was evolved on. ± is one standard error; differences are paired by track."
    )


def _cell(found: dict[str, Any], sign: str = "") -> str:
    return f"{found['mean']:{sign}.1f} ± {found['stderr']:.1f}"


if __name__ == "__main__":
    stage(act)
