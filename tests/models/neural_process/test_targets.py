"""Targets in pieces: as many as fit, and nothing else changes."""

import pytest
import torch
from torch import Tensor

from seqmdn.data import Batch
from seqmdn.models.neural_process.targets import in_pieces
from tests.models.neural_process.kinds import tasks


@pytest.mark.parametrize("chunk", [None, 1, 2, 3, 4, 100])
@pytest.mark.parametrize("begun", [True, False])
def test_every_target_is_scored_once_with_all_that_is_given(chunk: int | None, begun: bool) -> None:
    batch = tasks()
    if not begun:
        batch = batch._replace(start=None)
    largest = 0

    def score(part: Batch) -> Tensor:
        nonlocal largest
        starts = torch.zeros(3).long() if part.start is None else part.start
        largest = max(largest, part.values.shape[1] - int(starts.max()))
        # A target, beside the sum of all that is given to it.
        of_given = part.values.where((part.present() & ~part.mask()).unsqueeze(-1), 0).sum(1)
        found = part.values + of_given.unsqueeze(1) + part.context.sum(-1, keepdim=True)
        return found.where(part.mask().unsqueeze(-1), 0)

    expected = score(batch)
    largest = 0
    with torch.no_grad():
        torch.testing.assert_close(in_pieces(batch, score, chunk), expected)
    assert largest == min(chunk or 7, 4 if begun else 7)
    # With gradients there is one piece.
    calls = 0

    def count(part: Batch) -> Tensor:
        nonlocal calls
        calls += 1
        return part.values

    in_pieces(batch, count, chunk)
    assert calls == 1
