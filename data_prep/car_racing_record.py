"""Writes the recorded frames of CarRacing rollouts, and the actions between them.

Reads ``record/*.npz`` as the World Models code writes them, ``obs`` (1000, 64, 64, 3) uint8 and
``action`` (1000, 3) float16, in the order of ``record_to_series_index.json``, which gives each file
its row in ``series.npz``. The last four rollouts are for the test, the two before them for
validation. Action t was taken after frame t: the context of a frame is the action before it, zeros
for the first. Rewards were not recorded, and ends neither.

**Colours.** The code that recorded them computed 255 (1 - x) from levels x of 0 to 255, in place of
0 to 1, and kept the remainder by 256: that is x - 1, and 255 where x was 0. Here 1 is added to each
level, modulo 256, so that black is black. Before that, its resizing (``scipy.misc.imresize``) had
stretched the levels of each frame from its darkest to its brightest to the range from 0 to 255:
where nothing was brighter than light grass, 229, grass became (114, 227, 114) in place of (102,
204, 102). Levels of such frames are multiplied by 229 / 255 and rounded, so that grass is the same
in all frames, and as in ``data_prep.car_racing``.

    python -m data_prep.car_racing_record --source FOLDER --out data/car_racing_record.h5

World Models (Ha, Schmidhuber, 2018), https://github.com/hardmaru/WorldModelsExperiments
"""

from __future__ import annotations

__all__ = ["prepare"]

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data_prep.frame_stores import frame_writer
from data_prep.sources import (
    advance,
    command_line,
    folder_sha256,
    read_arrays,
    require_file,
    run,
)
from data_prep.splits import split_last
from seqmdn.data import file_sha256
from seqmdn.environments import ACTIONS
from seqmdn.environments.frames import CHANNELS, SIZE
from seqmdn.reading import read_json

TEST, VALID = 4, 2
GRASS = (102, 204, 102)
LIGHT = 229  # the brightest level of light grass
INDEX = "record_to_series_index.json"


def prepare(source: Path, out: Path) -> None:
    """Writes the store from the folder that holds ``record`` and its index.

    Raises:
        FileNotFoundError: If the index or a file that it names is not there.
        ValueError: If one of them is not what it should be.
    """
    names = _order(source)
    splits = split_last(len(names), VALID, TEST)
    with frame_writer(
        out,
        name="car_racing_record",
        source=[
            {"file": INDEX, "sha256": file_sha256(source / INDEX)},
            {"file": "record/*.npz", "sha256": folder_sha256(source / "record", names)},
        ],
        licence="MIT (World Models)",
        command="python -m data_prep.car_racing_record --source $SEQMDN_DATA/carracing",
    ) as writer:
        stretched = 0
        for place, name in enumerate(advance(names, "rollouts")):
            recorded, action = _load(source / "record" / name)
            levels, bright = restore_levels(recorded)
            stretched += int(np.count_nonzero(bright))
            previous = np.concatenate([np.zeros_like(action[:1]), action[:-1]])
            writer.append(levels.reshape(len(levels), -1), splits[place], context=previous)
        writer.add_attributes({"stretched_frames": stretched})


def restore_levels(
    recorded: NDArray[np.uint8],
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:  # (T, H, W, 3) -> (T, H, W, 3), (T,)
    """Gives the levels that were seen, and which frames had been stretched.

    Example:
        >>> recorded = np.full((2, 1, 1, 3), (113, 226, 113), np.uint8)
        >>> recorded[1] = (101, 203, 101)
        >>> levels, stretched = restore_levels(recorded)
        >>> levels[:, 0, 0].tolist(), stretched.tolist()
        ([[102, 204, 102], [102, 204, 102]], [True, False])
    """
    levels = recorded + np.uint8(1)  # which wraps
    bright = np.rint(np.array(GRASS) * 255 / LIGHT)
    pixels = [np.count_nonzero((levels == one).all(-1), (1, 2)) for one in (bright, GRASS)]
    stretched: NDArray[np.bool_] = pixels[0] > pixels[1]
    levels[stretched] = np.rint(levels[stretched] * (LIGHT / 255))
    return levels, stretched


def main(arguments: list[str] | None = None) -> None:
    """Runs the command line."""
    what, layout = "the recorded frames of CarRacing rollouts", f"record/*.npz and {INDEX}"
    run(command_line("car_racing_record", what, layout, folder="carracing"), prepare, arguments)


def _order(source: Path) -> list[str]:
    path = source / INDEX
    require_file(path, "the order of the recorded files", "give the folder that holds it")
    index = read_json(path, dict)
    try:
        names = sorted(index, key=index.__getitem__)
    except (ValueError, TypeError, LookupError) as error:
        raise ValueError(
            f"{path}: expected a JSON object of file names and rows, found something else "
            f"({error}): download it again"
        ) from error
    rows = [index[name] for name in names]
    if rows != list(range(len(rows))) or len(rows) <= TEST + VALID:
        raise ValueError(
            f"{path}: expected rows from 0 upwards, each once, of more than {TEST + VALID} files, "
            f"found {rows}: download it again"
        )
    for name in names:
        if Path(name).name != name:
            raise ValueError(f"{path}: expected names of files, found {name!r}: download it again")
        require_file(source / "record" / name, "a recorded rollout", f"{INDEX} names it")
    return names


def _load(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    recorded, action = read_arrays(path, ("obs", "action"))
    steps = len(recorded) if recorded.ndim else 0
    shapes = (steps, SIZE, SIZE, CHANNELS), (steps, len(ACTIONS))
    if (
        (recorded.shape, action.shape) != shapes
        or recorded.dtype != np.uint8
        or action.dtype.kind != "f"
        or steps < 2
    ):
        raise ValueError(
            f"{path}: expected obs of shape (steps, {SIZE}, {SIZE}, {CHANNELS}) of uint8 and "
            f"action (steps, {len(ACTIONS)}) of floats, 2 steps or more, found {recorded.dtype} "
            f"of shape {recorded.shape} and {action.dtype} of shape {action.shape}"
        )
    return recorded, action.astype(np.float32)


if __name__ == "__main__":
    main()
