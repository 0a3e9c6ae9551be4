"""A network of single frames whose layers are mixtures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from torch import Tensor, nn

from seqmdn.backbones.backbone import Backbone, State, check_arguments
from seqmdn.backbones.ugmm.linear import UGMMLinear

__all__ = ["UGMMNetwork"]


class UGMMNetwork(Backbone):
    r"""Layers of neurons that are mixtures, the same for every frame.

    .. math:: h^n = \text{dropout}(y^n), \quad y^n = P^n \, \text{norm}(u^n), \quad
        u^n = \text{UGMMLinear}(M^n h^{n-1}), \quad h^0 = x

    Plain layers of mixtures are u alone. What may stand around them, each an argument: a linear mix
    M before, after which a component looks at a direction of its own in place of one coordinate; a
    normalisation, as log-densities of many inputs have one level and little spread, and the next
    layer's means and scales begin at those of a standard normal; and products P of neurons'
    densities to powers, which are linear in their logarithms. Nothing is handed on from one frame
    to the next: the state is empty.

    Args:
        inputs: Number of input features X.
        hidden: Width of each layer, H is the last one.
        mix: Whether a linear layer, to as many features as the layer has neurons, stands before
            each layer, normalised as the layer is.
        product: Whether a linear layer stands after each layer.
        normalise: ``"batch"`` (statistics of the training batches' frames; those of training when
            scored), ``"layer"`` (of each frame's own features) or None.
        dropout: Probability with which each unit of every layer's output is dropped in training.
        component_dropout: Dropout of components (:class:`UGMMLinear`), of all layers.
        tied_means: Whether the neurons' means are tied.
        scale: Of components, at the start.

    Raises:
        ValueError: If a width is below 1, a dropout is outside [0, 1), or an input or a state does
            not fit.

    References:
        uGMM-NN: Univariate Gaussian Mixture Model Neural Network (Ali, 2025),
        https://arxiv.org/abs/2509.07569

    Example:
        >>> import torch
        >>> backbone = UGMMNetwork(inputs=3, hidden=[64, 32])
        >>> h, state = backbone(torch.zeros(5, 1, 3))
        >>> h.shape, state
        (torch.Size([5, 1, 32]), ())
    """

    def __init__(
        self,
        inputs: int,
        hidden: Sequence[int] = (128, 64),
        mix: bool = False,
        product: bool = False,
        normalise: Literal["batch", "layer"] | None = "batch",
        dropout: float = 0.0,
        component_dropout: float = 0.0,
        tied_means: bool = False,
        scale: float = 1.0,
    ) -> None:
        super().__init__()
        check_arguments({"inputs": inputs}, dropout, clip=None)
        if not hidden or any(width < 1 for width in hidden):
            raise ValueError(f"hidden must be widths of 1 or more, found {list(hidden)}")
        if normalise not in _NORMS:
            raise ValueError(f"normalise must be batch, layer or null, found {normalise!r}")
        norm = _NORMS[normalise]
        widths = [inputs, *hidden]
        parts: list[nn.Module] = []
        for below, width in zip(widths, widths[1:], strict=False):
            if mix:
                parts += [nn.Linear(below, width), *norm(width)]
            parts.append(
                UGMMLinear(
                    width if mix else below, width, component_dropout, tied_means, scale=scale
                )
            )
            parts += norm(width)
            if product:
                parts.append(nn.Linear(width, width))
            if dropout:
                parts.append(nn.Dropout(dropout))
        self.network = nn.Sequential(*parts)
        self.inputs = inputs
        self.features = widths[-1]

    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        self._check_inputs(x)
        if state:
            raise ValueError(f"state must be empty, found {len(state)} tensors")
        h: Tensor = self.network(x.flatten(0, 1))
        return h.unflatten(0, x.shape[:2]), ()


def _nothing(width: int) -> list[nn.Module]:
    return []


def _batch(width: int) -> list[nn.Module]:
    return [nn.BatchNorm1d(width)]


def _layer(width: int) -> list[nn.Module]:
    return [nn.LayerNorm(width)]


_NORMS: dict[str | None, Callable[[int], list[nn.Module]]] = {
    None: _nothing,
    "batch": _batch,
    "layer": _layer,
}
