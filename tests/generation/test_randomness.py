"""Random numbers of one's own, and a mode that comes back."""

import pytest
import torch
from torch import nn

from seqmdn.generation.randomness import Randomness, evaluating

CPU = torch.device("cpu")


def test_a_stream_goes_on_where_it_was_left_whatever_happens_between() -> None:
    torch.manual_seed(7)
    expected = torch.rand(6)
    randomness, found = Randomness(7, CPU), []
    for _ in range(3):
        with randomness():
            found.append(torch.rand(2))
        torch.rand(5)
    assert torch.equal(torch.cat(found), expected)


def test_the_global_generator_is_where_it_was() -> None:
    before = torch.get_rng_state()
    randomness = Randomness(0, CPU)
    for _ in range(2):
        with randomness():
            torch.rand(3)
        assert torch.equal(torch.get_rng_state(), before)
    with pytest.raises(RuntimeError, match="wrong"), randomness():
        torch.rand(3)
        raise RuntimeError("wrong")
    assert torch.equal(torch.get_rng_state(), before)


def test_the_seed_decides() -> None:
    def first(seed: int) -> torch.Tensor:
        with Randomness(seed, CPU)():
            return torch.rand(4)

    assert torch.equal(first(1), first(1)) and not torch.equal(first(1), first(2))


def test_every_part_comes_back_in_its_own_mode() -> None:
    model = nn.Sequential(nn.Dropout(), nn.Sequential(nn.Dropout(), nn.Linear(2, 2)))
    model[1].eval()
    before = [module.training for module in model.modules()]
    for _ in range(2):
        with pytest.raises(KeyError), evaluating(model):
            assert not any(module.training for module in model.modules())
            raise KeyError
        assert [module.training for module in model.modules()] == before
