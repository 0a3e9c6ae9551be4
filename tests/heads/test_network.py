"""The network of an autoregressive head: one pass for all groups, or one group at a time."""

import pytest
import torch

from seqmdn.heads.network import GroupNetwork
from tests.contracts import perturbed


@pytest.mark.parametrize("group", [1, 2, 3])
def test_a_group_by_itself_is_that_of_all(group: int) -> None:
    torch.manual_seed(0)
    network = GroupNetwork(features=6, group=group, context=5, hidden=4, outputs=3)
    start, frame = network.start(torch.randn(2, 7, 5)), torch.randn(2, 7, 6)
    assert (network.every(start, frame) == 0).all(), "nothing is said in the beginning"
    perturbed(network, 0.5)
    start = network.start(torch.randn(2, 7, 5))
    every = network.every(start, frame)
    assert every.shape == (2, 7, 6 // group, 3)
    for g in range(6 // group):
        torch.testing.assert_close(network.one(g, start, frame[..., : g * group]), every[..., g, :])


def test_groups_see_what_comes_before_them() -> None:
    torch.manual_seed(0)
    network = GroupNetwork(features=6, group=2, context=5, hidden=4, outputs=1)
    perturbed(network, 0.5)
    frame = torch.randn(6, requires_grad=True)
    start = network.start(torch.randn(5))
    for g, output in enumerate(network.every(start, frame)[:, 0]):
        (slope,) = torch.autograd.grad(output, frame, retain_graph=True)
        assert (slope != 0).tolist() == [feature < 2 * g for feature in range(6)]
