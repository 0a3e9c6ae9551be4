"""What every test starts from: one thread, float32, validation on, a fixed seed."""

import gc
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.distributions import Distribution

# They share what takes half a minute to make.
SLOW = ("tests/test_compare.py", "tests/cli/test_compare", "tests/runs/test_regression.py")


def pytest_collection_finish() -> None:
    """Leave libraries and thousands of collected tests out of every later garbage collection."""
    gc.collect()
    gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what begins slowly: one process has all of it, and none waits at the end."""
    items.sort(key=lambda item: not item.nodeid.startswith(SLOW))


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


@pytest.fixture(scope="session")
def vae_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of a small autoencoder, to be read only; its frames and recipe lie beside."""
    from tests.frames import train_vae

    folder = tmp_path_factory.mktemp("vae")
    _reset()
    return train_vae(folder)


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe in folders named as those of the project are."""
    from tests.small import write_recipe, write_store

    folder = tmp_path_factory.mktemp("clone")
    store = write_store(folder / "walks.h5", noisy=True)
    return write_recipe(
        folder / "recipes" / "walks" / "small", store, noise="seqmdn.data.GaussianLatents"
    )


@pytest.fixture
def refusal(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run a comparison that must fail, whatever it has printed before; return its one message."""
    from seqmdn.cli import main

    def run(*words: object) -> str:
        capsys.readouterr()
        with pytest.raises(SystemExit) as caught:
            main(["compare", *map(str, words)])
        assert caught.value.code in (1, 2)
        error = capsys.readouterr().err
        assert "Traceback" not in error
        (line,) = [line for line in error.splitlines() if line.startswith("seqmdn: ")]
        return line

    return run


def _reset() -> None:
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float32)
    # Importing zuko in a test turns this off for every distribution of the process.
    Distribution.set_default_validate_args(True)
