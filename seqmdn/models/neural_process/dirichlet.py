"""Dirichlet variables in log space, where no draw is rounded to the border of the simplex."""

from collections.abc import Sequence

import torch
from torch import Generator, Tensor

__all__ = ["log_density", "log_draws"]


def log_draws(
    concentration: Tensor, draws: int, generators: Sequence[Generator] | None = None
) -> Tensor:
    r"""Draw the logarithms of Dirichlet variables.

    .. math:: \log z = \log \mathrm{softmax}(\log g), \qquad
        \log g_l = \log G_l - E_l / \alpha_l, \quad G_l \sim \Gamma(\alpha_l + 1), \quad
        E_l \sim \mathrm{Exp}(1)

    which are Gamma variables of the shapes :math:`\alpha_l`. At a shape of a hundredth, one is
    often below the smallest float, and torch's own draws are then clamped to it; its logarithm is
    not. Gradients reach the concentrations.

    Args:
        concentration: :math:`\alpha`, positive ``(B, L)``.
        draws: Number of draws P.
        generators: One for each row, on the CPU; None takes torch's global one.

    Returns:
        ``(B, P, L)``.

    References:
        Generating Gamma Variables by a Modified Rejection Technique (Best, 1983) and A Simple
        Method for Generating Gamma Variables (Marsaglia, Tsang, 2000), for the shift of the shape.

    Example:
        >>> log_z = log_draws(torch.full((2, 3), 0.001), draws=5)
        >>> log_z.shape, bool(log_z.isfinite().all()), bool((log_z < -200).any())
        (torch.Size([2, 5, 3]), True, True)
        >>> torch.allclose(log_z.exp().sum(-1), torch.ones(2, 5))
        True
    """
    B, L = concentration.shape
    shape = concentration.unsqueeze(1).expand(B, draws, L)
    if generators is None:
        gamma = torch._standard_gamma(shape + 1)
        exponential = torch.empty_like(gamma).exponential_()
    else:
        # Each row by itself: what it draws does not depend on the others.
        one, other = [], []
        for row, generator in zip(shape.detach().cpu(), generators, strict=True):
            one.append(torch._standard_gamma(row + 1, generator))
            other.append(torch.empty_like(row).exponential_(generator=generator))
        gamma, exponential = torch.stack(one).to(shape), torch.stack(other).to(shape)
    return torch.log_softmax(gamma.log() - exponential / shape, dim=-1)


def log_density(log_z: Tensor, concentration: Tensor) -> Tensor:
    r"""Return the density of Dirichlet variables, from their logarithms, in nats.

    .. math:: \log \mathrm{Dir}(z; \alpha) = \log \Gamma\left(\sum_l \alpha_l\right)
        + \sum_l \left((\alpha_l - 1) \log z_l - \log \Gamma(\alpha_l)\right)

    Args:
        log_z: ``(B, P, L)``.
        concentration: :math:`\alpha` ``(B, L)``.

    Returns:
        ``(B, P)``.

    Example:
        >>> log_density(torch.tensor([[[0.25, 0.75]]]).log(), torch.tensor([[2.0, 1.0]]))  # 2 z_1
        tensor([[-0.6931]])
    """
    alpha = concentration.unsqueeze(1)  # (B, 1, L)
    normaliser = alpha.sum(-1).lgamma() - alpha.lgamma().sum(-1)
    return normaliser + ((alpha - 1) * log_z).sum(-1)
