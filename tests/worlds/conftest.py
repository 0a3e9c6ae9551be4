"""The runs of a small world: eyes, the latents that they see, and a memory of these."""

from pathlib import Path
from typing import NamedTuple

import pytest

from seqmdn.configuration import fit_parser
from seqmdn.runs import encode_frames, fit, load_run
from tests.frames import train_vae, write_frames, write_vae_recipe
from tests.small import train
from tests.small_worlds import write_world_recipe
from tests.worlds.small import HIGH, LOW


class Runs(NamedTuple):
    """Folders of runs: of the eyes, of others like them, and of the memory."""

    eyes: Path
    others: Path
    memory: Path


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    folder = tmp_path_factory.mktemp("world")
    frames = write_frames(folder / "squares.h5", action_low=LOW, action_high=HIGH)
    eyes, memory = folder / "eyes", folder / "memory"
    fit(fit_parser().parse_args(write_vae_recipe(folder / "recipe", frames)), eyes)
    encode_frames(load_run(eyes), folder / "latents.h5")
    train(write_world_recipe(folder / "worlds", folder / "latents.h5", latents=3), memory)
    return Runs(eyes, train_vae(folder / "others", floor=0.0), memory)
