# /// script
# requires-python = ">=3.13"
# dependencies = [
#     "gym-super-mario-bros>=9,<10",
#     "gymnasium>=1.2,<2",
#     "h5py>=3.11,<4",
#     "numpy>=2,<3",
# ]
# ///
"""Plays Super Mario Bros. at random, and writes what was seen, done and earned as one HDF5 store.

This file stands alone, in an environment of its own, since the emulator needs a newer Python than
seqmdn does: it imports nothing of it, and writes the same store (``seqmdn/data/layout.py``).

    uv run data_prep/super_mario.py --episodes 100 --out data/super_mario.h5

**The game.** The package ``gym-super-mario-bros`` contains a ROM of the game, which belongs to
Nintendo and is not licensed by whoever made the package, or by seqmdn. Whether its user may use it
is the user's own affair. What is written shows its pictures: keep it to yourself unless you may
share them.

Each episode is a sequence of frames: the 208 rows below the status line, resized to 64x64 (each
pixel is the mean of the area that it covers), as levels 0 to 255. The context of a frame is which
buttons led to it (0 or 1), the reward for arriving at it, and whether the episode ended there (a
life lost or the flag reached; being cut after ``--steps`` is no end). All are 0 for the first
frame. An action is held for four of the console's frames, then kept with probability 3/4 or drawn
anew. The last 5 % of the episodes are for the test, the 5 % before them for validation; of
fewer than a hundred five each, or a fifth if that is less.
"""

from __future__ import annotations

__all__ = ["collect", "play", "shrink", "split", "write_store"]

import argparse
import sys
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
from numpy.typing import NDArray

SIZE = 64
STATUS = 32  # rows of the status line
HELD = 4  # frames of the console for each action
KEPT = 0.75  # the share of actions that are those before
BUTTONS = ("right", "left", "A", "B")
ACTIONS = (
    ("NOOP",),
    ("right",),
    ("right", "A"),
    ("right", "B"),
    ("right", "A", "B"),
    ("A",),
    ("left",),
)


class Episode(NamedTuple):
    """Holds T frames and what led to them.

    Attributes:
        frames: (T, 64, 64, 3) uint8.
        context: (T, buttons + 2): the buttons, the reward, the end.
    """

    frames: NDArray[np.uint8]
    context: NDArray[np.float32]


