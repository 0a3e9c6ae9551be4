"""Plays CarRacing-v3 in many processes, and writes what was seen, done and earned.

Each episode is a sequence of frames: the 84 rows above the gauges, resized to 64x64 (bilinear), as
levels 0 to 255. The context of a frame is the action that led to it, the reward for arriving at it,
and whether the episode ended there (the lap finished or the playfield left; being cut after
``--steps`` is no end). All three are 0 for the first frame.

An episode follows from the seed, its number and the policy alone: the store is the same, whatever
the number of workers and however often it was interrupted. The last 5 % of the episodes are for
the test and the 5 % before them for validation; of fewer than a hundred five each, or a fifth if
that is less.

While it is collected, the store shows the episodes that are there, and ``OUT.episodes`` holds them.
Ctrl-C or a kill loses only those under way: the same command goes on, and a larger
``--episodes`` adds to a store, which moves the splits to the new last ones.

    python -m data_prep.car_racing --episodes 1000 --workers 16 --out data/car_racing.h5

Policies: ``random`` is a random walk of actions (``seqmdn.environments.Brownian``), ``gentle`` one
that steers and accelerates little, which sees the road for longer; anything else is the file of a
trained one.

Made with gymnasium (MIT), https://gymnasium.farama.org. World Models (Ha, Schmidhuber, 2018)
"""

from __future__ import annotations

__all__ = ["prepare"]

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from data_prep.crew import Work, run_crew
from data_prep.episodes import Episodes
from data_prep.frame_stores import frame_writer
from data_prep.sources import origin
from seqmdn.data import Store
from seqmdn.environments import Brownian, Policy, Rollout, make_car_racing, play
from seqmdn.environments.car_racing import HIGH, LOW, NAME

_TOLD = 50  # steps
# Bounds of random walks of steering, gas and brake.
WALKS = {"random": (LOW, HIGH), "gentle": ((-0.3, 0.0, 0.0), (0.3, 0.05, 0.02))}


class Player(NamedTuple):
    """Plays episodes in a worker.

    Attributes:
        folder: Where their stores are written.
        policy: What acts: one of ``WALKS``, or a file.
        settings: What the episodes follow from, kept with each.
    """

    folder: Path
    policy: str
    settings: dict[str, Any]

    def make(self) -> Work:
        """Gives what plays one episode and writes its store."""
        import torch

        torch.set_num_threads(1)  # each process has one core
        return partial(self._work, make_policy(self.policy))

    def _work(self, policy: Policy, number: int, tell: Callable[[int], None]) -> None:
        seed, steps = self.settings["seed"], self.settings["steps"]
        environment = make_car_racing(steps)
        played = []
        for step in play(environment, policy, episode_seed(seed, number), steps):
            played.append(step)
            if len(played) % _TOLD == 0:
                tell(_TOLD)
        environment.close()
        tell(len(played) % _TOLD)
        frames, actions, rewards, ends = Rollout.gather(played)
        file = self.policy not in WALKS
        low, high = bounds(policy)
        with frame_writer(
            self.folder / f"{number:06d}.h5",
            outcomes=["reward", "end"],
            attributes={**self.settings, "action_low": low, "action_high": high},
            name="car_racing",
            source=[origin(Path(self.policy))] if file else [],
            licence="made with gymnasium (MIT)",
            command="python -m data_prep.car_racing",
        ) as writer:
            context = np.column_stack([actions, rewards, ends])
            writer.append(frames.reshape(len(frames), -1), "train", context=context)


def make_policy(policy: str) -> Policy:
    """Gives the policy of this name, or of this file."""
    if policy in WALKS:
        return Brownian(*WALKS[policy])
    from seqmdn.worlds import load_agent  # which takes seconds, and whoever drives at random waits

    return load_agent(Path(policy))


def bounds(policy: Policy) -> tuple[list[float], list[float]]:
    """Gives the least and the greatest of each action that a policy takes.

    Example:
        >>> bounds(make_policy("gentle"))
        ([-0.3, 0.0, 0.0], [0.3, 0.05, 0.02])
    """
    if isinstance(policy, Brownian):
        return policy.low.tolist(), policy.high.tolist()
    world = policy.belief.world  # type: ignore[attr-defined]  # of a file: an agent
    return world.low.tolist(), world.high.tolist()


def episode_seed(seed: int, number: int) -> int:
    """Gives an episode's own seed.

    Example:
        >>> episode_seed(0, 1) == episode_seed(0, 1), episode_seed(0, 1) == episode_seed(1, 0)
        (True, False)
    """
    # Of 63 bits, since 10,000 numbers of 32 bits may well have two alike.
    return int(np.random.SeedSequence([seed, number]).generate_state(1, np.uint64)[0] >> 1)


