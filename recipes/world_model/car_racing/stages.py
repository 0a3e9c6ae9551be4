"""What the stages share: the folder of results, options, and commands that are shown."""

import argparse
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from scales import MEMORIES, SCALES, Scale

__all__ = ["Stage", "run", "stage"]

RECIPES = Path(__file__).parents[2]


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
        """The memory that the controller is given."""
        return MEMORIES[-1]


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
    out, root = options.out.resolve() / options.scale, RECIPES.parent
    out.mkdir(parents=True, exist_ok=True)
    # Commands are shown and kept as they can be said from the project's folder.
    os.chdir(root)
    out = out.relative_to(root) if out.is_relative_to(root) else out
    play(Stage(SCALES[options.scale], out, options.workers, options.seed))
