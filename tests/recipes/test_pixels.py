"""What stands beside the recipes of pixels: levels, bits, scans and encoders, by configuration."""

import json
from pathlib import Path

import pytest

from data_prep import mnist
from seqmdn.cli import main
from tests.data_prep.pictures import write_mnist

ROOT = Path(__file__).parents[2]
SMALL = ["--trainer.max_steps", "2", "--trainer.val_check_interval", "2"]
SMALL += ["--model.backbone.hidden", "8", "--data.batch_size", "4"]
PLAIN = ["-c", "recipes/pixels/plain.yaml"]


@pytest.mark.parametrize(
    ("file", "words", "binarised", "most"),
    [
        ("levels", [], False, 10),
        ("levels", ["--data.scan", "14", *PLAIN], False, 10),
        ("bits", [], True, 2),
        ("gpu", ["--data.workers", "0"], False, 20),
    ],
    ids=["levels", "blocks of levels", "bits", "large"],
)
def test_it_fits_evaluates_and_samples(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    file: str,
    words: list[str],
    binarised: bool,
    most: float,
) -> None:
    name = "mnist_binarised" if binarised else "mnist"
    store = tmp_path / "data" / f"{name}.h5"
    mnist.prepare(write_mnist(tmp_path / "raw"), store, binarise=binarised)
    (tmp_path / "recipes").symlink_to(ROOT / "recipes")
    monkeypatch.chdir(tmp_path)
    files = ["-c", "recipes/pixels/mnist/base.yaml", "-c", f"recipes/pixels/{file}.yaml"]
    main(["fit", *files, *SMALL, *words, "--out", "run", "--debug"])
    found = json.loads(Path("run/metrics.json").read_text())
    assert found["unit"] == "nats/image" and 0 < found["bits_per_dim"] < most
    main(["sample", "run", "--num", "2", "--prime", "0.5", "--out", "a.png", "--debug"])
    main(["sample", "run", "--num", "2", "--show", "surprise", "--out", "b.png", "--debug"])
    assert min(Path(name).stat().st_size for name in ("a.png", "b.png")) > 1000
