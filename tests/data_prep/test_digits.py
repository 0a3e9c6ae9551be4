"""The digits store holds scikit-learn's pictures, split as it says."""

from pathlib import Path

import numpy as np
import pytest
import sklearn.datasets

from data_prep.digits import main, prepare
from seqmdn.data import SPLITS, SequenceDataModule, Store, UniformDequantise, file_sha256


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    out = tmp_path_factory.mktemp("digits") / "digits.h5"
    prepare(out)
    return Store(out)


def test_all_pictures_are_there_row_by_row(store: Store) -> None:
    digits = sklearn.datasets.load_digits()
    assert len(store) == 1797 and store.features == 8 and store.context_features == 0
    for index, (image, target) in enumerate(zip(digits.images, digits.target, strict=True)):
        np.testing.assert_array_equal(store.read(index)[0], image)
        assert store.text(index) == str(target)


def test_each_digit_is_split_in_the_same_proportions(store: Store) -> None:
    shares = dict(zip(SPLITS, (0.75, 0.05, 0.2), strict=True))
    targets = np.array([store.text(index) for index in range(len(store))])
    for split, share in shares.items():
        found = targets[store.indices(split)]
        assert len(found) == pytest.approx(share * 1797, abs=3)
        for digit in "0123456789":
            expected = share * np.count_nonzero(targets == digit)
            assert np.count_nonzero(found == digit) == pytest.approx(expected, abs=1)


def test_the_seed_splits(store: Store, tmp_path: Path) -> None:
    prepare(tmp_path / "again.h5")
    prepare(tmp_path / "other.h5", seed=1)
    assert file_sha256(tmp_path / "again.h5") == store.sha256
    assert (Store(tmp_path / "other.h5").splits != store.splits).any()


def test_the_store_says_what_it_is(store: Store, tmp_path: Path) -> None:
    attributes = store.attributes
    assert (attributes["name"], attributes["unit"]) == ("digits", "pixel level")
    assert (attributes["kind"], attributes["sequence"]) == ("image", "image")
    assert (attributes["height"], attributes["width"], attributes["levels"]) == (8, 8, 17)
    assert attributes["command"] == "python -m data_prep.digits --seed 0"
    assert [entry["file"] for entry in attributes["source"]] == ["digits.csv.gz"]
    content = store.path.read_bytes()
    assert (
        str(store.path.parent).encode() not in content and str(Path.cwd()).encode() not in content
    )


def test_dequantised_digits_lie_between_0_and_17(store: Store) -> None:
    module = SequenceDataModule(store.path, noise=UniformDequantise(), per="sequence")
    module.setup()
    frames = module.sample_frames()
    assert module.unit == "nats/image"
    assert (frames > 0).all() and (frames < 17).all() and frames.max() > 16.9


def test_the_command_says_what_it_wrote(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["--out", str(tmp_path / "a" / "digits.h5"), "--seed", "3"])
    said = capsys.readouterr().out
    assert said.count("\n") == 1 and "14376 frames of 8 features" in said
    assert Store(tmp_path / "a" / "digits.h5").attributes["seed"] == 3


def test_a_missing_store_is_prepared_by_the_data_module(tmp_path: Path) -> None:
    module = SequenceDataModule(tmp_path / "digits.h5", prepare="data_prep.digits")
    module.prepare_data()
    module.setup()
    assert module.describe("train")["sequences"] == len(module.store.indices("train"))


def test_what_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SystemExit, match="^data_prep.digits: .*file") as error:
        main(["--out", str(tmp_path / "file" / "digits.h5")])
    assert "\n" not in str(error.value)
