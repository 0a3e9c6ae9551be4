"""Attention to the given points, which works where there are none."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seqmdn.models.neural_process.encoder import (
    TaskEncoder,
    check_sizes,
    mean_of_given,
    perceptron,
)

__all__ = ["Attention", "AttentionEncoder"]


class Attention(nn.Module):
    r"""Scaled dot-product attention of several heads.

    .. math:: \sum_j \frac{\exp(q^T k_j / \sqrt{E/A})}{\sum_i \exp(q^T k_i / \sqrt{E/A})} \, v_j

    A softmax over nothing is NaN. ``rest`` adds a key and a value that are learned and always seen,
    for queries that may see nothing else.

    Args:
        features: E of queries, keys and values.
        heads: A, a divisor of E.
        rest: Whether there is such a key and value.

    Raises:
        ValueError: If a size is below 1 or the heads do not divide the features.

    References:
        Attention Is All You Need (Vaswani et al., 2017).

    Example:
        >>> attention = Attention(features=16, heads=4, rest=True)
        >>> nothing = torch.zeros(2, 1, 7, dtype=torch.bool)
        >>> attention(torch.randn(2, 5, 16), torch.randn(2, 7, 16), None, nothing).isnan().any()
        tensor(False)
    """

    def __init__(self, features: int, heads: int, rest: bool = False) -> None:
        super().__init__()
        check_sizes(features=features, heads=heads)
        if features % heads:
            raise ValueError(f"heads must divide the {features} features, found {heads}")
        self.heads = heads
        self.query = nn.Linear(features, features)
        # A bias of all keys alike changes no softmax.
        self.key = nn.Linear(features, features, bias=rest)
        self.value = nn.Linear(features, features)
        self.output = nn.Linear(features, features)
        self.rest = nn.Parameter(torch.randn(2, features) * 0.1) if rest else None

    def forward(
        self, queries: Tensor, keys: Tensor, values: Tensor | None, seen: Tensor
    ) -> Tensor:  # (B, T, E)
        """Return what each query finds.

        Args:
            queries: ``(B, T, E)``.
            keys: ``(B, S, E)``.
            values: ``(B, S, E)``, None where they are the keys.
            seen: Which keys each query sees, boolean ``(B, T, S)`` or ``(B, 1, S)``.
        """
        q = self._split(self.query(queries))  # (B, A, T, E / A)
        k, v = (
            self._split(self.key(keys)),
            self._split(self.value(keys if values is None else values)),
        )
        if self.rest is not None:
            more = self.rest.to(k).expand(len(k), -1, -1)  # (B, 2, E)
            k = torch.cat((k, self._split(more[:, :1])), dim=2)
            v = torch.cat((v, self._split(more[:, 1:])), dim=2)
            seen = F.pad(seen, (0, 1), value=True)
        found = F.scaled_dot_product_attention(q, k, v, attn_mask=seen.unsqueeze(1))
        output: Tensor = self.output(found.transpose(1, 2).flatten(2))
        return output

    def _split(self, x: Tensor) -> Tensor:  # (B, T, E) -> (B, A, T, E / A)
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)


class AttentionEncoder(TaskEncoder):
    r"""A vector for every x: the given points by their nearness, as it is learned.

    .. math:: r_i = \varphi(x_i, y_i), \qquad
        h(x) = \psi(x, \mathrm{attention}(q(x), \{k(x_i)\}, \{r_i\}))

    This is the deterministic path of attentive neural processes. One more key and value are
    learned: what is attended to where no given point is near, or none is given. The task's vector
    is the mean of the :math:`r_i`. Costs O(T n) with n given points, and with self-attention
    O(T^2).

    Args:
        inputs: Number of inputs X of a point.
        outputs: Number of outputs D of a point.
        hidden: Width of all networks, and features H and G.
        layers: Hidden layers of each network.
        heads: Heads of the attention, a divisor of the width.
        self_attention: Rounds in which the given points see each other before they are seen.

    Raises:
        ValueError: If a size is out of range, or points do not fit.

    References:
        Attentive Neural Processes (Kim, Mnih, Schwarz, Garnelo, Eslami, Rosenbaum, Vinyals, Teh,
        2019).

    Example:
        >>> encoder = AttentionEncoder(inputs=1, outputs=2, hidden=16, self_attention=1)
        >>> given = torch.arange(7) < torch.tensor([[0], [1], [5]])
        >>> h, task = encoder(torch.zeros(3, 7, 1), torch.zeros(3, 7, 2), given, given | True)
        >>> h.shape, task.shape
        (torch.Size([3, 7, 16]), torch.Size([3, 16]))
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        hidden: int = 128,
        layers: int = 2,
        heads: int = 4,
        self_attention: int = 0,
    ) -> None:
        super().__init__(inputs, outputs)
        check_sizes(hidden=hidden, layers=layers)
        if self_attention < 0:
            raise ValueError(f"self_attention must be at least 0, found {self_attention}")
        self.of_points = perceptron(inputs + outputs, hidden, layers, hidden)
        self.of_inputs = perceptron(inputs, hidden, layers, hidden)
        self.among = nn.ModuleList(
            Attention(hidden, heads, rest=True) for _ in range(self_attention)
        )
        self.attention = Attention(hidden, heads, rest=True)
        self.nothing = nn.Parameter(torch.randn(hidden) * 0.1)
        self.decoder = perceptron(inputs + hidden, hidden, layers, hidden)
        self.features = self.task_features = hidden

    def _encode(self, x: Tensor, y: Tensor, given: Tensor) -> tuple[Tensor, Tensor]:
        seen = given.unsqueeze(1)  # (B, 1, T)
        r = self.of_points(torch.cat((x, y), dim=-1))
        for attention in self.among:
            r = r + attention(r, r, None, seen)
        places = self.of_inputs(x)
        found = self.attention(places, places, r, seen)
        task = mean_of_given(r, given, self.nothing)
        return self.decoder(torch.cat((x, found.to(x)), dim=-1)), task
