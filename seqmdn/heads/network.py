"""A network for the groups of a frame's features, each of which sees those before it."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seqmdn import linalg

__all__ = ["GroupNetwork"]


class GroupNetwork(nn.Module):
    r"""What h and the groups before say of each group, in one pass or group by group.

    .. math:: V_g^T \mathrm{silu}\left(A h + c_g + \sum_{j < g} B_j y_j\right)

    V begins at 0, so that nothing is said in the beginning.

    Args:
        features: Number of features D of a frame.
        group: Number of features S of each of the G = D / S groups.
        context: Number of context features H of h.
        hidden: Number of hidden units M of each group.
        outputs: Number of outputs P of each group.

    References:
        MADE: Masked Autoencoder for Distribution Estimation (Germain, Gregor, Murray, Larochelle,
        2015), for one masked pass.

    Example:
        >>> network = GroupNetwork(features=4, group=2, context=16, hidden=8, outputs=3)
        >>> start = network.start(torch.zeros(5, 16))
        >>> network.every(start, torch.zeros(5, 4)).shape  # of both groups
        torch.Size([5, 2, 3])
        >>> network.one(1, start, torch.zeros(5, 2)).shape  # of the second, given the first
        torch.Size([5, 3])
    """

    before: Tensor  # (G, D - S, 1), True where a feature comes before a group

    def __init__(self, features: int, group: int, context: int, hidden: int, outputs: int) -> None:
        super().__init__()
        D, S, G, M = features, group, features // group, hidden
        self.context = nn.Linear(context, M)
        self.weight = nn.Parameter(torch.randn(D - S, M) / math.sqrt(D))  # no group sees the last
        self.bias = nn.Parameter(torch.zeros(G, M))
        self.output = nn.Parameter(torch.zeros(G, M, outputs))
        before = torch.arange(D - S) // S < torch.arange(G).unsqueeze(-1)
        self.register_buffer("before", before.unsqueeze(-1), persistent=False)

    @linalg.full_precision
    def start(self, h: Tensor) -> Tensor:  # (*batch, M)
        """Return what h says to the hidden units, the same for every group."""
        return self.context(h)

    def every(self, start: Tensor, frame: Tensor) -> Tensor:  # (*batch, G, P)
        """Return the outputs of all groups, each of what comes before it in a frame."""
        # The sums over the features before each group, as products with masked matrices, take a
        # fraction of the time of cumulative sums on a CPU, up to tens of features.
        weight = torch.where(self.before, self.weight, 0)  # (G, D - S, M)
        batch = torch.broadcast_shapes(frame.shape[:-1], start.shape[:-1])
        seen = (
            frame[..., : len(self.weight)].expand(*batch, -1).reshape(-1, len(self.weight)) @ weight
        )
        start = start.expand(*batch, -1).reshape(-1, start.shape[-1])
        hidden = F.silu(seen + start + self.bias.unsqueeze(1))  # (G, N, M), as the product wants it
        return (hidden @ self.output).transpose(0, 1).reshape(*batch, len(self.output), -1)

    def one(self, group: int, start: Tensor, before: Tensor) -> Tensor:  # (*batch, P)
        """Return the outputs of one group, of the features before it."""
        seen = before @ self.weight[: before.shape[-1]]
        return F.silu(seen + start + self.bias[group]) @ self.output[group]
