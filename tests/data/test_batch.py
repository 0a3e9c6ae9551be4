"""Padding, lengths and the frames that count."""

import numpy as np
import pytest
import torch

from seqmdn.data import Batch, collate, decode, encode


def frames(length: int, features: int = 2, first: float = 0.0) -> np.ndarray:
    values = first + np.arange(length * features, dtype=np.float32)
    return values.reshape(length, features)


def test_mask_and_frames_agree_with_start_and_lengths() -> None:
    batch = Batch(
        values=torch.zeros(3, 5, 1),
        lengths=torch.tensor([5, 3, 4]),
        start=torch.tensor([0, 2, 1]),
    )
    expected = [[1, 1, 1, 1, 1], [0, 0, 1, 0, 0], [0, 1, 1, 1, 0]]
    assert batch.mask().int().tolist() == expected
    assert batch.frames().tolist() == [5, 1, 3]


def test_without_start_all_frames_before_the_padding_count() -> None:
    batch = Batch(values=torch.zeros(2, 3, 1), lengths=torch.tensor([3, 1]))
    assert batch.mask().int().tolist() == [[1, 1, 1], [1, 0, 0]]
    assert batch.frames().tolist() == [3, 1]


def test_a_part_has_all_of_some_sequences() -> None:
    batch = Batch(
        values=torch.randn(4, 3, 2),
        lengths=torch.tensor([3, 1, 2, 3]),
        context=torch.randn(4, 3, 1),
        start=torch.tensor([0, 0, 1, 2]),
        text=encode(["a", "bc", "d", "efg"]),
    )
    part = batch.part(1, 3)
    for name, field in batch._asdict().items():
        own = getattr(part, name)
        assert own is None if field is None else torch.equal(own, field[1:3]), name
    assert part.observed is None and part.mask().int().tolist() == [[1, 0, 0], [0, 1, 0]]


def test_collate_keeps_every_frame_and_pads_with_the_last_one() -> None:
    items = [
        (frames(2), frames(2, 3), 1),
        (frames(4, first=100), frames(4, 3, first=100), 0),
    ]
    batch = collate(items)
    assert batch.values.dtype == torch.float32 and batch.values.shape == (2, 4, 2)
    assert batch.lengths.dtype == torch.int64 and batch.lengths.tolist() == [2, 4]
    assert batch.start is not None and batch.start.tolist() == [1, 0]
    assert batch.context is not None and batch.context.shape == (2, 4, 3)
    for row, (values, context, _) in enumerate(items):
        np.testing.assert_array_equal(batch.values[row, : len(values)], values)
        np.testing.assert_array_equal(batch.context[row, : len(values)], context)
    np.testing.assert_array_equal(batch.values[0, 2:], frames(2)[[-1, -1]])
    np.testing.assert_array_equal(batch.context[0, 2:], frames(2, 3)[[-1, -1]])


def test_collate_keeps_the_text_of_every_sequence() -> None:
    items = [(frames(2), None, None), (frames(3), None, None)]
    batch = collate(items, texts=["é", "abc"])
    assert batch.text is not None and decode(batch.text) == ["é", "abc"]
    assert collate(items).text is None
    for wrong in (["a"], ["a", "b", "c"]):
        with pytest.raises(ValueError, match=f"a text for each of 2 .*, found {len(wrong)}"):
            collate(items, texts=wrong)


def test_collate_takes_tensors_and_float64() -> None:
    batch = collate([(torch.ones(2, 1, dtype=torch.float64), None, None)])
    assert batch.values.dtype == torch.float32
    assert batch.context is None and batch.start is None


def test_a_batch_is_a_copy() -> None:
    values = frames(3)
    batch = collate([(values, None, None)])
    values[:] = -1
    assert (batch.values >= 0).all()


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([], "at least one sequence, found none"),
        ([(frames(2), None, None), (frames(2), frames(2), None)], "found 1 of 2"),
        ([(frames(2), None, None), (frames(0), None, None)], r"found lengths \[2, 0\]"),
        ([(frames(2), None, None), (frames(2, 3), None, None)], r"shape \(2,\).*shape \(2, 3\)"),
        ([(frames(2), frames(3), None)], r"at most 2 of them, found .*shape \(3, 2\)"),
    ],
)
def test_collate_says_what_does_not_fit(items: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        collate(items)
