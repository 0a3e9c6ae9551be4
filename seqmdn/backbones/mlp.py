"""A network of single frames, for what has no past: regression."""

from collections.abc import Sequence
from typing import Literal

from torch import Tensor, nn

from seqmdn.backbones.backbone import Backbone, State, check_arguments

__all__ = ["Activation", "MLPBackbone"]

Activation = Literal["silu", "gelu", "relu", "tanh"]

_ACTIVATIONS: dict[str, type[nn.Module]] = {
    "silu": nn.SiLU,
    "gelu": nn.GELU,
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
}


class MLPBackbone(Backbone):
    """Linear layers with an activation behind each, the same for every frame.

    Nothing is handed on from one frame to the next: the state is empty.

    Args:
        inputs: Number of input features X.
        hidden: Width of each layer, H is the last one. None at all hand the input itself on, of
            which a head then makes an affine function.
        activation: ``"silu"``, ``"gelu"``, ``"relu"`` or ``"tanh"``.
        dropout: Probability with which each unit of every layer's output is dropped in training.

    Raises:
        ValueError: If a width is below 1, dropout is outside [0, 1), the activation is unknown, or
            an input or a state does not fit.

    Example:
        >>> import torch
        >>> backbone = MLPBackbone(inputs=3, hidden=[64, 32])
        >>> h, state = backbone(torch.zeros(5, 1, 3))
        >>> h.shape, state
        (torch.Size([5, 1, 32]), ())
    """

    def __init__(
        self,
        inputs: int,
        hidden: Sequence[int] = (128, 128),
        activation: Activation = "silu",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        check_arguments({"inputs": inputs}, dropout, clip=None)
        if any(width < 1 for width in hidden):
            raise ValueError(f"hidden must be widths of 1 or more, found {list(hidden)}")
        if activation not in _ACTIVATIONS:
            raise ValueError(
                f"activation must be one of {', '.join(_ACTIVATIONS)}, found {activation!r}"
            )
        widths = [inputs, *hidden]
        parts: list[nn.Module] = []
        for below, width in zip(widths, widths[1:], strict=False):
            parts += [nn.Linear(below, width), _ACTIVATIONS[activation]()]
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
