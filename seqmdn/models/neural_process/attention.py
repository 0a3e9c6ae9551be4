"""The encoder that attends to the given points, which works where there are none."""

import torch
from torch import Tensor, nn

from seqmdn.models.neural_process.encoder import (
    TaskEncoder,
    check_heads,
    check_sizes,
    last_given,
    mean_of_given,
    perceptron,
)

__all__ = ["AttentionEncoder"]


class AttentionEncoder(TaskEncoder):
    r"""A vector for every x: the given points by their nearness, as it is learned.

    .. math:: r_i = \varphi(x_i, y_i), \qquad
        h(x) = \psi(x, \mathrm{attention}(q(x), \{k(x_i)\}, \{r_i\}))

    This is the deterministic path of attentive neural processes. One more key and value are
    learned: what is attended to where no given point is near, or none is given. The task's vector
    is the mean of the :math:`r_i`. Costs O(T n) where the first n points are given, and O(n^2) more
    with self-attention.

    Args:
        inputs: Number of inputs X of a point.
        outputs: Number of outputs D of a point.
        hidden: Width of all networks, and features H and G.
        layers: Hidden layers of each network.
        heads: Heads of the attention, a divisor of the width.
        self_attention: Rounds in which the given points see each other before they are seen.
        octaves: Number W of frequencies of which all networks see x, too, as
            :math:`\sin 2^k x, \cos 2^k x` with k below W: what is near is then soon told from what
            is far, as pixels want it. In units of the inputs that it is given.

    Raises:
        ValueError: If a size is out of range, or points do not fit.

    References:
        Attentive Neural Processes (Kim, Mnih, Schwarz, Garnelo, Eslami, Rosenbaum, Vinyals, Teh,
        2019). Fourier Features Let Networks Learn High Frequency Functions in Low Dimensional
        Domains (Tancik et al., 2020), for octaves.

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
        octaves: int = 0,
    ) -> None:
        super().__init__(inputs, outputs)
        check_sizes(hidden=hidden, layers=layers)
        check_heads(hidden, heads)
        for name, count in {"self_attention": self_attention, "octaves": octaves}.items():
            if count < 0:
                raise ValueError(f"{name} must be at least 0, found {count}")
        self.octaves = octaves
        inputs *= 1 + 2 * octaves
        self.of_points = perceptron(inputs + outputs, hidden, layers, hidden)
        self.of_inputs = perceptron(inputs, hidden, layers, hidden)
        self.among = nn.ModuleList(_attention(hidden, heads) for _ in range(self_attention))
        self.attention = _attention(hidden, heads)
        self.nothing = nn.Parameter(torch.randn(hidden) * 0.1)
        self.decoder = perceptron(inputs + hidden, hidden, layers, hidden)
        self.features = self.task_features = hidden

    def read_task(self, read: bool) -> None:
        self.nothing.requires_grad_(read)

    def _encode(self, x: Tensor, y: Tensor, given: Tensor) -> tuple[Tensor, Tensor]:
        x = _with_octaves(x, self.octaves)
        # What no task is given behind its last given point is looked at by nobody.
        last = max(1, last_given(given))
        known = given[:, :last]
        r = self.of_points(torch.cat((x, y), dim=-1)[:, :last])
        for attention in self.among:
            r = r + _look(attention, r, r, r, known)
        places = self.of_inputs(x)
        found = _look(self.attention, places, places[:, :last], r, known)
        task = mean_of_given(r, known, self.nothing)
        return self.decoder(torch.cat((x, found.to(x)), dim=-1)), task


def _with_octaves(x: Tensor, count: int) -> Tensor:  # (B, T, X) -> (B, T, X (1 + 2 W))
    """Put sines and cosines beside the inputs, each of twice the frequency of the one before."""
    angles = [2**k * x for k in range(count)]
    parts = [part for angle in angles for part in (angle.sin(), angle.cos())]
    return torch.cat((x, *parts), dim=-1) if parts else x


def _attention(features: int, heads: int) -> nn.MultiheadAttention:
    # A softmax over nothing is NaN: one more key and value are learned, and always seen.
    return nn.MultiheadAttention(features, heads, add_bias_kv=True, batch_first=True)


def _look(
    attention: nn.Module, queries: Tensor, keys: Tensor, values: Tensor, given: Tensor
) -> Tensor:
    """Return what each query (B, T, E) finds among the keys of given points."""
    found: Tensor = attention(queries, keys, values, key_padding_mask=~given, need_weights=False)[0]
    return found
