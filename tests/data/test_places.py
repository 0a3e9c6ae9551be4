"""Images as functions of a place: which pixel is where, and images that are put together again."""

from pathlib import Path

import numpy as np
import pytest
import torch

from seqmdn.data import GivenPoints, Placed, SequenceDataModule, Store, UniformDequantise
from tests.data.numbers import write as write_numbers
from tests.images import HEIGHT, WIDTH, write_images


def module(path: Path, **of: object) -> SequenceDataModule:
    made = SequenceDataModule(path, scan="place", **of)
    made.setup()
    return made


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("labels", [False, True])
def test_the_context_says_where_a_pixel_is(tmp_path: Path, channels: int, labels: bool) -> None:
    path = write_images(tmp_path / "a.h5", channels, labels)
    data, image = module(path, points=GivenPoints(3, 9)), Store(path)
    assert (data.features, data.context) == (channels, 3 * labels + 2)
    index = int(image.indices("test")[2])
    batch = data.sequences("test", [index])
    assert batch.context is not None and batch.values.shape[1] == HEIGHT * WIDTH
    stored, known = image.read(index)
    pixels = stored.reshape(HEIGHT, WIDTH, channels)
    for values, context in zip(batch.values[0].tolist(), batch.context[0].tolist(), strict=True):
        down, across = (context[-2] + 1) * (HEIGHT - 1) / 2, (context[-1] + 1) * (WIDTH - 1) / 2
        row, column = round(down), round(across)
        assert abs(row - down) + abs(column - across) < 1e-5
        assert values == pixels[row, column].tolist()
        if known is not None:
            assert context[:-2] == known[row].tolist()
    corners = data.store.places[[0, WIDTH - 1, -WIDTH, -1]].tolist()
    assert corners == [[-1, -1], [-1, 1], [1, -1], [1, 1]]


def test_a_part_of_an_image_is_that_of_the_whole(tmp_path: Path) -> None:
    store = Placed(write_images(tmp_path / "a.h5", 3, labels=True))
    values, context = store.read(5)
    assert context is not None
    part, known = store.read(5, 4, 9)
    np.testing.assert_array_equal(part, values[4:9])
    np.testing.assert_array_equal(known, context[4:9])


def test_pixels_in_any_order_make_the_image_again(tmp_path: Path) -> None:
    path = write_images(tmp_path / "a.h5", 3, labels=True, missing=True)
    indices = Store(path).indices("test")
    plain = SequenceDataModule(path)
    plain.setup()
    expected = plain.sequences("test", indices)
    data = module(path, points=GivenPoints(2, 5))
    whole = data.whole(data.sequences("test", indices))
    assert torch.equal(whole.values, expected.values)
    assert torch.equal(whole.observed, expected.observed)
    assert torch.equal(whole.lengths, expected.lengths) and whole.start is None
    # Labels are the same in each row; the third column of these is not.
    assert torch.equal(whole.context[..., :2], expected.context[..., :2])
    some = data.sequences("test", indices, GivenPoints(2, 5, asked=4))
    padding = ~some.present().unsqueeze(-1)
    assert padding.any()
    part = data.whole(some._replace(values=some.values.masked_fill(padding, 99.0))).values.reshape(
        len(indices), -1, 3
    )
    there = ~part.isnan().any(-1)
    assert torch.equal(there.sum(1), some.lengths)
    assert torch.equal(part[there], expected.values.reshape(len(indices), -1, 3)[there])
    with pytest.raises(ValueError, match="context of 5 features says where they are, found .*None"):
        data.whole(some._replace(context=None))


def test_levels_have_their_noise_and_images_of_one_row_a_place(tmp_path: Path) -> None:
    path = write_images(tmp_path / "a.h5")
    data = module(path, points=GivenPoints(1, 3), noise=UniformDequantise(), per="sequence")
    batch = data.sequences("test", data.store.indices("test")[:1])
    drawn = data.stored(data.whole(batch))
    assert (
        drawn.values[0].tolist() == Store(path).read(int(data.store.indices("test")[0]))[0].tolist()
    )
    assert data.unit == "nats/image" and data.limit("test") is None
    values, context = data.sample(30)
    assert values.shape == (30, 1) and context is not None and context.shape == (30, 2)


def test_what_has_no_places_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected images kept row by row"):
        Placed(write_numbers(tmp_path))
    for wrong in ({"window": 3}, {"mark_end": True}):
        with pytest.raises(ValueError, match="expected whole sequences without a mark"):
            SequenceDataModule(write_images(tmp_path / "a.h5"), scan="place", **wrong)
