"""Labels that draws are asked for."""

import pytest
import torch

from seqmdn.runs.labels import relabel

NAMES = ["digit 0", "digit 1", "digit 2", "speaker a", "speaker b", "loudness"]


def test_kinds_that_are_not_named_stay_as_they_are() -> None:
    context = torch.tensor([[1, 0, 0, 0, 1, 0.3], [0, 1, 0, 1, 0, 0.7]])
    found = relabel(context, NAMES, ["digit 2"])
    assert found[:, :3].tolist() == [[0, 0, 1], [0, 0, 1]]
    assert torch.equal(found[:, 3:], context[:, 3:])
    assert context[0, 0] == 1, "what was given is changed"


def test_several_of_a_kind_take_turns() -> None:
    labels = ["speaker b", "digit 1", "digit 0", "speaker a", "digit 2"]
    found = relabel(torch.zeros(7, 6), NAMES, labels)
    assert found[:, :3].argmax(1).tolist() == [1, 0, 2, 1, 0, 2, 1]
    assert found[:, 3:5].argmax(1).tolist() == [1, 0, 1, 0, 1, 0, 1]
    assert bool((found[:, :5].sum(1) == 2).all()) and not found[:, 5].any()


def test_no_label_changes_nothing() -> None:
    context = torch.randn(3, 6)
    assert torch.equal(relabel(context, NAMES, []), context)


@pytest.mark.parametrize(("names", "words"), [(NAMES, "speaker b"), ([], "no labels")])
def test_an_unknown_label_is_named_with_those_there_are(names: list[str], words: str) -> None:
    with pytest.raises(ValueError, match=f"{words}.*found 'digit 9'"):
        relabel(torch.zeros(1, len(names)), names, ["digit 9"])
