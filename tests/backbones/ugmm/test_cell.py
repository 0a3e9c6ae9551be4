"""The cell whose gates are mixtures: its formula, its start, and dropout over a stretch."""

import re

import pytest
import torch

from seqmdn.models.ugmm import UGMMCell
from tests.contracts.modules import perturbed


def test_a_step_is_the_formula() -> None:
    cell = perturbed(UGMMCell(3, 4), 0.3).double()
    x, h, c = (torch.randn(5, n, dtype=torch.float64) for n in (3, 4, 4))
    y = cell.gates.plain(torch.cat((x, h), dim=1)) * cell.gain + cell.bias
    i, f, g, o = y.split(4, dim=1)
    expected = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    found_h, found_c = cell(x, (h, c))
    torch.testing.assert_close(found_c, expected)
    torch.testing.assert_close(found_h, torch.sigmoid(o) * torch.tanh(expected))


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_gates_begin_in_the_middle_and_a_new_cell_remembers(dropout: float) -> None:
    cell = UGMMCell(3, 4, dropout=dropout)
    assert cell.gates.training
    for _ in range(2):
        h, c = cell.eval()(torch.zeros(1, 3), (torch.zeros(1, 4), torch.ones(1, 4)))
        kept = torch.sigmoid(torch.tensor(1.0))
        torch.testing.assert_close(c, kept.expand(1, 4))
        torch.testing.assert_close(h, 0.5 * torch.tanh(kept).expand(1, 4))
        cell.train().reset_parameters()


def test_all_steps_of_a_stretch_lose_the_same_components() -> None:
    cell = perturbed(UGMMCell(3, 4, dropout=0.5), 0.3)
    x = torch.randn(5, 6, 3)
    torch.manual_seed(1)
    h, (last, c) = cell.run(x)
    assert torch.equal(h[:, -1], last)
    torch.manual_seed(1)
    gates, state = cell.gates.drawn(), None
    for t in range(6):
        state = cell._step(gates, x[:, t], state)
        torch.testing.assert_close(h[:, t], state[0])
    assert not torch.equal(cell.run(x)[0], h), "others in another stretch"
    one_by_one, state = [], None
    for t in range(6):
        state = cell(x[:, t], state)
        one_by_one.append(state[0])
    assert not torch.equal(torch.stack(one_by_one, 1), h)
    with pytest.raises(ValueError, match=re.escape("a step or more, found shape (5, 0, 3)")):
        cell.run(x[:, :0])


@pytest.mark.parametrize("name", ["input_size", "hidden_size"])
def test_what_makes_no_cell_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be at least 1, found 0"):
        UGMMCell(**({"input_size": 3, "hidden_size": 4} | {name: 0}))


def test_a_state_that_does_not_fit_is_refused() -> None:
    state = (torch.zeros(5, 4), torch.zeros(5, 3))
    message = "state must hold 2 tensors of shape (5, 4), found (5, 4) and (5, 3)"
    with pytest.raises(ValueError, match=re.escape(message)):
        UGMMCell(3, 4)(torch.zeros(5, 3), state)
