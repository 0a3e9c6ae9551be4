"""What the stages share: the world, the folder of results, options, and commands that are shown."""

import argparse
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from scales import SCALES, Scale

__all__ = ["WORLDS", "Stage", "run", "stage"]

ROOT = Path(__file__).parents[2]
WORLDS = ("car_racing", "super_mario")  # folders beside this file


@dataclass(frozen=True)
class Stage:
    """What a stage is run with.

    Attributes:
        world: Whose world it is, one of ``WORLDS``.
        scale: The budget.
        out: The folder of all results.
        workers: Processes.
        seed: Of everything.
        command: What was typed to run it.
    """

    world: str
    scale: Scale
    out: Path
    workers: int
    seed: int
    command: str

    @property
    def recipe(self) -> str:
        """The folder of the memories' recipe."""
        return f"recipes/world_model/{self.world}"

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


def run(*words: object) -> None:
    """Show a command and run it; what fails ends the stage with the command's own words.

    A module or a script is run by this Python, ``uv`` by itself.
    """
    command = [str(word) for word in words]
    if command[0] != "uv":
        is_script = command[0].endswith(".py")
        command = ["python", *command] if is_script else ["python", "-m", *command]
    print("\n$", shlex.join(command), flush=True)
    program, *rest = command
    if program != "python" and shutil.which(program) is None:
        sys.exit(
            f"{program}: expected it to be installed, found no program {program}: pip install uv"
        )
    program = sys.executable if program == "python" else program
    done = subprocess.run([program, *rest], cwd=ROOT, check=False)
    if done.returncode:
        sys.exit(done.returncode)


def stage(play: Callable[[Stage], None], words: list[str] | None = None) -> None:
    """Read the options that all stages have, and run one."""
    assert play.__doc__ is not None
    parser = argparse.ArgumentParser(description=play.__doc__.split("\n")[0])
    parser.add_argument("world", choices=WORLDS)
    parser.add_argument("--scale", choices=list(SCALES), default="tiny")
    parser.add_argument("--out", type=Path, default=Path("results/world_model"))
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seed", type=int, default=0)
    words = sys.argv[1:] if words is None else words
    options = parser.parse_args(words)
    command = shlex.join(["python", f"recipes/world_model/{play.__name__}.py", *words])
    out = options.out.resolve() / options.world / options.scale
    out.mkdir(parents=True, exist_ok=True)
    # Commands are shown and kept as they can be said from the project's folder.
    os.chdir(ROOT)
    out = out.relative_to(ROOT) if out.is_relative_to(ROOT) else out
    play(Stage(options.world, SCALES[options.scale], out, options.workers, options.seed, command))
