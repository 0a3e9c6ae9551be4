"""The encoder that attends to the given points by their distance."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seqmdn.models.neural_process.encoder import (
    TaskEncoder,
    check_heads,
    check_sizes,
    last_given,
    mean_of_given,
    perceptron,
)
from seqmdn.models.neural_process.lipschitz import BiLipschitzMap

__all__ = ["DistanceEncoder"]


class DistanceEncoder(TaskEncoder):
    r"""A vector for every x: the given points by their distance, and their mean.

    .. math:: r_i = \varphi(u_i, y_i), \qquad
        h(x) = \psi\Big(u(x), \{\mathrm{look}_a(u(x), \{u_i\}, \{r_i\})\}_a,
        \frac1n \sum_i r_i\Big), \qquad
        \mathrm{look}_a \propto \lambda_a r_0 + \sum_i e^{-\|u(x) - u_i\|^2 / 2 l_a^2} \, r_i

    with u a :class:`seqmdn.models.neural_process.lipschitz.BiLipschitzMap`: what is far away in x
    is far away in u, so that an x without given points near it finds :math:`r_0`, what is learned
    for that, and no :math:`r_i`. Each head a has a length and a weight of nothing near,
    :math:`\lambda_a`, of its own, both learned. Before they are looked at, the given points look
    at each other in the same way, in residual rounds. The task's vector is the mean of the
    :math:`r_i`. Costs O(T^2).

    This is the deterministic path of distance-informed neural processes. Theirs are a local latent
    variable of each point and a global one of the task, where h here has what their means are made
    of; the attention of theirs is by products of u, here it is by distances; and theirs punishes
    singular values of the layers of u outside of two bounds, where the bounds of u here hold, as
    those of the papers it rests on.

    Args:
        inputs: Number of inputs X of a point.
        outputs: Number of outputs D of a point.
        hidden: Width of all networks, and features H and G.
        layers: Hidden layers of each network.
        heads: Heads of each attention, a divisor of the width.
        self_attention: Rounds in which the given points see each other before they are seen.
        places: Features of u.
        maps: Layers of u.
        contraction: How far each layer of u can be from keeping all distances, above 0, below 1.

    Raises:
        ValueError: If a size is out of range, or points do not fit.

    References:
        Distance-informed Neural Processes (Venkataramanan, Denzler, 2025).
        Simple and Principled Uncertainty Estimation with Deterministic Deep Learning via Distance
        Awareness (Liu, Lin, Padhy, Tran, Bedrax-Weiss, Lakshminarayanan, 2020).

    Example:
        >>> encoder = DistanceEncoder(inputs=1, outputs=2, hidden=16)
        >>> given = torch.arange(7) < torch.tensor([[0], [1], [5]])
        >>> h, task = encoder(torch.zeros(3, 7, 1), torch.zeros(3, 7, 2), given, given | True)
        >>> h.shape, task.shape
        (torch.Size([3, 7, 16]), torch.Size([3, 16]))
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        hidden: int = 64,
        layers: int = 2,
        heads: int = 4,
        self_attention: int = 2,
        places: int = 16,
        maps: int = 3,
        contraction: float = 0.9,
    ) -> None:
        super().__init__(inputs, outputs)
        check_sizes(hidden=hidden, layers=layers, places=places, maps=maps)
        check_heads(hidden, heads)
        if self_attention < 0:
            raise ValueError(f"self_attention must be at least 0, found {self_attention}")
        self.places = BiLipschitzMap(inputs, places, maps, contraction=contraction)
        self.of_points = perceptron(places + outputs, hidden, layers, hidden)
        self.among = nn.ModuleList(_Round(hidden, heads) for _ in range(self_attention))
        self.attention = _DistanceAttention(hidden, heads)
        self.nothing = nn.Parameter(torch.randn(hidden) * 0.1)
        self.decoder = perceptron(places + 2 * hidden, hidden, layers, hidden)
        self.features = self.task_features = hidden

    def _encode(self, x: Tensor, y: Tensor, given: Tensor) -> tuple[Tensor, Tensor]:
        u = self.places(x)
        # What no task is given behind its last given point is looked at by nobody.
        last = max(1, last_given(given))
        known = given[:, :last]
        squares = F.pad(_squared_distances(u)[:, :, :last], (0, 1))  # the last is nothing's
        hidden = F.pad(~known, (0, 1)).unsqueeze(1)
        hidden = x.new_zeros(hidden.shape).masked_fill(hidden, -torch.inf)
        r = self.of_points(torch.cat((u, y), dim=-1)[:, :last])
        for each in self.among:
            r = each(squares[:, :last], hidden, r)
        task = mean_of_given(r, known, self.nothing)
        found = self.attention(squares, hidden, r)
        mean = task.unsqueeze(1).expand_as(found)
        return self.decoder(torch.cat((u, found.to(u), mean.to(u)), dim=-1)), task


