"""Networks of single frames whose layers are mixtures, and what stands around such a layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from torch import Tensor, nn

from seqmdn.backbones.backbone import Backbone, State, check_arguments
from seqmdn.backbones.ugmm.linear import UGMMLinear

__all__ = ["UGMMBlock", "UGMMNetwork"]

Normalise = Literal["batch", "layer"]


class UGMMBlock(nn.Module):
    r"""A layer of neurons that are mixtures, and what may stand around it, each an argument.

    .. math:: y = P \, \text{norm}(\text{UGMMLinear}(\text{norm}(M x)))

    - A linear mix M, to as many features as there are neurons: a component then looks at a
      direction of its own in place of one coordinate.
    - A normalisation behind the mix and behind the layer. Log-densities of many inputs lie at one
      level and have little spread, while the next layer's means and scales begin at those of a
      standard normal, and logits that hardly differ learn slowly.
    - Products P of neurons' densities to powers, which are linear in their logarithms.

    Args:
        in_features: Inputs.
        out_features: Neurons, and outputs.
        mix: Whether there is a mix.
        product: Whether there are products.
        normalise: ``"batch"`` (statistics of all frames of a batch, of training's batches when
            scored), ``"layer"`` (of each frame's own features) or None. Padding would enter the
            former: sequences of unequal lengths need the latter.
        dropout: Of components (:class:`UGMMLinear`).
        tied_means: Whether the neurons' means are tied.
        scale: Of components, at the start.

    Raises:
        ValueError: If the normalisation is unknown, or as :class:`UGMMLinear` does.

    Example:
        >>> import torch
        >>> UGMMBlock(3, 5, mix=True)(torch.zeros(7, 2, 3)).shape
        torch.Size([7, 2, 5])
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        mix: bool = False,
        product: bool = False,
        normalise: Normalise | None = "batch",
        dropout: float = 0.0,
        tied_means: bool = False,
        scale: float = 1.0,
    ) -> None:
        super().__init__()
        if normalise not in _NORMS:
            raise ValueError(f"normalise must be batch, layer or null, found {normalise!r}")
        norm, width = _NORMS[normalise], out_features
        parts: list[nn.Module] = [nn.Linear(in_features, width), *norm(width)] if mix else []
        seen = width if mix else in_features
        parts.append(UGMMLinear(seen, width, dropout, tied_means, scale=scale))
        parts += norm(width)
        parts += [nn.Linear(width, width)] if product else []
        self.parts = nn.Sequential(*parts)

    def forward(self, x: Tensor) -> Tensor:  # (*batch, in) -> (*batch, out)
        """Return what the parts make of each frame."""
        y: Tensor = self.parts(x.reshape(-1, x.shape[-1]))
        return y.view(*x.shape[:-1], y.shape[-1])


class UGMMNetwork(Backbone):
    r"""Layers of neurons that are mixtures, the same for every frame.

    Each layer is a :class:`UGMMBlock` with dropout behind it. Nothing is handed on from one frame
    to the next: the state is empty.

    Args:
        inputs: Number of input features X.
        hidden: Width of each layer, H is the last one.
        mix: Whether a linear mix stands before each layer.
        product: Whether products stand behind each layer.
        normalise: ``"batch"``, ``"layer"`` or None.
        dropout: Probability with which each unit of every layer's output is dropped in training.
        component_dropout: Dropout of components (:class:`UGMMLinear`), of all layers.
        tied_means: Whether the neurons' means are tied.
        scale: Of components, at the start.

    Raises:
        ValueError: If a width is below 1, a dropout is outside [0, 1), the normalisation is
            unknown, or an input or a state does not fit.

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
        normalise: Normalise | None = "batch",
        dropout: float = 0.0,
        component_dropout: float = 0.0,
        tied_means: bool = False,
        scale: float = 1.0,
    ) -> None:
        super().__init__()
        check_arguments({"inputs": inputs}, dropout, clip=None)
        if not hidden or any(width < 1 for width in hidden):
            raise ValueError(f"hidden must be widths of 1 or more, found {list(hidden)}")
        widths = [inputs, *hidden]
        parts: list[nn.Module] = []
        for below, width in zip(widths, widths[1:], strict=False):
            parts.append(
                UGMMBlock(
                    below, width, mix, product, normalise, component_dropout, tied_means, scale
                )
            )
            if dropout:
                parts.append(nn.Dropout(dropout))
        self.network = nn.Sequential(*parts)
        self.inputs = inputs
        self.features = widths[-1]

    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        self._check_inputs(x)
        if state:
            raise ValueError(f"state must be empty, found {len(state)} tensors")
        h: Tensor = self.network(x)
        return h, ()


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
