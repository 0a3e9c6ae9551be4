"""Act: a linear controller for each memory, evolved, and scored on unseen tracks."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from drivers import DREAMS, Dreamer, Driver
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from scales import Scale
from stages import Stage, stage

from seqmdn.environments import Player, summary
from seqmdn.files import save_json
from seqmdn.worlds import Evolution, LinearController, load_agent, load_world, save_agent

SQUASH = ("tanh", "tanh", "clip")  # of steering, gas and brake
SIGMA = {True: 0.03, False: 0.1}  # whether it is dreamt: what a memory has seen is near
TRACKS = 2**20  # seeds of the final tracks begin here, far from those of the evolution


def act(at: Stage) -> None:
    """Evolve a controller for each memory, in dreams or on real tracks, and drive unseen ones."""
    scores, scale = at.out / "scores.json", at.scale
    if scores.exists():
        return
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    with Progress(*columns, TimeRemainingColumn()) as progress:
        agents = {name: evolve(at, name, progress) for name in scale.controllers}
        parameters = {name: load_agent(path).parameters for name, path in agents.items()}
        any_path, any_parameters = agents[scale.controllers[0]], parameters[scale.controllers[0]]
        first = {"random": None, "unevolved": np.zeros_like(any_parameters)}
        found = {
            name: drive(at, agents.get(name, any_path), job, name, progress)
            for name, job in (first | parameters).items()
        }
    for name, each in found.items():
        for other in first:
            difference = np.subtract(each["scores"], found[other]["scores"])
            each[f"minus {other}"] = summary(difference.tolist()) if name != other else None
    result = {"tracks": scale.tracks, "steps": scale.track_steps, "drivers": found}
    save_json(scores, result)
    print(markdown(result))


def evolve(at: Stage, name: str, progress: Progress) -> Path:
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
    make = partial(Dreamer if scale.dreaming else Driver, path, scale.evolve_steps)
    with Player(make, at.workers) as player:
        while evolution.generation < scale.generations:
            seeds = range(scale.episodes_each * evolution.generation, 2**63)
            found = score(player, evolution.ask(), seeds, scale)
            evolution.tell(found)
            progress.update(task, completed=evolution.generation)
            progress.console.print(
                f"{name}, generation {evolution.generation}: mean {found.mean():.1f}, "
                f"best {found.max():.1f}"
            )
    save_agent(path, memory, at.eyes, SQUASH, evolution.mean)
    return path


def score(player: Player, candidates: np.ndarray, seeds: range, scale: Scale) -> np.ndarray:
    """Score a generation, all of it on the same tracks, other ones in every generation."""
    if scale.dreaming:
        groups = -(-scale.episodes_each // DREAMS)
        return np.mean(list(player.play([candidates] * groups, seeds[:groups])), axis=0)
    jobs = [(each, seed) for each in candidates for seed in seeds[: scale.episodes_each]]
    found = list(player.play(*zip(*jobs, strict=True)))
    return np.reshape(found, (len(candidates), -1)).mean(axis=1)


def drive(at: Stage, path: Path, job: Any, name: str, progress: Progress) -> dict[str, Any]:
    """Drive the unseen tracks, and summarise what was scored."""
    tracks = range(TRACKS, TRACKS + at.scale.tracks)
    with Player(partial(Driver, path, at.scale.track_steps), at.workers) as player:
        found = player.play([job] * len(tracks), tracks)
        return summary(list(progress.track(found, len(tracks), description=f"{name}, tracks")))


def markdown(result: dict[str, Any]) -> str:
    """The table for a README."""
    others = [f"minus {name}" for name in ("random", "unevolved")]
    lines = [f"| driver | score | {' | '.join(others)} |", "| --- | ---: | ---: | ---: |"]
    for name, found in result["drivers"].items():
        apart = [found[other] for other in others]
        cells = ["" if each is None else _cell(each, "+") for each in apart]
        lines.append(f"| {name} | {_cell(found)} | {' | '.join(cells)} |")
    return "\n".join(lines) + (
        f"\n\nSum of rewards over {result['steps']} steps, on {result['tracks']} tracks that no "
        "controller was evolved on. ± is one standard error; differences are paired by track."
    )


def _cell(found: dict[str, Any], sign: str = "") -> str:
    return f"{found['mean']:{sign}.1f} ± {found['stderr']:.1f}"


if __name__ == "__main__":
    stage(act)