class _DistanceAttention(nn.Module):
    """Attention whose weights fall with the square of a distance; one place is near to all."""

    def __init__(self, features: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        # Lengths of all sizes, in units of the inputs' deviation.
        self.log_lengths = nn.Parameter(torch.linspace(math.log(0.05), math.log(0.8), heads))
        self.log_nothing = nn.Parameter(torch.full((heads,), -4.0))
        self.values = nn.Linear(features, features)
        self.nothing = nn.Parameter(torch.randn(features) * 0.1)
        self.out = nn.Linear(features, features)

    def forward(self, squares: Tensor, hidden: Tensor, r: Tensor) -> Tensor:
        """Return what is found ``(B, T, H)`` of r ``(B, n, H)``.

        Args:
            squares: Squared distances ``(B, T, n + 1)``, the last of which are not looked at.
            hidden: ``(B, 1, n + 1)``, 0 for what is there and minus infinity for what is not.
            r: Of each of them.
        """
        B, _, places = hidden.shape
        last = F.pad(hidden.new_zeros(places - 1), (0, 1), value=1.0)
        nothing = self.log_nothing[:, None, None] * last  # (A, 1, n + 1)
        rates = 0.5 * (-2 * self.log_lengths).exp()[:, None, None]
        near = torch.addcmul(nothing + hidden.unsqueeze(1), squares.unsqueeze(1), -rates)
        weights = near.softmax(-1)  # (B, A, T, n + 1)
        values = self.values(r)
        values = torch.cat((values, self.nothing.expand(B, 1, -1).to(values)), dim=1)
        heads = values.unflatten(-1, (self.heads, -1)).transpose(1, 2)  # (B, A, n + 1, H / A)
        found: Tensor = self.out((weights.to(heads) @ heads).transpose(1, 2).flatten(-2))
        return found


class _Round(nn.Module):
    """Lets points see each other, and makes something of it."""

    def __init__(self, features: int, heads: int) -> None:
        super().__init__()
        self.before_looking = nn.LayerNorm(features)
        self.attention = _DistanceAttention(features, heads)
        self.before_thinking = nn.LayerNorm(features)
        self.feedforward = perceptron(features, features, 1, features)

    def forward(self, squares: Tensor, hidden: Tensor, r: Tensor) -> Tensor:
        r = r + self.attention(squares, hidden, self.before_looking(r))
        out: Tensor = r + self.feedforward(self.before_thinking(r))
        return out


def _squared_distances(u: Tensor) -> Tensor:  # (B, T, T)
    with torch.autocast(u.device.type, enabled=False):  # the difference of two large numbers
        u = u.to(torch.promote_types(u.dtype, torch.float32))
        sizes = u.square().sum(-1)
        squares = sizes.unsqueeze(2) + sizes.unsqueeze(1) - 2 * u @ u.mT
    # Rounding must not make the nearest of all points nearer than at its own place.
    return squares.clamp(min=0)
