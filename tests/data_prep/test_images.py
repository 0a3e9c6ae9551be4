"""What MNIST and CIFAR-10 share: told where a set leaves nothing to learn or to test."""

from pathlib import Path

import numpy as np
import pytest

from data_prep.images import ImageSet, write_images
from seqmdn.data import Store


def part(number: int, channels: int = 1) -> ImageSet:
    images = np.arange(number * 4 * channels).astype(np.uint8).reshape(number, 2, 2, channels)
    return ImageSet(images, np.arange(number) % 2, number)


def test_a_frame_is_a_row_of_pixels_from_the_left(tmp_path: Path) -> None:
    write_images(
        tmp_path / "a.h5",
        part(4, 3),
        part(1, 3),
        ["cat", "dog"],
        "class",
        seed=0,
        valid=0.5,
        labels=True,
        name="small",
    )
    store = Store(tmp_path / "a.h5")
    assert store.names == ["red 0", "green 0", "blue 0", "red 1", "green 1", "blue 1"]
    assert store.read(1)[0].tolist() == [list(range(12, 18)), list(range(18, 24))]
    assert store.context_names == ["class cat", "class dog"]


@pytest.mark.parametrize(("train", "test"), [(1, 1), (4, 0)])
def test_too_few_images_are_refused(tmp_path: Path, train: int, test: int) -> None:
    with pytest.raises(ValueError, match=f"found {train} for the first two .* and {test}"):
        write_images(
            tmp_path / "a.h5",
            part(train),
            part(test),
            ["a", "b"],
            "class",
            seed=0,
            valid=0.3,
            labels=False,
            name="small",
        )
    assert not (tmp_path / "a.h5").exists()
