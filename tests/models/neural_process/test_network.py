"""Networks of points: shared weights and own ones, and the heads that can stand behind them."""

import pytest
import torch
from torch import nn

from seqmdn.heads import FlooredMixtureHead, FlowMixtureHead, MixtureHead
from seqmdn.models.neural_process.network import PointHead, PointNetwork


def test_own_weights_of_a_task_are_those_of_a_network_by_itself() -> None:
    networks = [PointNetwork(2, 5, layers).double() for layers in (2, 2, 2)]
    lasts = [nn.Linear(5, 3).double() for _ in networks]
    x = torch.randn(3, 7, 2).double()
    sets = [network.weights(last) for network, last in zip(networks, lasts, strict=True)]
    found = networks[0](x, [torch.stack(parts) for parts in zip(*sets, strict=True)])
    for task, (network, last) in enumerate(zip(networks, lasts, strict=True)):
        h = x[task]
        for layer in network.layers:
            h = layer(h).relu()
        torch.testing.assert_close(found[task], last(h))
        torch.testing.assert_close(network(x, sets[task])[task], last(h))


@pytest.mark.parametrize(
    "head",
    [
        FlooredMixtureHead(3, 6, components=2, narrowest=0.05),
        MixtureHead(3, 6, components=2, covariance="lowrank", rank=1),
        MixtureHead(3, 6, components=2, factorised=True),
    ],
)
def test_a_head_without_its_affine_layer_is_the_same_density(head: MixtureHead) -> None:
    h, y = torch.randn(4, 6), torch.randn(4, 3)
    apart = PointHead(head)
    torch.testing.assert_close(apart(head.projection(h)).log_prob(y), head(h).log_prob(y))
    before = head.projection.bias.clone()
    apart.initialise(torch.randn(50, 3))
    assert not torch.equal(head.projection.bias, before)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="affine in what it sees, found a FlowMixtureHead: use"):
        PointHead(FlowMixtureHead(3, 6))
    with pytest.raises(ValueError, match="affine in what it sees, found a Linear: use"):
        PointHead(nn.Linear(3, 6))
    with pytest.raises(ValueError, match="layers must be at least 1, found 0"):
        PointNetwork(2, 5, layers=0)
