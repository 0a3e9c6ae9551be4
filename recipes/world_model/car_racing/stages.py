"""What the stages share: the budgets, the folder of results, and commands that are shown."""

import argparse
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

__all__ = ["SCALES", "Scale", "Stage", "run", "stage"]

RECIPES = Path(__file__).parents[2]


@dataclass(frozen=True)
class Scale:
    """The budget of every stage.

    Attributes:
        episodes: Random episodes to collect.
        steps: Actions of one, at most.
        see: Training steps of the autoencoder, of 64 frames each.
        remember: Training steps of each memory.
        memories: Names of the memories' files.
        futures: Draws of what they expect, at each place.
        population: Candidates of a generation of controllers.
        generations: Of them.
        episodes_each: Episodes that score a candidate.
        dreaming: Whether these are dreams of the memory, or real ones.
        evolve_steps: Actions of one of them.
        tracks: Unseen tracks of the final score.
        track_steps: Actions on each, at most.
    """

    episodes: int
    steps: int
    see: int
    remember: int
    memories: tuple[str, ...]
    futures: int
    population: int
    generations: int
    episodes_each: int
    dreaming: bool
    evolve_steps: int
    tracks: int
    track_steps: int


SCALES = {
    "micro": Scale(
        episodes=4,
        steps=170,
        see=6,
        remember=8,
        memories=("rmdn", "frmdn"),
        futures=4,
        population=4,
        generations=2,
        episodes_each=1,
        dreaming=True,
        evolve_steps=20,
        tracks=2,
        track_steps=20,
    ),
    "tiny": Scale(
        episodes=24,
        steps=400,
        see=300,
        remember=200,
        memories=("rmdn", "frmdn"),
        futures=50,
        population=16,
        generations=8,
        episodes_each=1,
        dreaming=False,
        evolve_steps=150,
        tracks=20,
        track_steps=400,
    ),
    "small": Scale(
        episodes=200,
        steps=1000,
        see=4000,
        remember=1500,
        memories=("rmdn_factorised", "rmdn", "frmdn"),
        futures=200,
        population=32,
        generations=40,
        episodes_each=2,
        dreaming=False,
        evolve_steps=500,
        tracks=20,
        track_steps=1000,
    ),
    # The paper's numbers: 10,000 episodes, 64 candidates of 16 episodes each.
    "paper": Scale(
        episodes=10_000,
        steps=1000,
        see=150_000,
        remember=4000,
        memories=("rmdn", "rmdn_lowrank", "rmdn_factorised", "frmdn"),
        futures=200,
        population=64,
        generations=300,
        episodes_each=16,
        dreaming=False,
        evolve_steps=1000,
        tracks=100,
        track_steps=1000,
    ),
}


@dataclass(frozen=True)
class Stage:
    """What a stage is run with.

    Attributes:
        scale: The budget.
        out: The folder of all results.
        workers: Processes.
        seed: Of everything.
    """

    scale: Scale
    out: Path
    workers: int
    seed: int

    @property
    def frames(self) -> Path:
        """The store of what was collected."""
        return self.out / "frames.h5"

    @property
    def eyes(self) -> Path:
        """The run of the autoencoder."""
        return self.out / "see"

    @property
    def latents(self) -> Path:
        """The store of what the eyes see of the frames."""
        return self.out / "latents.h5"

    def memory(self, name: str) -> Path:
        """The run of a memory."""
        return self.out / "remember" / "runs" / f"{name}-0"

    @property
    def best(self) -> str:
        """The memory that the controller is given: the last of the scale's."""
        return self.scale.memories[-1]


def run(*words: object) -> None:
    """Show a command and run it; what fails ends the stage with the command's own words."""
    command = [str(word) for word in words]
    if not command[0].endswith(".py"):
        command = ["-m", *command]
    print("\n$", shlex.join(["python", *command]), flush=True)
    done = subprocess.run([sys.executable, *command], cwd=RECIPES.parent, check=False)
    if done.returncode:
        sys.exit(done.returncode)


def stage(play: Callable[[Stage], None], words: list[str] | None = None) -> None:
    """Read the options that all stages have, and run one."""
    assert play.__doc__ is not None
    parser = argparse.ArgumentParser(description=play.__doc__.split("\n")[0])
    parser.add_argument("--scale", choices=list(SCALES), default="tiny")
    parser.add_argument("--out", type=Path, default=Path("results/world_model/car_racing"))
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(words)
    out = options.out.resolve() / options.scale
    out.mkdir(parents=True, exist_ok=True)
    play(Stage(SCALES[options.scale], out, options.workers, options.seed))