def prepare(
    out: Path,
    episodes: int,
    steps: int = 1000,
    workers: int | None = None,
    seed: int = 0,
    policy: str = "random",
) -> list[str]:
    """Writes the store, or goes on with it; says what was done.

    Raises:
        ImportError: If gymnasium or its Box2D is not installed, with the command that installs it.
        FileNotFoundError: If there is no file of the policy.
        ValueError: If a number is out of range, the file is no policy, or the store or its folder
            has episodes of other settings or more than asked for.
        RuntimeError: If workers are killed again and again.
    """
    make_policy(policy)
    if seed < 0:
        raise ValueError(f"expected a seed of 0 or more, found {seed}")
    workers = _cores() if workers is None else workers
    if workers < 1:
        raise ValueError(f"expected 1 worker or more, found {workers}")
    make_car_racing(steps).close()
    settings = {
        "environment": NAME,
        "gymnasium": version("gymnasium"),
        "seed": seed,
        "steps": steps,
        "policy": policy if policy in WALKS else origin(Path(policy))["sha256"],
    }
    command = (
        f"python -m data_prep.car_racing --episodes {episodes} --steps {steps} --seed {seed} "
        f"--policy {Path(policy).name}"
    )
    begun, frames = time.monotonic(), 0
    with Episodes(out, episodes, settings, command) as kept:
        missing = kept.missing
        player = Player(kept.folder, policy, settings)
        try:
            kept.link() if missing else kept.join()
            if missing:
                with showing(len(missing), steps + 1) as show:
                    for progress in run_crew(player.make, missing, workers):
                        if progress is None:
                            continue
                        if progress.done:
                            kept.add(progress.number)
                        frames += progress.count
                        show(progress.count, progress.done)
                took = time.monotonic() - begun
                kept.join()
        except BaseException:
            kept.link()
            raise
    if not missing:
        return [f"all {episodes} episodes were there"]
    return [
        f"played {len(missing)} episodes, {frames} frames in {took:.0f} s ({frames / took:.0f} a "
        "second)"
    ]


@contextmanager
def showing(episodes: int, frames: int) -> Iterator[Callable[[int, bool], None]]:
    """Shows how many frames were seen, how fast, and the time left, where somebody looks.

    Args:
        episodes: How many there will be.
        frames: Of each, at most.
    """
    if not sys.stderr.isatty():
        yield lambda count, done: None
        return
    begun, seen, finished = 0.0, 0, 0
    with Progress(
        TextColumn("{task.fields[finished]} of {task.fields[episodes]} episodes"),
        BarColumn(),
        TextColumn("{task.fields[speed]:.0f} frames/s"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    ) as progress:
        total = episodes * frames
        bar = progress.add_task("", total=total, finished=0, episodes=episodes, speed=0.0)

        def show(count: int, done: bool) -> None:
            nonlocal begun, seen, finished
            # The clock starts with the first frames: before, processes import what they need.
            begun = begun or time.monotonic()
            seen, finished = seen + count, finished + done
            speed = seen / max(time.monotonic() - begun, 1.0)
            # An episode that is played again, or that ended early, has not the frames it should.
            completed = min(total, max(seen, finished * frames))
            progress.update(bar, completed=completed, finished=finished, speed=speed)

        yield show


def main(arguments: list[str] | None = None) -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m data_prep.car_racing",
        description="Play CarRacing-v3 in many processes, and write the frames as one HDF5 store.",
    )
    parser.add_argument("--episodes", type=int, required=True, help="of the store")
    parser.add_argument(
        "--steps", type=int, default=1000, help="of an episode, at most, default: %(default)s"
    )
    parser.add_argument("--workers", type=int, help="processes, default: one a core")
    parser.add_argument("--seed", type=int, default=0, help="of all episodes, default: %(default)s")
    parser.add_argument(
        "--policy",
        default="random",
        help="random, gentle, or the file of a trained policy, default: %(default)s",
    )
    parser.add_argument(
        "--out", type=Path, default=Path("data/car_racing.h5"), help="default: %(default)s"
    )
    options = parser.parse_args(arguments)
    try:
        said = prepare(**vars(options))
    except (OSError, ValueError, ImportError, RuntimeError) as error:
        sys.exit(f"data_prep.car_racing: {error}")
    except KeyboardInterrupt:
        there = len(Store(options.out)) if options.out.exists() else 0
        print(
            f"data_prep.car_racing: stopped with {there} of {options.episodes} episodes in "
            f"{options.out}: the same command goes on",
            file=sys.stderr,
        )
        sys.exit(130)
    print("\n".join([*said, f"wrote {Store(options.out)}"]))


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


if __name__ == "__main__":
    main()
