"""Components of a head under other weights."""

from functools import partial

import pytest
import torch
from torch import nn
from torch.distributions import Normal

from seqmdn.heads import FlooredMixtureHead, FlowMixtureHead, MixtureHead, SquaredErrorHead
from seqmdn.models.neural_process.experts import Experts

HEADS = {
    "floored": FlooredMixtureHead,
    "diagonal": MixtureHead,
    "lowrank": partial(MixtureHead, covariance="lowrank", rank=2),
    "full": partial(MixtureHead, covariance="full", factor="tied"),
}


@pytest.mark.parametrize("name", HEADS)
def test_they_are_the_heads_components(name: str) -> None:
    head = HEADS[name](3, 8, components=4).double()
    experts = Experts(head)
    h, y = torch.randn(2, 5, 8).double(), torch.randn(2, 5, 3).double()
    log_weights = torch.randn(2, 1, 4).double().log_softmax(-1).expand(2, 5, 4)
    found = experts(torch.cat((h, log_weights), dim=-1))
    components = head(h).component_distribution
    expected = (log_weights + components.log_prob(y.unsqueeze(-2))).logsumexp(-1)
    torch.testing.assert_close(found.log_prob(y), expected)
    torch.testing.assert_close(
        experts.densities(h).log_prob(y.unsqueeze(-2)), components.log_prob(y.unsqueeze(-2))
    )
    one = torch.full((2, 5, 4), -torch.inf).double()
    one[..., 2] = 0
    alone = experts(torch.cat((h, one), dim=-1)).log_prob(y)
    torch.testing.assert_close(alone, components.log_prob(y.unsqueeze(-2))[..., 2])


def test_the_heads_own_weights_are_not_looked_at_and_it_is_placed_as_ever() -> None:
    head = MixtureHead(1, 8, components=2)
    experts = Experts(head)
    values = torch.cat((torch.randn(90, 1) - 9, torch.randn(10, 1) + 9))
    experts.initialise(values)
    density = experts(torch.cat((torch.zeros(8), torch.tensor([0.5, 0.5]).log())))
    assert density.mixture_distribution.probs.tolist() == [0.5, 0.5]
    found = density.component_distribution.loc.flatten().sort().values
    torch.testing.assert_close(found, torch.tensor([-9.0, 9.0]), atol=1, rtol=0)


class Plain(nn.Module):
    """A head that says it has components, and has none."""

    components, context = 3, 8

    def forward(self, h: torch.Tensor) -> Normal:
        return Normal(h, 1.0)


def test_a_head_without_components_of_whole_frames_is_refused() -> None:
    for head, words in [
        (MixtureHead(2, 8, factorised=True), "found a factorised MixtureHead"),
        (SquaredErrorHead(2, 8), "found a SquaredErrorHead"),
        (nn.Linear(8, 2), "found a Linear"),
    ]:
        with pytest.raises(ValueError, match=f"components are densities of whole frames, {words}"):
            Experts(head)
    for head, name in [(FlowMixtureHead(2, 8), "Flowed"), (Plain(), "Normal")]:
        with pytest.raises(ValueError, match=f"returns a mixture, found a {name}"):
            Experts(head).densities(torch.zeros(8))