def shrink(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:  # (240, 256, 3) -> (64, 64, 3)
    """Crops the status line, and resizes the rest by the mean of what each pixel covers.

    Example:
        >>> picture = np.zeros((240, 256, 3), np.uint8)
        >>> picture[32:] = 7
        >>> frame = shrink(picture)
        >>> frame.shape, int(frame.min()), int(frame.max())
        ((64, 64, 3), 7, 7)
    """
    if picture.shape != (240, 256, 3) or picture.dtype != np.uint8:
        raise ValueError(
            f"expected a picture of shape (240, 256, 3) of uint8, found {picture.dtype} of shape "
            f"{picture.shape}"
        )
    rows, columns = _cover(240 - STATUS), _cover(256)
    mean = np.einsum("hr,rcx,wc->hwx", rows, picture[STATUS:], columns, optimize=True)
    return np.rint(mean).astype(np.uint8)


def play(environment: Any, seed: int, steps: int) -> Episode:
    """Plays one episode of at most ``steps`` actions; the environment's are the ``ACTIONS``."""
    rng = np.random.default_rng([seed, 1])
    picture, _ = environment.reset(seed=seed)
    frames = [shrink(picture)]
    context = [[0.0] * (len(BUTTONS) + 2)]
    action = int(rng.integers(len(ACTIONS)))
    for _ in range(steps):
        earned, end, cut = 0.0, False, False
        for _ in range(HELD):
            picture, reward, end, cut, _ = environment.step(action)
            earned += float(reward)
            if end or cut:
                break
        frames.append(shrink(picture))
        context.append([*(float(b in ACTIONS[action]) for b in BUTTONS), earned, float(end)])
        if end or cut:
            break
        if rng.random() >= KEPT:
            action = int(rng.integers(len(ACTIONS)))
    return Episode(np.stack(frames), np.array(context, np.float32))


def split(count: int) -> list[int]:
    """Gives each episode 0 (train), 1 (valid) or 2 (test).

    Example:
        >>> split(4), split(2)
        ([0, 0, 1, 2], [0, 0])
    """
    few = max(count // 20, min(5, count // 5), 1) if count >= 3 else 0
    return [0] * (count - 2 * few) + [1] * few + [2] * few


def write_store(out: Path, episodes: Iterable[Episode], attributes: dict[str, Any]) -> None:
    """Writes the episodes as they come; what is not whole never bears the store's name.

    Args:
        out: The file.
        episodes: At least one, of at least 2 frames each.
        attributes: More of them, beside those that every store has.
    """
    channels = ("red", "green", "blue")
    names = [f"{channel} {y} {x}" for y in range(SIZE) for x in range(SIZE) for channel in channels]
    context = [*(f"previous {button}" for button in BUTTONS), "reward", "end"]
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = out.with_name(f".{out.name}.{uuid.uuid4().hex}.partial")
    try:
        # So many names lie outside of the header, which HDF5 can do since version 1.8.
        with h5py.File(partial, "x", libver=("v108", "v108")) as file:
            file.attrs.update(
                {
                    "format": "seqmdn",
                    "version": 1,
                    "name": "super_mario",
                    "unit": "pixel level",
                    "step": f"{HELD} frames of the console",
                    "source": "[]",
                    "licence": "the game's pictures are Nintendo's",
                    "kind": "frames",
                    "sequence": "episode",
                    "height": SIZE,
                    "width": SIZE,
                    "channels": len(channels),
                    "levels": 256,
                    **attributes,
                }
            )
            for key, listed in (("features", names), ("context", context)):
                file.attrs.create(key, listed, dtype=h5py.string_dtype(), shape=(len(listed),))
            values = _create(file, "values", len(names), rows=1)
            beside = _create(file, "context", len(context), rows=1024)
            offsets = [0]
            for frames, led in episodes:
                offsets.append(offsets[-1] + len(frames))
                for dataset, rows in ((values, frames.reshape(len(frames), -1)), (beside, led)):
                    dataset.resize(offsets[-1], axis=0)
                    dataset[offsets[-2] :] = rows
            file.create_dataset("offsets", data=np.array(offsets, np.int64))
            file.create_dataset("split", data=np.array(split(len(offsets) - 1), np.int8))
        partial.replace(out)
    finally:
        partial.unlink(missing_ok=True)


def collect(
    out: Path,
    make: Callable[[], Any],
    episodes: int,
    steps: int,
    seed: int,
    attributes: dict[str, Any],
) -> None:
    """Plays episodes, each with a seed that follows from ``seed`` and its number, and writes them.

    Raises:
        ValueError: If there are no episodes, or they have no steps.
    """
    if episodes < 1 or steps < 1 or seed < 0:
        raise ValueError(
            "expected 1 episode or more, of 1 step or more, and a seed of 0 or more, found "
            f"{episodes}, {steps} and {seed}"
        )
    environment = make()

    def played() -> Iterable[Episode]:
        for number in range(episodes):
            # The environment takes 32 bits.
            own = int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
            episode = play(environment, own, steps)
            if sys.stderr.isatty():
                print(f"\r{number + 1} of {episodes} episodes", end="", file=sys.stderr)
            yield episode

    try:
        write_store(out, played(), {**attributes, "seed": seed, "steps": steps})
    finally:
        environment.close()


def main(arguments: list[str] | None = None) -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description="Play Super Mario Bros. and write the frames.")
    parser.add_argument("--episodes", type=int, default=100, help="default: %(default)s")
    parser.add_argument("--steps", type=int, default=1000, help="of an episode, at most")
    parser.add_argument("--seed", type=int, default=0, help="of all episodes, default: 0")
    parser.add_argument("--environment", default="SuperMarioBros-1-1-v0", help="its gymnasium name")
    parser.add_argument("--out", type=Path, default=Path("data/super_mario.h5"))
    options = parser.parse_args(arguments)

    def make() -> Any:
        try:
            import gym_super_mario_bros  # noqa: F401 (its environments register themselves)
            import gymnasium
            from nes_py.wrappers import JoypadSpace
        except ImportError as error:
            raise ImportError(
                f"expected gym-super-mario-bros 9 and gymnasium, found none ({error}): run this "
                "file with `uv run`, which installs them, on Python 3.13 or later"
            ) from error
        return JoypadSpace(gymnasium.make(options.environment), [list(each) for each in ACTIONS])

    command = (
        f"uv run data_prep/super_mario.py --episodes {options.episodes} --steps {options.steps} "
        f"--seed {options.seed} --environment {options.environment}"
    )
    attributes = {"command": command, "environment": options.environment}
    numbers = options.episodes, options.steps, options.seed
    try:
        collect(options.out, make, *numbers, attributes)
    except (OSError, ValueError, ImportError) as error:
        sys.exit(f"super_mario: {error}")
    print(f"wrote {options.out}: {options.episodes} episodes")


def _cover(old: int) -> NDArray[np.float64]:  # (SIZE, old)
    """Gives how much of each new pixel each old one covers; every row sums to 1."""
    edges = np.linspace(0, old, SIZE + 1)
    low, high = edges[:-1, None], edges[1:, None]
    places = np.arange(old)
    covered = np.clip(np.minimum(high, places + 1) - np.maximum(low, places), 0, None)
    return covered / covered.sum(1, keepdims=True)


def _create(file: h5py.File, name: str, width: int, rows: int) -> h5py.Dataset:
    return file.create_dataset(
        name,
        shape=(0, width),
        maxshape=(None, width),
        dtype=np.float32,
        chunks=(rows, width),
        compression="gzip",
        shuffle=True,
        track_times=False,
    )


if __name__ == "__main__":
    main()
