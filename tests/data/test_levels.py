"""Levels on a scale: the same levels again, and nothing but levels."""

import pytest
import torch

from seqmdn.data import Levels


@pytest.mark.parametrize("count", [2, 17, 256, 65_536])
def test_levels_come_back_whole(count: int) -> None:
    levels = Levels(1, count)
    y = torch.arange(count, dtype=torch.float32).unsqueeze(-1)
    z, ladj = levels.call_and_ladj(y)
    assert z.min() == -1 and z.max() == 1 and (z.diff(dim=0) > 0).all()
    assert torch.equal(levels.inverse(z), y) and (ladj == 0).all() and ladj.shape == (count,)
    assert levels.ladj() is None
    assert levels.inverse(torch.tensor([-1.2, 1.3])).tolist() == [0, count - 1]


@pytest.mark.parametrize("value", [0.5, -1.0, 256.0, float("nan"), float("inf"), 254.99])
def test_what_is_no_level_is_refused_with_the_remedy(value: float) -> None:
    y = torch.tensor([[3.0, value]])
    with pytest.raises(ValueError, match=f"from 0 to 255, found {value:g} .*data.noise null"):
        Levels(2).call_and_ladj(y)
    with pytest.raises(ValueError, match="2 levels or more, found 1"):
        Levels(2, 1)


def test_what_is_missing_is_not_read() -> None:
    y = torch.tensor([[3.0, float("nan")]])
    z, _ = Levels(2).call_and_ladj(y, torch.tensor([[True, False]]))
    assert z[0, 1] == 0 and Levels(2).inverse(z)[0, 0] == 3
