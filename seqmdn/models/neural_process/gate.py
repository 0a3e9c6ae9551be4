"""The weights of experts that a task's context says: their mean, and how sure it is."""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from seqmdn.linalg import widen
from seqmdn.models.neural_process.encoder import check_sizes, perceptron

__all__ = ["DirichletGate", "Gated"]


class Gated(NamedTuple):
    r"""What a gate says of the weights z of B tasks.

    Attributes:
        log_mean: :math:`\log E z` ``(B, L)``.
        concentration: The parameter :math:`\alpha` of the Dirichlet distribution ``(B, L)``, None
            where there is none: the weights are their mean.
    """

    log_mean: Tensor
    concentration: Tensor | None


class DirichletGate(nn.Module):
    r"""A Dirichlet distribution of L weights, its mean and its concentration learned apart.

    .. math:: \alpha = c \, m, \qquad m = (1 - \epsilon) \, \mathrm{softmax}(u) + \epsilon / L,
        \qquad \log c = \log c_0 + (\log c_1 - \log c_0) \, \mathrm{sigmoid}(v)

    with u and v of one network of the task's vector. Learned together, as :math:`\alpha =
    \exp(\cdot)`, the two are moved by each other's gradients; without bounds, the concentration of
    a gate that is trained on few draws goes towards 0, where every draw is a corner, and a weight
    whose mean is 0 never comes back.

    Args:
        features: G of the task's vector.
        experts: L.
        concentrations: Bounds c_0 and c_1 of the sum of :math:`\alpha`; None makes the weights
            their mean, and no concentration.
        smallest: :math:`\epsilon`, of which every mean weight has its share.

    Raises:
        ValueError: If a size is below 1, or bounds are out of order.

    Example:
        >>> gate = DirichletGate(features=16, experts=3, concentrations=(0.1, 100.0))
        >>> log_mean, alpha = gate(torch.zeros(5, 16))
        >>> log_mean.shape, alpha.shape
        (torch.Size([5, 3]), torch.Size([5, 3]))
        >>> torch.allclose(alpha / alpha.sum(-1, keepdim=True), log_mean.exp())
        True
    """

    def __init__(
        self,
        features: int,
        experts: int,
        concentrations: tuple[float, float] | None = (0.1, 100.0),
        smallest: float = 1e-3,
    ) -> None:
        super().__init__()
        check_sizes(features=features, experts=experts)
        if concentrations is not None and not 0 < concentrations[0] < concentrations[1] < math.inf:
            raise ValueError(
                f"concentrations must be two positive bounds, the lower one first, found "
                f"{tuple(concentrations)}"
            )
        if not 0 < smallest < 1:
            raise ValueError(f"smallest must lie in (0, 1), found {smallest}")
        self.experts = experts
        self.concentrations = concentrations
        self.smallest = smallest
        self.network = perceptron(features, features, 1, experts + (concentrations is not None))
        last = self.network[-1]
        assert isinstance(last, nn.Linear)
        with torch.no_grad():  # begins near equal weights, and half way between the bounds
            last.weight.mul_(0.1)
            last.bias.zero_()

    def forward(self, task: Tensor) -> Gated:
        """Return what is known of the weights of tasks ``(B, G)``."""
        raw = widen(self.network(task))
        means = torch.log_softmax(raw[:, : self.experts], dim=-1) + math.log1p(-self.smallest)
        share = means.new_tensor(math.log(self.smallest / self.experts))
        log_mean = torch.logaddexp(means, share)
        if self.concentrations is None:
            return Gated(log_mean, None)
        low, high = (math.log(bound) for bound in self.concentrations)
        log_sum = low + (high - low) * raw[:, self.experts :].sigmoid()  # (B, 1)
        return Gated(log_mean, (log_mean + log_sum).exp())
