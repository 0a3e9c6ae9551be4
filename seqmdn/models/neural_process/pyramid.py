"""A network of convolutions on several levels of detail."""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from seqmdn.models.neural_process.encoder import check_sizes

__all__ = ["Pyramid"]


class Pyramid(nn.Module):
    """Convolutions on a grid and on coarser ones, down and up again: a U-shaped residual network.

    Each level has half the points of the one before in every direction. On the way down a level is
    convolved and handed to the next, on the way up what comes back is interpolated and added to
    what it was. With one level this is a residual network.

    Args:
        dimensions: Of the grid, 1 or 2.
        inputs: Channels that come in.
        channels: Of each level, the finest first; those of the first come out.
        kernel: Points that a convolution sees in each direction, odd.
        depth: Residual convolutions of a level, on each way.

    Attributes:
        divisor: The number of points in each direction must be a multiple of it.

    Raises:
        ValueError: If there are no channels, a size is below 1, or the kernel is even.

    References:
        U-Net: Convolutional Networks for Biomedical Image Segmentation (Ronneberger, Fischer, Brox,
        2015).

    Example:
        >>> import torch
        >>> pyramid = Pyramid(dimensions=2, inputs=3, channels=(4, 6, 6))
        >>> pyramid.divisor, pyramid(torch.zeros(5, 3, 8, 12)).shape
        (4, torch.Size([5, 4, 8, 12]))
    """

    def __init__(
        self,
        dimensions: int,
        inputs: int,
        channels: Sequence[int],
        kernel: int = 5,
        depth: int = 1,
    ) -> None:
        super().__init__()
        check_sizes(inputs=inputs, depth=depth, kernel=kernel)
        if not channels or min(channels) < 1:
            raise ValueError(
                f"channels must be one number of at least 1 for each level, found {list(channels)}"
            )
        if kernel % 2 == 0:
            raise ValueError(f"kernel must be odd, to have a middle, found {kernel}")
        make = (nn.Conv1d, nn.Conv2d)[dimensions - 1]
        self.between = ("linear", "bilinear")[dimensions - 1]

        def residuals(size: int) -> nn.ModuleList:
            return nn.ModuleList(make(size, size, kernel, padding="same") for _ in range(depth))

        pairs = list(zip(channels, channels[1:], strict=False))
        self.first = make(inputs, channels[0], kernel, padding="same")
        self.falling = nn.ModuleList(residuals(size) for size in channels)
        self.down = nn.ModuleList(make(fine, coarse, 4, 2, 1) for fine, coarse in pairs)
        self.up = nn.ModuleList(make(coarse, fine, 1) for fine, coarse in pairs)
        self.rising = nn.ModuleList(residuals(size) for size in channels[:-1])
        self.divisor = 2 ** len(pairs)

    def forward(self, grid: Tensor) -> Tensor:
        """Return what is found ``(B, C, *G)`` on a grid ``(B, I, *G)``."""
        h, kept = self.first(grid), []
        for residuals, down in zip(self.falling, self.down, strict=False):
            h = _convolve(h, residuals)
            kept.append(h)
            h = down(F.silu(h))
        h = _convolve(h, self.falling[-1])
        for residuals, up in zip(reversed(self.rising), reversed(self.up), strict=True):
            # Interpolated: strided kernels that overlap unevenly would draw a pattern of their own.
            back = F.interpolate(up(F.silu(h)), scale_factor=2, mode=self.between)
            h = _convolve(kept.pop() + back, residuals)
        return h


def _convolve(h: Tensor, residuals: nn.Module) -> Tensor:
    for each in residuals.children():
        h = h + each(F.silu(h))
    return h
