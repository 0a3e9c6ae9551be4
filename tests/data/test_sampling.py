"""What is looked at before training."""

from pathlib import Path

import numpy as np
import pytest
import torch

from seqmdn.data import StoreWriter, UniformDequantise
from tests.data.numbers import make, write


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("store"))


def test_sample_frames_gives_all_if_they_are_few(path: Path) -> None:
    module = make(path)
    frames = module.sample_frames()
    expected = np.concatenate([module.store.read(i)[0] for i in module.store.indices("train")])
    assert frames.dtype == torch.float32
    np.testing.assert_array_equal(frames, expected)


@pytest.mark.parametrize("limit", [1, 20, 99])
def test_sample_frames_takes_some_of_many(path: Path, limit: int) -> None:
    module = make(path, window=3)
    frames = module.sample_frames(limit)
    assert frames.shape == (limit, 2)
    assert len(frames.unique(dim=0)) == limit
    assert set(frames[:, 0].int().tolist()) <= set(module.store.indices("train").tolist())
    assert torch.equal(frames, make(path, window=3, seed=8).sample_frames(limit))
    if limit == 20:
        assert len(frames[:, 0].unique()) >= 3


@pytest.mark.parametrize(("features", "frames"), [(1, 100_000), (4, 100_000), (50, 80_000)])
def test_sample_frames_holds_no_more_values_than_it_may(
    tmp_path: Path, features: int, frames: int
) -> None:
    with StoreWriter(tmp_path / "a.h5", [f"x{i}" for i in range(features)], "wide", "1") as writer:
        writer.append(np.zeros((100_001, features), np.float32), "train")
    assert make(tmp_path / "a.h5").sample_frames().shape == (frames, features)


def test_sample_frames_has_noise(path: Path) -> None:
    module = make(path, noise=UniformDequantise())
    frames = module.sample_frames()
    u = frames - make(path).sample_frames()
    assert (u > 0).all() and (u < 1).all() and len(u.unique()) > 190
    assert torch.equal(frames, make(path, noise=UniformDequantise(), seed=1).sample_frames())
