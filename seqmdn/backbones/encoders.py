"""What sees a frame before the recurrent layers do: a row of pixels, say, as a whole."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

__all__ = ["ConvolutionEncoder", "FrameEncoder", "MLPEncoder"]


class FrameEncoder(nn.Module, ABC):
    """A network of single frames: what it makes of one stands behind the frame itself.

    It knows nothing of other frames, so that steps are the whole, as for every backbone.

    Attributes:
        inputs: X, features of a frame and of the context beside it.
        features: E, what the layers above see: X and what is made of it.
    """

    inputs: int
    features: int

    @abstractmethod
    def encode(self, x: Tensor) -> Tensor:  # (N, X) -> (N, E - X)
        """Return what is made of frames."""

    def forward(self, x: Tensor) -> Tensor:
        """Return frames ``(..., E)`` of frames ``(..., X)``."""
        encoded = self.encode(x.reshape(-1, x.shape[-1]))
        return torch.cat((x, encoded.to(x.dtype).view(*x.shape[:-1], -1)), dim=-1)


class MLPEncoder(FrameEncoder):
    """Linear layers with SiLU behind each.

    Args:
        inputs: X.
        hidden: Width of each layer.
        layers: Number of layers.

    Raises:
        ValueError: If a size is below 1.

    Example:
        >>> encoder = MLPEncoder(inputs=28, hidden=64)
        >>> encoder(torch.zeros(5, 7, 28)).shape, encoder.features
        (torch.Size([5, 7, 92]), 92)
    """

    def __init__(self, inputs: int, hidden: int = 128, layers: int = 2) -> None:
        super().__init__()
        _check(inputs=inputs, hidden=hidden, layers=layers)
        parts: list[nn.Module] = []
        for i in range(layers):
            parts += [nn.Linear(hidden if i else inputs, hidden), nn.SiLU()]
        self.network = nn.Sequential(*parts)
        self.inputs = inputs
        self.features = inputs + hidden

    def encode(self, x: Tensor) -> Tensor:
        encoded: Tensor = self.network(x)
        return encoded


class ConvolutionEncoder(FrameEncoder):
    """Convolutions along a row of pixels, each layer half as wide, and a linear layer at the end.

    The row is what stands first in a frame, the channels of a pixel beside each other; what stands
    behind it, such as labels, reaches the linear layer as it is.

    Args:
        inputs: X.
        width: Pixels of a row.
        channels: Numbers of a pixel.
        filters: Channels of each layer.
        kernel: Pixels that a filter sees, an odd number.
        layers: Number of convolutions.
        hidden: Features of the linear layer.

    Raises:
        ValueError: If a size is out of range, or a frame is shorter than the row.

    Example:
        >>> encoder = ConvolutionEncoder(inputs=28 + 10, width=28, hidden=64)
        >>> encoder(torch.zeros(5, 7, 38)).shape
        torch.Size([5, 7, 102])
    """

    def __init__(
        self,
        inputs: int,
        width: int,
        channels: int = 1,
        filters: int = 16,
        kernel: int = 5,
        layers: int = 2,
        hidden: int = 128,
    ) -> None:
        super().__init__()
        _check(
            inputs=inputs,
            width=width,
            channels=channels,
            filters=filters,
            kernel=kernel,
            layers=layers,
            hidden=hidden,
        )
        if kernel % 2 == 0:
            raise ValueError(f"kernel must be odd, found {kernel}")
        if width * channels > inputs:
            raise ValueError(
                f"expected frames of a row of {width} x {channels} numbers or more, found {inputs}:"
                " this is an encoder of rows (--data.scan row)"
            )
        parts: list[nn.Module] = []
        left = width
        for i in range(layers):
            convolution = nn.Conv1d(
                filters if i else channels,
                filters,
                kernel,
                stride=2 if i else 1,
                padding=kernel // 2,
            )
            parts += [convolution, nn.SiLU()]
            left = -(-left // 2) if i else left
        self.convolutions = nn.Sequential(*parts)
        rest = inputs - width * channels
        self.output = nn.Sequential(nn.Linear(left * filters + rest, hidden), nn.SiLU())
        self.inputs = inputs
        self.width, self.channels = width, channels
        self.features = inputs + hidden

    def encode(self, x: Tensor) -> Tensor:
        size = self.width * self.channels
        row = x[:, :size].unflatten(1, (self.width, self.channels)).mT
        seen = self.convolutions(row).flatten(1)
        encoded: Tensor = self.output(torch.cat((seen, x[:, size:].to(seen.dtype)), dim=1))
        return encoded


def _check(**sizes: int) -> None:
    for name, size in sizes.items():
        if size < 1:
            raise ValueError(f"{name} must be at least 1, found {size}")
