"""The convolutional networks of World Models' eye: frames to latents, and latents to frames."""

from itertools import pairwise

from torch import Tensor, nn

__all__ = ["CHANNELS", "PIXELS", "SIDE", "FrameDecoder", "FrameEncoder"]

SIDE, CHANNELS = 64, 3
PIXELS = SIDE * SIDE * CHANNELS  # of a frame, in the order row, column, channel


class FrameEncoder(nn.Module):
    """Four convolutions 4x4 of stride 2, ReLU after each, and a linear layer for two vectors.

    Args:
        latent: Features Z of each vector.
        width: Filters W of the first layer; the others have 2 W, 4 W and 8 W.

    References:
        World Models (Ha, Schmidhuber, 2018), where W is 32.

    Example:
        >>> import torch
        >>> mu, logvar = FrameEncoder(latent=32, width=4)(torch.rand(5, PIXELS))
        >>> mu.shape, logvar.shape
        (torch.Size([5, 32]), torch.Size([5, 32]))
    """

    def __init__(self, latent: int, width: int) -> None:
        super().__init__()
        parts: list[nn.Module] = []
        for inputs, outputs in pairwise([CHANNELS, width, 2 * width, 4 * width, 8 * width]):
            parts += [nn.Conv2d(inputs, outputs, 4, stride=2), nn.ReLU()]
        self.layers = nn.Sequential(*parts, nn.Flatten())
        self.output = nn.Linear(32 * width, 2 * latent)  # of 2x2 pixels

    def forward(self, frames: Tensor) -> tuple[Tensor, Tensor]:  # (N, D) -> (N, Z), (N, Z)
        images = frames.unflatten(1, (SIDE, SIDE, CHANNELS)).movedim(-1, 1)
        mu, logvar = self.output(self.layers(images)).chunk(2, dim=1)
        return mu, logvar


class FrameDecoder(nn.Module):
    """A linear layer, and four transposed convolutions of stride 2 up to 64x64 pixels in (0, 1).

    Their kernels have sides of 5, 5, 6 and 6, with ReLU between them and a sigmoid at the end.

    Args:
        latent: Features Z.
        width: Filters W of the last layer but one; those before it have 2 W and 4 W, the linear
            one 32 W.

    References:
        World Models (Ha, Schmidhuber, 2018), where W is 32.

    Example:
        >>> import torch
        >>> FrameDecoder(latent=32, width=4)(torch.zeros(5, 32)).shape
        torch.Size([5, 12288])
    """

    def __init__(self, latent: int, width: int) -> None:
        super().__init__()
        self.input = nn.Linear(latent, 32 * width)
        sizes = [32 * width, 4 * width, 2 * width, width, CHANNELS]
        parts: list[nn.Module] = []
        for (inputs, outputs), kernel in zip(pairwise(sizes), (5, 5, 6, 6), strict=True):
            parts += [nn.ConvTranspose2d(inputs, outputs, kernel, stride=2), nn.ReLU()]
        self.layers = nn.Sequential(*parts[:-1], nn.Sigmoid())

    def forward(self, z: Tensor) -> Tensor:  # (N, Z) -> (N, D)
        images: Tensor = self.layers(self.input(z)[..., None, None])
        return images.movedim(1, -1).flatten(1)
