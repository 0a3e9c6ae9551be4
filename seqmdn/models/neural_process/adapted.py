"""Densities of a function's values by a network that takes gradient steps on the given points."""

import math
from collections.abc import Callable, Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from seqmdn.data import Standardise, Transform
from seqmdn.heads import FlooredMixtureHead
from seqmdn.models.neural_process.encoder import check_sizes, last_given
from seqmdn.models.neural_process.function import FunctionModel
from seqmdn.models.neural_process.network import PointHead, PointNetwork

__all__ = ["AdaptedProcess", "Adapts"]

Adapts = Literal["weights", "context"]


class AdaptedProcess(FunctionModel):
    r"""The density of a function's values by a network that is adapted to the given points.

    .. math:: p(y_i | x_i, x_{1:n}, y_{1:n}) = p(y_i | x_i; \phi_S), \qquad
        \phi_{s+1} = \phi_s + a \odot \nabla_{\phi_s}
        \frac1n \sum_{j \le n} \log p(y_j | x_j; \phi_s)

    What is given and what is a target, and in which units, :class:`FunctionModel` says. Training
    goes through the S steps: what is learned is where they begin, and with ``learned`` how long
    they are. A task without given points takes none.

    - ``adapts="weights"``: MAML. :math:`\phi` are all weights of the network, those of the head's
      affine layer included; with rates that are learned, Meta-SGD.
    - ``adapts="context"``: CAVIA. :math:`\phi` is a vector beside x, which begins at 0; all tasks
      have the same weights.

    Steps of all tasks of a batch are taken at once, each task on its own. They cost S times a
    forward and a backward pass over the given points, and training as much again and more.

    Args:
        features: Number of outputs D of a point.
        context: Number of inputs X, at least 1.
        head: Makes the head from (features, context): a :class:`seqmdn.heads.MixtureHead` or one
            that differs from it by how its parameters are made positive.
        adapts: What the steps move.
        hidden: Width of the network.
        layers: Its hidden layers.
        size: Numbers of the vector beside x, where that is what adapts.
        steps: S, which may be changed after training; 0 is what is known before anything was seen.
        rate: The rate a at the beginning.
        clip: Most that the gradient of a step may measure, in all of a task's numbers together;
            longer ones are shortened to it. Near the floor of a deviation gradients are in
            thousands, and one step too far is followed by a longer one.
        learned: Whether every number that adapts has a rate of its own, which is learned.
        first_order: Whether training takes the gradients of the steps for constants, which is
            cheaper and not the gradient of its loss.
        transform: See :class:`FunctionModel`.
        inputs: See :class:`FunctionModel`.
        chunk: See :class:`FunctionModel`; the network is adapted anew for each piece.

    Raises:
        ValueError: If a word is unknown, a number out of range, or the head is more than affine.

    References:
        Model-Agnostic Meta-Learning for Fast Adaptation of Deep Networks (Finn, Abbeel, Levine,
        2017).
        Meta-SGD: Learning to Learn Quickly for Few-Shot Learning (Li, Zhou, Chen, Li, 2017).
        Fast Context Adaptation via Meta-Learning (Zintgraf, Shiarlis, Kurin, Hofmann, Whiteson,
        2019).

    Example:
        >>> from seqmdn.data import Batch
        >>> model = AdaptedProcess(features=1, context=2, hidden=16, rate=0.01)
        >>> y, x = torch.randn(3, 9, 1), torch.randn(3, 9, 2)
        >>> tasks = Batch(y, torch.tensor([9, 9, 8]), context=x, start=torch.tensor([0, 3, 7]))
        >>> before = AdaptedProcess(features=1, context=2, hidden=16, steps=0)
        >>> _ = before.load_state_dict(model.state_dict())
        >>> model.log_prob(tasks) == before.log_prob(tasks)  # nothing is given of the first
        tensor([ True, False, False])
    """

    head: PointHead

    def __init__(
        self,
        features: int,
        context: int,
        head: Callable[[int, int], nn.Module] = FlooredMixtureHead,
        adapts: Adapts = "weights",
        hidden: int = 128,
        layers: int = 3,
        size: int = 32,
        steps: int = 5,
        rate: float = 0.01,
        clip: float = 10.0,
        learned: bool = True,
        first_order: bool = False,
        transform: Callable[[int], Transform] = Standardise,
        inputs: Callable[[int], Transform] = Standardise,
        chunk: int | None = None,
    ) -> None:
        super().__init__(features, context, transform, inputs, chunk)
        if adapts not in ("weights", "context"):
            raise ValueError(f"adapts must be 'weights' or 'context', found {adapts!r}")
        check_sizes(size=size)
        if steps < 0:
            raise ValueError(f"steps must be at least 0, found {steps}")
        if not 0 < rate < math.inf:
            raise ValueError(f"rate must be positive, found {rate}")
        if not clip > 0:
            raise ValueError(f"clip must be positive, found {clip}: .inf is no bound")
        self.adapts = adapts
        self.size = size
        self.steps = steps
        self.rate = rate
        self.clip = clip
        self.first_order = first_order
        self.network = PointNetwork(context + (0 if adapts == "weights" else size), hidden, layers)
        self.head = PointHead(head(features, self.network.features))
        # In units of the first rate: a step of Adam moves all of them by a like share.
        moved = self._weights() if adapts == "weights" else [torch.zeros(size)]
        self.rates = nn.ParameterList(torch.ones_like(part) for part in moved if learned)

    def _look(self, x: Tensor, y: Tensor, given: Tensor, present: Tensor) -> Tensor:
        return self._numbers(x, self._adapt(x, y, given))

    def _adapt(self, x: Tensor, y: Tensor, given: Tensor) -> list[Tensor]:
        """Return what the steps have made, of each task, of what adapts."""
        wanted = torch.is_grad_enabled()
        last = last_given(given)
        # Steps need gradients, whoever is in which mode; outside of training, theirs alone.
        with torch.inference_mode(False), torch.enable_grad():
            moved = self._begun(len(x))
            if not wanted:
                moved = [_leaf(part) for part in moved]
            x, y, given = (_usable(part[:, :last]) for part in (x, y, given))
            y = y.where(given.unsqueeze(-1), 0)  # an outlier's density may be 0, and 0 inf is NaN
            share = given.to(x) / given.sum(1, keepdim=True).clamp(min=1)  # (B, n)
            graph = wanted and not self.first_order
            for _ in range(self.steps if last else 0):
                log_prob = self.head(self._numbers(x, moved)).log_prob(y)
                objective = (log_prob * share).sum()  # a task's own numbers see its own part alone
                gradients = self._clipped(torch.autograd.grad(objective, moved, create_graph=graph))
                moved = [
                    part + self.rate * (gradient if rate is None else rate * gradient)
                    for part, gradient, rate in zip(moved, gradients, self._rates(), strict=True)
                ]
                if not wanted:
                    moved = [_leaf(part) for part in moved]
        return moved if wanted else [part.detach() for part in moved]

    def _clipped(self, gradients: Sequence[Tensor]) -> list[Tensor]:
        """Shorten the gradients of each task where all of them together are too long."""
        if self.clip == math.inf:
            return [*gradients]
        squared = torch.stack([each.flatten(1).square().sum(1) for each in gradients]).sum(0)
        # Of the square, as a root has no slope at 0, where a task without given points is.
        scale = (self.clip**2 / squared.clamp(min=self.clip**2)).sqrt()  # (B,)
        return [each * scale.view(-1, *[1] * (each.ndim - 1)) for each in gradients]

    def _begun(self, tasks: int) -> list[Tensor]:
        """Return where the steps of each task begin."""
        if self.adapts == "weights":
            own = self._weights()
        else:
            own = [self.head.head.projection.weight.new_zeros(self.size)]
        begun = [part.expand(tasks, *part.shape) for part in own]
        return [part if part.requires_grad else _leaf(part) for part in begun]

    def _weights(self) -> list[Tensor]:
        return self.network.weights(self.head.head.projection)

    def _rates(self) -> list[Tensor] | list[None]:
        """Return the rate of every number that adapts, in units of the first one."""
        return [*self.rates] or [None] * (len(self._weights()) if self.adapts == "weights" else 1)

    def _numbers(self, x: Tensor, moved: list[Tensor]) -> Tensor:
        """Return what the head makes densities of, at points ``(B, T, X)``."""
        if self.adapts == "weights":
            numbers: Tensor = self.network(x, moved)
            return numbers
        (beside,) = moved
        beside = beside.unsqueeze(1).expand(-1, x.shape[1], -1)
        numbers = self.network(torch.cat((x, beside.to(x)), dim=-1), self._weights())
        return numbers


def _usable(part: Tensor) -> Tensor:
    """Return what gradients can be computed with, of what may come from inference mode."""
    return part.clone() if part.is_inference() else part


def _leaf(part: Tensor) -> Tensor:
    return _usable(part).detach().requires_grad_()
