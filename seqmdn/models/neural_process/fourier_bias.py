"""How much points attend to each other by where they are, whatever they say."""

import torch
from torch import Tensor, nn

from seqmdn.models.neural_process.encoder import check_sizes

__all__ = ["FourierBias"]


class FourierBias(nn.Module):
    r"""Functions of the difference of two places, to be added to the logits of an attention.

    .. math:: b_m(x, x') = \sum_k c_{mk} \cos \omega_k^\top (x - x')
        + s_{mk} \sin \omega_k^\top (x - x')

    with frequencies :math:`\omega_k` that all maps m share; all numbers are learned. A cosine of a
    difference is a sum of two products, so that maps of all pairs are one product of matrices: no
    network has to look at each pair. To begin with, the lengths of the :math:`\omega_k` lie evenly
    up to the highest frequency, their directions are random, and every map has a bump of height 2
    and of width 7.5 / frequency around a difference of 0, beside some noise.

    Args:
        inputs: Number of inputs X of a place.
        maps: Number M of functions.
        waves: Number W of frequencies.
        frequency: The highest one at the beginning, in radians per unit of the inputs.

    Raises:
        ValueError: If a size is below 1 or the frequency not positive.

    References:
        Learning a Fourier Transform for Linear Relative Positional Encodings in Transformers
        (Choromanski, Li, Likhosherstov, Dubey, Luo, He, Yang, Sarlos, Weingarten, Weller, 2023).
        Translation Equivariant Transformer Neural Processes (Ashman, Diaconu, Kim, Sivaraya,
        Markou, Requeima, Bruinsma, Turner, 2024), where a network looks at each pair.

    Example:
        >>> bias = FourierBias(inputs=2, maps=8)
        >>> x = torch.randn(3, 7, 2)
        >>> bias(x).shape, torch.allclose(bias(x + 5), bias(x), atol=1e-3)
        (torch.Size([3, 8, 7, 7]), True)
    """

    def __init__(self, inputs: int, maps: int, waves: int = 32, frequency: float = 25.0) -> None:
        super().__init__()
        check_sizes(inputs=inputs, maps=maps, waves=waves)
        if not frequency > 0:
            raise ValueError(f"frequency must be positive, found {frequency}")
        lengths = torch.arange(1, waves + 1) / waves
        directions = nn.functional.normalize(torch.randn(inputs, waves), dim=0)
        bump = torch.exp(-0.5 * (7.5 * lengths).square())
        self.frequencies = nn.Parameter(frequency * lengths * directions)  # (X, W)
        self.cosines = nn.Parameter(2 * bump / bump.sum() + 0.1 * torch.randn(maps, waves))
        self.sines = nn.Parameter(0.1 * torch.randn(maps, waves))

    def forward(self, x: Tensor) -> Tensor:
        """Return every map of all pairs of T places, ``(B, T, X)`` to ``(B, M, T, T)``."""
        phases = x @ self.frequencies
        waves = torch.cat((phases.cos(), phases.sin()), dim=-1)  # (B, T, 2 W)
        cosine, sine = waves.unsqueeze(1).chunk(2, dim=-1)  # (B, 1, T, W)
        c, s = self.cosines.unsqueeze(1), self.sines.unsqueeze(1)  # (M, 1, W)
        turned = torch.cat((c * cosine + s * sine, c * sine - s * cosine), dim=-1)
        maps = turned.flatten(1, 2) @ waves.mT  # (B, M T, T)
        return maps.unflatten(1, (-1, x.shape[1]))
