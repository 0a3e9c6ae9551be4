"""Worlds are loaded from runs that belong together, and from no others."""

from pathlib import Path

import numpy as np
import pytest
import torch

from seqmdn.data import Store
from seqmdn.models import FrameVAE
from seqmdn.worlds import World, load_world
from tests.small import train, write_recipe, write_store
from tests.worlds.conftest import Runs
from tests.worlds.small import HIGH, LOW, small_world


def test_eyes_see_what_the_memory_learned_of(runs: Runs) -> None:
    world = load_world(runs.memory, runs.eyes)
    latents = Store(runs.memory.parent / "latents.h5")
    frames = Store(runs.memory.parent / "squares.h5")
    levels = frames.read(1)[0].reshape(-1, 64, 64, 3).astype(np.uint8)
    levels.flags.writeable = False  # as the frames of environments are
    noise = torch.randn(len(levels), 3, generator=torch.Generator().manual_seed(0))
    rows = torch.from_numpy(latents.read(1)[0])
    expected = rows[:, :3] + (0.5 * rows[:, 3:6]).exp() * noise
    found = world.encode(levels, noise)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    assert world.low.tolist() == LOW and world.high.tolist() == HIGH
    assert not world.memory.training and not world.require_eyes().training


def test_what_is_decoded_is_what_is_seen(runs: Runs) -> None:
    world = load_world(runs.memory, runs.eyes)
    levels = np.random.default_rng(0).integers(0, 256, (4, 64, 64, 3)).astype(np.uint8)
    with torch.inference_mode():
        latents = world.encode(levels, torch.zeros(4, 3))
        expected = world.require_eyes().reconstruct(torch.from_numpy(levels.reshape(4, -1)))
    frames = world.decode(latents)
    assert frames.dtype == np.uint8 and frames.shape == levels.shape
    np.testing.assert_allclose(frames.reshape(4, -1), expected, atol=0.51)


def test_a_memory_needs_no_eyes(runs: Runs) -> None:
    world = load_world(runs.memory)
    assert world.eyes is None and world.observation == 3 + 8
    with pytest.raises(ValueError, match="expected a world with eyes"):
        world.decode(torch.zeros(1, 3))


def test_other_eyes_are_refused(runs: Runs) -> None:
    with pytest.raises(ValueError, match="remembers latents of the encoder .* is .*: give the run"):
        load_world(runs.memory, runs.others)


def test_runs_of_other_models_are_refused(runs: Runs, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected the run of a WorldModel .*found a FrameVAE"):
        load_world(runs.eyes, runs.eyes)
    with pytest.raises(ValueError, match="expected the run of a FrameVAE, found a WorldModel"):
        load_world(runs.memory, runs.memory)
    train(write_recipe(tmp_path / "recipe", write_store(tmp_path / "w.h5")), tmp_path / "rmdn-0")
    with pytest.raises(ValueError, match="expected the run of a WorldModel"):
        load_world(tmp_path / "rmdn-0")
    with pytest.raises(FileNotFoundError):
        load_world(tmp_path / "none")


def test_parts_that_do_not_fit_are_refused() -> None:
    memory = small_world().memory
    with pytest.raises(ValueError, match="expected bounds of 3 actions"):
        World(memory, [0, 0], [1, 1])
    with pytest.raises(ValueError, match="expected bounds of 3 actions"):
        World(memory, HIGH, LOW)
    with pytest.raises(ValueError, match="of 32 latents, found eyes of 5"):
        World(memory, LOW, HIGH, FrameVAE(width=1, latent=5))
    with pytest.raises(ValueError, match=r"shapes \[\(31,\), \(32,\)\]"):
        World(memory, LOW, HIGH, mean=torch.zeros(31))
