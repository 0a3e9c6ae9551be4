"""Scans: exact both ways, the same pixels under any of them, and all that follows them."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from seqmdn.data import Identity, Scan, Scanned, SequenceDataModule, Store, StoreWriter
from seqmdn.heads import MixtureHead
from seqmdn.models import SequenceModel
from tests.data.numbers import equal
from tests.data.numbers import write as write_numbers
from tests.images import HEIGHT, WIDTH, write_images

KINDS: list[Any] = ["row", "pixel", 1, 2]


def slow(image: np.ndarray, kind: Any) -> list[list[float]]:
    """The loop that the permutation stands for, of images (height, width, channels)."""
    height, width, _ = image.shape
    down, across = {"row": (1, width), "pixel": (1, 1)}.get(kind, (kind, kind))
    return [
        [
            number
            for row in range(top, top + down)
            for column in range(left, left + across)
            for number in image[row, column].tolist()
        ]
        for top in range(0, height, down)
        for left in range(0, width, across)
    ]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_frames_are_those_of_a_slow_loop(kind: Any, channels: int) -> None:
    image = np.random.default_rng(0).normal(size=(4, 6, channels)).astype(np.float32)
    scan = Scan(4, 6, channels, kind)
    stored = image.reshape(4, -1)
    expected = slow(image, kind)
    assert scan.apply(stored).tolist() == expected
    assert scan.apply(torch.tensor(stored)).tolist() == expected
    assert (scan.frames, scan.features) == np.shape(expected) == scan.order.shape
    assert len(scan.names()) == len(set(scan.names())) == scan.features


@given(
    *[st.integers(1, 5)] * 4,
    st.sampled_from([1, 2, 3]),
    st.sampled_from(["row", "pixel", "block"]),
)
def test_the_inverse_is_exact(
    down: int, across: int, side: int, batch: int, channels: int, word: str
) -> None:
    scan = Scan(side * down, side * across, channels, side if word == "block" else word)
    images = torch.randn(batch, 2, scan.height, scan.width * channels)
    frames = scan.apply(images)
    assert frames.shape == (batch, 2, scan.frames, scan.features)
    assert torch.equal(scan.restore(frames), images)
    assert torch.equal(scan.apply(scan.restore(frames)), frames)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_a_data_module_serves_what_a_store_holds(tmp_path: Path, kind: Any, channels: int) -> None:
    path = write_images(tmp_path / "a.h5", channels, labels=True)
    stored, module = Store(path), SequenceDataModule(path, scan=kind, per="sequence")
    module.setup()
    scan = Scan(HEIGHT, WIDTH, channels, kind)
    assert module.features == scan.features and module.store.names == scan.names()
    assert module.names == stored.names and module.unit == "nats/image"
    batch = module.sequences("test", stored.indices("test"))
    assert batch.context is not None
    for row, index in enumerate(stored.indices("test").tolist()):
        values, context = stored.read(index)
        assert batch.values[row].tolist() == slow(values.reshape(HEIGHT, WIDTH, -1), kind)
        assert context is not None
        assert batch.context[row].tolist() == context[scan.rows].tolist()
    whole = module.whole(batch)
    plain = SequenceDataModule(path)
    plain.setup()
    expected = plain.sequences("test", stored.indices("test"))
    assert expected.context is not None
    # What differs within a block is known of its first row.
    rows = np.arange(HEIGHT) // scan.down * scan.down
    assert equal(whole, expected._replace(context=expected.context[:, rows]))


@pytest.mark.parametrize("kind", KINDS)
def test_parts_of_an_image_are_those_of_the_whole(tmp_path: Path, kind: Any) -> None:
    store = Scanned(write_images(tmp_path / "a.h5", 3, labels=True, missing=True), kind)
    values, context = store.read(5)
    seen = store.observed(5)
    assert context is not None and seen is not None and (values[~seen] == 0).all()
    for start, stop in ((0, 1), (1, 3), (2, None)):
        part, known = store.read(5, start, stop)
        np.testing.assert_array_equal(part, values[start:stop])
        np.testing.assert_array_equal(known, context[start:stop])
        np.testing.assert_array_equal(store.observed(5, start, stop), seen[start:stop])
    with pytest.raises(IndexError, match=f"within 0 and {len(values)} of sequence 5"):
        store.read(5, 0, len(values) + 1)
    assert store.text(5) == "1" and store.frames == len(store) * len(values)
    assert store.ends(5, len(values)) and not store.ends(5, len(values) - 1)


def test_windows_go_along_the_scan(tmp_path: Path) -> None:
    path = write_images(tmp_path / "a.h5")
    module = SequenceDataModule(path, scan="pixel", window=5, burn_in=3, batch_size=16)
    module.setup()
    whole = {tuple(module.store.read(i)[0].ravel()) for i in module.store.indices("train")}
    batch = next(iter(module.train_dataloader()))
    for values, length in zip(batch.values, batch.lengths, strict=True):
        part = values[:length, 0].tolist()
        places = [
            place
            for image in whole
            for place in range(len(image) - len(part) + 1)
            if list(image[place : place + len(part)]) == part
        ]
        assert places


@pytest.mark.parametrize("kind", KINDS)
def test_a_likelihood_of_independent_pixels_is_the_same_under_any_scan(
    tmp_path: Path, kind: Any
) -> None:
    path = write_images(tmp_path / "a.h5", 3)

    def log_prob(scan: Any) -> torch.Tensor:
        module = SequenceDataModule(path, scan=scan)
        module.setup()
        head = partial(MixtureHead, components=2, factorised=True)
        model = SequenceModel(module.features, head=head, transform=lambda _: Identity()).double()
        with torch.no_grad():  # whatever was before: two Gaussians a number, the same for all
            model.head.projection.weight.zero_()
            numbers = torch.tensor([0.3, -0.2, 40.0, 160.0, -9.0, -8.0], dtype=torch.float64)
            parts = model.head._split(model.head.projection.bias).values()
            for part, pair in zip(parts, numbers.split(2), strict=True):
                part.view(-1, 2).copy_(pair)
        batch = module.sequences("test", module.store.indices("test"))
        return model.log_prob(batch._replace(values=batch.values.double()))

    torch.testing.assert_close(log_prob(kind), log_prob(None))


def test_a_prime_is_told_in_rows(tmp_path: Path) -> None:
    store = Scanned(write_images(tmp_path / "a.h5"), 2)
    module = SequenceDataModule(store.path, scan=2)
    module.setup()
    batch = module.sequences("test", store.indices("test")[:3])
    batch = batch._replace(start=torch.tensor([0, 3, 5]))
    assert module.whole(batch).start.tolist() == [0, 2, 2]
    short = batch._replace(values=batch.values[:, :4], lengths=torch.tensor([4, 4, 4]))
    with pytest.raises(ValueError, match="whole images of 6 frames, each a block of 2 x 2 pixels"):
        module.whole(short)
    rows = SequenceDataModule(store.path, scan="row")
    rows.setup()
    some = rows.sequences("test", store.indices("test"))
    some = some._replace(values=some.values[:, :3], lengths=some.lengths.clamp(max=3))
    assert rows.whole(some) is some


def test_what_cannot_be_scanned_is_refused(tmp_path: Path) -> None:
    path = write_images(tmp_path / "a.h5")
    for kind in (3, 0, -1):
        with pytest.raises(ValueError, match=f"a.h5: .*divides 4 x 6 pixels, found {kind}"):
            Scanned(path, kind)
    with pytest.raises(ValueError, match="by 'row', by 'pixel' or .*found 'column'"):
        Scan(4, 6, kind="column")
    with pytest.raises(ValueError, match="sizes of 1 or more"):
        Scan(0, 6)
    with pytest.raises(ValueError, match="images kept row by row .* found 2 features, kind None"):
        Scanned(write_numbers(tmp_path), "pixel")
    with StoreWriter(
        tmp_path / "b.h5",
        ["x"],
        "b",
        "level",
        attributes={"kind": "image", "height": 2, "width": 1},
    ) as writer:
        writer.append(np.zeros((3, 1)), "train")
    with pytest.raises(ValueError, match="expected images kept row by row"):
        Scanned(tmp_path / "b.h5", "row")
