"""Act: a linear controller on what is seen and remembered, evolved, and scored on unseen tracks."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from scales import Scale
from stages import Stage, stage

from seqmdn.environments import ACTIONS, Brownian, Player, make_car_racing, play, summary
from seqmdn.files import save_json
from seqmdn.worlds import (
    Agent,
    Evolution,
    LinearController,
    load_agent,
    load_world,
    save_agent,
    score_in_dreams,
)

SQUASH = ("tanh", "half", "clip")  # of steering, gas and brake
TRACKS = 2**20  # seeds of the final tracks begin here, far from those of the evolution
assert len(SQUASH) == len(ACTIONS)


class Driver:
    """Drives one episode: (parameters or None for a random one, seed) -> score."""

    def __init__(self, path: Path, steps: int) -> None:
        self.steps = steps
        self.agent = load_agent(path)

    def __call__(self, parameters: Any, seed: int) -> float:
        environment = make_car_racing(self.steps)
        space, policy = environment.action_space, self.agent
        if parameters is None:
            policy = Brownian(space.low.tolist(), space.high.tolist())
        else:
            policy = Agent(self.agent.belief.world, self.agent.controller, parameters)
        try:
            return sum(step.reward for step in play(environment, policy, seed, self.steps))
        finally:
            environment.close()


def act(at: Stage) -> None:
    """Evolve a controller, in dreams or on real tracks, and drive unseen ones with it."""
    scores, path = at.out / "scores.json", at.out / "agent.json"
    if scores.exists():
        return
    world = load_world(at.memory(at.best), at.eyes)
    controller = LinearController(world.observation, SQUASH)
    evolution = Evolution(
        at.out / "evolution.json", controller.size, at.scale.population, sigma=0.1, seed=at.seed
    )

    def save() -> None:
        save_agent(path, at.memory(at.best), at.eyes, SQUASH, evolution.mean)

    save()
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    with Progress(*columns, TimeRemainingColumn()) as progress:
        task = progress.add_task("generations", total=at.scale.generations)
        progress.update(task, completed=evolution.generation)
        with Player(partial(Driver, path, at.scale.evolve_steps), at.workers) as player:
            while evolution.generation < at.scale.generations:
                candidates = evolution.ask()
                if at.scale.dreaming:
                    options = at.scale.episodes_each, at.scale.evolve_steps, 1.0
                    found = score_in_dreams(
                        world, controller, candidates, *options, seed=evolution.generation
                    )
                else:
                    found = real(player, candidates, at.scale, evolution.generation)
                evolution.tell(found)
                progress.update(task, completed=evolution.generation)
                progress.console.print(
                    f"generation {evolution.generation}: mean {found.mean():.1f}, "
                    f"best {found.max():.1f}"
                )
        save()
        with Player(partial(Driver, path, at.scale.track_steps), at.workers) as player:
            compare(at, player, evolution.mean, progress)


def real(player: Player, candidates: np.ndarray, scale: Scale, generation: int) -> np.ndarray:
    """Score each candidate on the same real tracks, others in every generation."""
    tracks = [generation * scale.episodes_each + place for place in range(scale.episodes_each)]
    jobs = [(candidate, track) for candidate in candidates for track in tracks]
    found = list(player.play(*zip(*jobs, strict=True)))
    return np.reshape(found, (len(candidates), -1)).mean(axis=1)


def compare(at: Stage, player: Player, parameters: np.ndarray, progress: Progress) -> None:
    """Drive the unseen tracks with the controller and at random, and write both down."""
    scale = at.scale
    tracks = range(TRACKS, TRACKS + scale.tracks)
    result: dict[str, Any] = {"tracks": scale.tracks, "steps": scale.track_steps}
    for name, job in (("random", None), ("controller", parameters)):
        found = player.play([job] * scale.tracks, tracks)
        result[name] = summary(list(progress.track(found, scale.tracks, description=name)))
    difference = np.subtract(result["controller"]["scores"], result["random"]["scores"])
    result["paired"] = summary(difference.tolist())
    save_json(at.out / "scores.json", result)
    for name in ("random", "controller", "paired"):
        each = result[name]
        progress.console.print(f"{name}: {each['mean']:.1f} ± {each['stderr']:.1f}")


if __name__ == "__main__":
    stage(act)
