"""Batches of strokes: the texts of their sequences, and the mark of where these end."""

from pathlib import Path

import numpy as np
import pytest
import torch

from seqmdn.data import SequenceDataModule, StoreWriter, UniformDequantise, decode
from tests.data.numbers import equal, make
from tests.pens import write_pens
from tests.small import write_store


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pens(tmp_path_factory.mktemp("pens") / "pens.h5")


NOISE = UniformDequantise(centred=True, columns=2)


def test_each_sequence_comes_with_its_text_and_its_end(path: Path) -> None:
    module = make(path, text=True, mark_end=True, noise=NOISE, eval_batch_size=3)
    assert (module.features, module.context, module.unit) == (4, 0, "nats/frame")
    batches = {split: list(module.batches(split)) for split in ("train", "valid", "test")}
    for split, found in batches.items():
        row = iter(module.store.indices(split).tolist())
        for batch in found:
            assert batch.text is not None and batch.values.shape[2] == 4
            texts = decode(batch.text)
            for values, length, text in zip(batch.values, batch.lengths, texts, strict=True):
                index = next(row)
                stored, _ = module.store.read(index)
                assert text == module.store.text(index) and length == len(stored)
                np.testing.assert_array_equal(values[:length, :2].round(), stored[:, :2])
                np.testing.assert_array_equal(values[:length, 2], stored[:, 2])
                assert values[:length, 3].tolist() == [0.0] * (len(stored) - 1) + [1.0]
        assert next(row, None) is None
    test = module.sequences("test", module.store.indices("test")[[3, 0]].tolist())
    texts = [module.store.text(index) for index in module.store.indices("test")[[3, 0]]]
    assert test.text is not None and decode(test.text) == texts


def test_training_batches_have_them_too_whatever_the_workers(path: Path) -> None:
    options = {"text": True, "mark_end": True, "noise": NOISE}
    alone, shared = (make(path, workers=n, **options).train_dataloader() for n in (0, 1))
    first, second = list(alone), list(shared)
    assert len(first) == 3 and all(map(equal, first, second))
    module = make(path, text=True, mark_end=True)
    said: list[str] = []
    for batch in module.train_dataloader():
        assert batch.text is not None
        said += decode(batch.text)
        last = batch.values[torch.arange(4), batch.lengths - 1]
        assert (last[:, 3] == 1).all() and (batch.values[:, :, 3].sum(1) >= 1).all()
        assert torch.equal(batch.values[:, :, 3].bool() & batch.mask(), at_the_end(batch.lengths))
    stored = [module.store.text(index) for index in module.store.indices("train")]
    assert sorted(said) == sorted(map(str, stored))


def at_the_end(lengths: torch.Tensor) -> torch.Tensor:
    return torch.arange(int(lengths.max())) == lengths.unsqueeze(1) - 1


@pytest.mark.parametrize("burn_in", [0, 2])
def test_only_the_window_with_a_sequences_last_frame_is_marked(
    tmp_path: Path, burn_in: int
) -> None:
    with StoreWriter(tmp_path / "a.h5", ["sequence", "frame"], "numbers", "1") as writer:
        for number, length in enumerate([9, 2, 7, 4, 13]):
            frames = np.stack([np.full(length, number), np.arange(length)], axis=1)
            writer.append(frames, "train")
    module = make(tmp_path / "a.h5", window=4, burn_in=burn_in, mark_end=True, batch_size=3)
    marked = {number: 0 for number in range(5)}
    for _ in range(3):
        for batch in module.train_dataloader():
            for values, length in zip(batch.values, batch.lengths, strict=True):
                sequence, stop = int(values[0, 0]), int(values[length - 1, 1]) + 1
                ends = stop == module.store.lengths[sequence]
                assert values[:length, 2].tolist() == [0.0] * (int(length) - 1) + [float(ends)]
                marked[sequence] += bool(ends)
    assert min(marked.values()) >= 3, "every pass sees every end"
    assert any((batch.values[:, :, 2] == 0).all(1).any() for batch in module.train_dataloader())


def test_frames_to_begin_with_have_the_mark(path: Path) -> None:
    module = make(path, mark_end=True, noise=NOISE)
    frames = module.sample_frames()
    lengths = module.store.lengths[module.store.indices("train")]
    assert frames.shape == (lengths.sum(), 4) and frames[:, 3].sum() == len(lengths)
    assert torch.equal(frames[:, 3].nonzero()[:, 0], torch.from_numpy(np.cumsum(lengths) - 1))
    assert set(frames[:, 2].tolist()) == {0.0, 1.0}
    assert (frames[:, :2] != frames[:, :2].round()).any()


@pytest.mark.parametrize("given", [[], ["eos"]])
def test_whole_is_what_the_store_has(path: Path, given: list[str]) -> None:
    module = make(path, mark_end=True, given=given, text=True)
    assert module.features == 4 - len(given)
    indices = module.store.indices("valid").tolist()
    whole = module.whole(module.sequences("valid", indices))
    assert whole.text is not None and whole.values.shape[2] == 3 and whole.context is None
    for row, index in enumerate(indices):
        stored, _ = module.store.read(index)
        np.testing.assert_array_equal(whole.values[row, : len(stored)], stored)


def test_without_text_and_mark_nothing_is_added(path: Path) -> None:
    module = make(path)
    batch = next(module.batches("test"))
    assert module.features == batch.values.shape[2] == 3 and batch.text is None


def test_what_makes_no_sense_is_refused(path: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="whole sequences where their texts .* a window of 4"):
        SequenceDataModule(path, text=True, window=4)
    silent = write_pens(tmp_path / "silent.h5", text=False)
    with pytest.raises(ValueError, match="a store with a text for each sequence, found none: pre"):
        make(silent, text=True)
    gaps = write_store(tmp_path / "gaps.h5", missing=True)
    with pytest.raises(ValueError, match="no mark of the end where features may be missing"):
        make(gaps, mark_end=True)
