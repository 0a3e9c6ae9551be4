"""A recipe to train runs of."""

from pathlib import Path

import pytest

from tests.small import write_recipe, write_store


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recipe")
    return write_recipe(folder, write_store(folder / "walks.h5"))
