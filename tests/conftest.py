"""What every test starts from: one thread, float32, validation on, a fixed seed."""

import os
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.distributions import Distribution


@pytest.fixture(autouse=True)
def same_start() -> Iterator[None]:
    """Give every test the same start, and the examples in docstrings the same as the tests."""
    _reset()
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)
    yield
    _reset()


@pytest.fixture(scope="session")
def data_root() -> Path:
    """Name the folder with real data; without it, skip."""
    root = os.environ.get("SEQMDN_DATA")
    if not root:
        pytest.skip("needs real data: SEQMDN_DATA is unset")
    path = Path(root)
    if not path.is_dir():
        pytest.fail(f"SEQMDN_DATA names {root!r}, which is not a folder: correct it or unset it")
    return path


@pytest.fixture(scope="session")
def small_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of the small recipe, to be read only; store and recipe lie beside it."""
    from tests.small import train, write_recipe, write_store

    folder = tmp_path_factory.mktemp("small")
    recipe = write_recipe(folder / "recipe", write_store(folder / "walks.h5"))
    _reset()
    train(recipe, folder / "run")
    return folder / "run"


def _reset() -> None:
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float32)
    # Importing zuko in a test turns this off for every distribution of the process.
    Distribution.set_default_validate_args(True)
