"""Networks with the frames last: what they give, whatever the shapes and blocks."""

import pytest
import torch
import zuko
from torch import nn

from seqmdn.flows import networks
from seqmdn.flows.networks import Parameters, frames_last


@pytest.mark.parametrize("block", [3, 1024])
@pytest.mark.parametrize(
    ("batch", "lead"),
    [((6,), (6,)), ((6,), (4, 6)), ((), (5,)), ((2, 1), (3, 2, 4)), ((1,), (7,)), (None, (2, 3))],
)
def test_parameters_are_those_of_the_network(
    batch: tuple[int, ...] | None,
    lead: tuple[int, ...],
    block: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(networks, "BLOCK", block)
    H = 0 if batch is None else 2
    network = zuko.nn.MLP(3 + H, 4 * 5, [8, 8], activation=nn.LeakyReLU).double()
    context = None if batch is None else torch.randn(*batch, H, dtype=torch.float64)
    x = torch.randn(*lead, 3, dtype=torch.float64)
    weights = [layer.weight for layer in network if hasattr(layer, "weight")]
    parameters = Parameters(network, weights, 5, context)
    frames, found = frames_last(x, parameters.batch)
    assert found == lead
    (phi,) = parameters.each(lambda given, seen: (parameters(given, seen),), found, frames)
    inputs = x if context is None else torch.cat((x, context.expand(*lead, H)), dim=-1)
    expected = network(inputs).unflatten(-1, (4, 5)).reshape(-1, 4, 5).movedim(0, -1)
    torch.testing.assert_close(phi, expected.transpose(0, 1))
