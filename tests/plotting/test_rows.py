import numpy as np
import pytest

from seqmdn.plotting.rows import Row, kind_of

VALUES = np.arange(12.0).reshape(2, 3, 2)  # (N, T, D)


def test_padding_is_left_behind() -> None:
    row = Row.of("a", "#000000", VALUES, [1, 3])
    assert [each.tolist() for each in row.sequences] == [[[0.0, 1.0]], VALUES[1].tolist()]


def test_all_frames_count_without_lengths() -> None:
    assert [len(each) for each in Row.of("a", "#000000", VALUES).sequences] == [3, 3]


def test_part_keeps_name_unless_given_one() -> None:
    row = Row.of("a", "#000000", VALUES)
    assert row.part(1, 2).name == "a" and row.part(1, 2, name="").name == ""
    assert np.array_equal(row.part(1, 9).sequences[0], VALUES[1])


@pytest.mark.parametrize("lengths", [[1], [1, 4], [-1, 2], [[1, 2]]])
def test_lengths_that_do_not_fit_are_refused(lengths: list) -> None:
    with pytest.raises(ValueError, match="model: expected 2 lengths between 0 and 3; found"):
        Row.of("model", "#000000", VALUES, lengths)


@pytest.mark.parametrize("shape", [(0, 3, 2), (3, 2), (1, 1, 3, 2)])
def test_values_that_are_no_sequences_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"model: expected sequences \(N, T, D\)"):
        Row.of("model", "#000000", np.zeros(shape))


def test_kind() -> None:
    assert kind_of({}) == "series" and kind_of({"kind": "image"}) == "image"
    with pytest.raises(ValueError, match="among image, strokes, series, audio; found 'film'"):
        kind_of({"kind": "film"})


def test_titles_and_starts_stay_with_their_sequences() -> None:
    row = Row.of("a", "#000000", np.zeros((3, 4, 2)), titles=["x", "y", "z"], starts=[0, 1, 2])
    part = row.part(1, 3)
    assert part.titles == ("y", "z") and part.starts == (1, 2) and len(part.sequences) == 2
    assert Row.of("a", "#000000", np.zeros((3, 4, 2))).part(1, 2).titles == ()
    for wrong in ({"titles": ["x"]}, {"starts": [1, 2]}):
        with pytest.raises(ValueError, match="a: expected 3 (titles|starts), one a sequence"):
            Row.of("a", "#000000", np.zeros((3, 4, 2)), **wrong)
