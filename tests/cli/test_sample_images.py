"""Drawing images from the command line: completions, labels, and what surprises a model."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seqmdn.cli import main
from seqmdn.data import Store
from tests.images import train_images, write_images

Refused = Callable[..., str]
SCANS = ["row", "pixel", 2]


@pytest.fixture(scope="module", params=SCANS, ids=str)
def run(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    folder = tmp_path_factory.mktemp("images")
    train_images(folder, write_images(folder / "images.h5", 3, labels=True), scan=request.param)
    return folder / "run"


def test_completions_begin_with_the_real_upper_half(run: Path, tmp_path: Path) -> None:
    words = ["sample", str(run), "--num", "3", "--prime", "0.5"]
    main([*words, "--out", str(tmp_path / "a.npz")])
    with np.load(tmp_path / "a.npz") as found:
        values, start = found["values"], found["start"]
    store = Store(run.parent / "images.h5")
    assert values.shape == (3, 4, 18) and start.tolist() == [2, 2, 2]
    for drawn, index in zip(values, store.indices("test").tolist(), strict=False):
        real = store.read(index)[0]
        np.testing.assert_array_equal(np.floor(drawn[:2]), real[:2])
        assert (np.floor(drawn[2:]) != real[2:]).any()
    main([*words, "--out", str(tmp_path / "a.png")])
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.format == "PNG"


def test_labels_are_asked_for_in_turn(run: Path, tmp_path: Path) -> None:
    words = ["--num", "4", "--label", "digit 0", "digit 1", "--out", str(tmp_path / "a.h5")]
    main(["sample", str(run), *words])
    store = Store(tmp_path / "a.h5")
    assert len(store) == 4 and store.names[:2] == ["red 0", "green 0"]
    for index in range(4):
        values, context = store.read(index)
        assert context is not None and values.shape == (4, 18) and len(context) == 4
        assert (context[:, index % 2] == 1).all() and (context[:, 1 - index % 2] == 0).all()
    assert store.attributes["kind"] == "image" and store.attributes["step"]


def test_drawn_images_are_stored_as_levels_and_gone_on_from(run: Path, tmp_path: Path) -> None:
    # Borders of the logit lie beyond the levels, and so does what an untrained model draws.
    own = tmp_path / "own.h5"
    main(["sample", str(run), "--num", "20", "--out", str(own)])
    store = Store(own)
    levels = np.concatenate([store.read(index)[0] for index in range(20)])
    assert (levels == levels.round()).all() and levels.min() >= 0 and levels.max() <= 255
    words = ["--data", str(own), "--num", "40", "--prime", "0.5", "--out", str(tmp_path / "a.npz")]
    main(["sample", str(run), *words])
    with np.load(tmp_path / "a.npz") as found:
        upper, lower = np.split(np.floor(found["values"]), 2, axis=1)
    first = np.stack([store.read(index)[0][:2] for index in range(20)])
    np.testing.assert_array_equal(upper, np.tile(first, (2, 1, 1)))
    assert (lower[:20] != lower[20:]).any()


def test_surprise_is_shown_above_its_images(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.png"
    main(["sample", str(run), "--num", "3", "--show", "surprise", "--out", str(path)])
    assert capsys.readouterr().out == f"3 images above the nats of each pixel: {path}\n"
    with Image.open(path) as picture:
        assert picture.format == "PNG"


def test_what_is_not_for_surprise_is_refused(
    run: Path, small_run: Path, tmp_path: Path, refused: Refused
) -> None:
    show = ["--show", "surprise", "--out"]
    path = str(tmp_path / "a.png")
    assert "ends in .png or .svg" in refused("sample", run, *show, str(tmp_path / "a.npz"))
    assert "expected no --prime where" in refused("sample", run, *show, path, "--prime", "2")
    assert "surprise is shown of images" in refused("sample", small_run, *show, path)


def test_a_part_of_a_scanned_image_is_refused(run: Path, tmp_path: Path, refused: Refused) -> None:
    words = ["sample", run, "--length", "3", "--num", "2", "--out", str(tmp_path / "a.npz")]
    if "scan: row" in (run / "config.yaml").read_text():
        main([str(word) for word in words])
        return
    assert "expected whole images of" in refused(*words)
