"""The script that looks at classifiers of layers of mixtures."""

from pathlib import Path

import numpy as np
import pytest
import yaml

from seqmdn.data import StoreWriter
from tests.recipes.scripts import ROOT, script
from tests.small import train

SIZE = {"height": 3, "width": 4}


def write_rows(path: Path, **attributes: int) -> Path:
    rng = np.random.default_rng(0)
    names = [f"pixel {k}" for k in range(12)]
    with StoreWriter(
        path, ["class"], "rows", "class", context=names, attributes=attributes
    ) as writer:
        for split, count in {"train": 60, "valid": 10, "test": 20}.items():
            classes = rng.integers(0, 10, (count, 1))
            writer.append_rows(
                classes.astype(float), [split] * count, classes + rng.random((count, 12))
            )
    return path


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of two models of the recipe, for two steps, on small images."""
    folder = tmp_path_factory.mktemp("runs")
    store = write_rows(folder / "rows.h5", **SIZE)
    recipe = folder / "recipe"
    recipe.mkdir()
    base = yaml.safe_load((ROOT / "recipes/ugmm/mnist/base.yaml").read_text())
    base["data"]["init_args"] = {"path": str(store), "batch_size": 10}
    base["trainer"] |= {"max_steps": 2, "val_check_interval": 2}
    (recipe / "base.yaml").write_text(yaml.safe_dump(base))
    for model in ("ugmm", "ugmm_plain", "feedforward"):
        where = "mnist_plain" if model == "ugmm_plain" else "mnist"
        text = (ROOT / f"recipes/ugmm/{where}/{model}.yaml").read_text()
        (recipe / f"{model}.yaml").write_text(text)
        train(recipe, folder / model, model=model)
    return folder


def test_pixels_have_responses_and_mixes_have_none(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    look = script("ugmm/look.py")
    capsys.readouterr()
    look.main([str(trained / "ugmm_plain"), "--out", str(tmp_path / "plain")])
    names = {path.name for path in (tmp_path / "plain").iterdir()}
    assert names == {"neurons.png", "responses.png", "uncertainty.png"}
    assert capsys.readouterr().out.count("wrote ") == 3
    look.main([str(trained / "ugmm"), "--out", str(tmp_path / "mixed")])
    assert {path.name for path in (tmp_path / "mixed").iterdir()} == names - {"responses.png"}
    for path in tmp_path.rglob("*.png"):
        assert path.stat().st_size > 2000


def test_a_run_without_mixtures_is_refused(trained: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="a classifier with a layer of mixtures, found none"):
        script("ugmm/look.py").look(trained / "feedforward", tmp_path)
