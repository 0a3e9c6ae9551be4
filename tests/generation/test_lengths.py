"""Which sequences of a draw go on."""

import pytest
import torch
from torch import Tensor

from seqmdn.generation.lengths import Lengths
from seqmdn.generation.steps import Steps
from seqmdn.models import SequenceModel


def last(*ended: int) -> Tensor:
    return torch.tensor(ended, dtype=torch.bool)


def test_a_sequence_ends_once_and_all_end_the_draw() -> None:
    lengths = Lengths(Steps(SequenceModel(2), 3), 9)
    assert not lengths.end(0, None) and not lengths.end(1, last(0, 0, 0))
    assert not lengths.end(2, last(0, 1, 0))
    assert lengths.going.tolist() == [True, False, True]
    assert not lengths.end(4, last(1, 1, 0)), "the second has ended already"
    assert lengths.lengths.tolist() == [5, 3, 9]
    assert lengths.end(5, last(0, 0, 1))
    assert lengths.lengths.tolist() == [5, 3, 6]


def test_a_primed_frame_ends_nothing() -> None:
    steps = Steps(SequenceModel(2), 2, prime=torch.zeros(2, 3, 2), primed=torch.tensor([3, 1]))
    lengths = Lengths(steps, 9)
    assert not lengths.end(1, last(1, 1))
    assert lengths.lengths.tolist() == [9, 2]


def test_a_length_has_room_for_the_prime_and_is_within_the_context() -> None:
    model = SequenceModel(2)
    with pytest.raises(ValueError, match="length must be at least 3, found 2"):
        Lengths(Steps(model, 2, prime=torch.zeros(3, 2)), 2)
    with pytest.raises(ValueError, match="length must be at least 1, found 0"):
        Lengths(Steps(model, 2), 0)
    steps = Steps(SequenceModel(2, 1), 2, context=torch.zeros(2, 4, 1))
    with pytest.raises(ValueError, match="length 5 needs as many frames of context, found 4"):
        Lengths(steps, 5)
