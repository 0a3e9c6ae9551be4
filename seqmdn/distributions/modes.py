"""Modes of a mixture, by mean-shift from every component's mean."""

from __future__ import annotations

import torch
from torch import Tensor

from seqmdn import linalg
from seqmdn.distributions.gaussian import LowRankPrecisionNormal
from seqmdn.linalg import doubled

__all__ = ["highest", "mean_shift"]

_MAX_STEPS = 2000
_TOLERANCE = 1e-10


@torch.no_grad()
@linalg.full_precision
def mean_shift(
    log_weights: Tensor,  # (*batch, K)
    components: LowRankPrecisionNormal,  # of batch shape (*batch, K)
) -> Tensor:  # (*batch, K, D)
    r"""Returns the mode that is reached from the mean of each component.

    .. math:: y \leftarrow \left(\sum_k r_k \Lambda_k\right)^{-1} \sum_k r_k \Lambda_k \mu_k,
        \quad r_k = p(k \mid y)

    This is expectation-maximisation of the place of a copy of the mixture: no step lowers the
    density, and it ends where the gradient is 0. The sum of K matrices D + UU' is one of rank K R,
    so a step costs O(D (K R)^2 + (K R)^3) and forms no D x D matrix.

    In float64 where the device has it, until a step is below 1e-10 of the local standard deviation.
    The steps shrink by a constant factor, which comes close to 1 where two modes are about to
    merge; after 2000 of them the place reached is returned. Means that lead to one mode give it
    several times. A start at a saddle of the density, as between two equal components, stays there.
    A mixture of Gaussians may have more modes than components. Not differentiable.

    References:
        Mode-Finding for Mixtures of Gaussian Distributions, Miguel A. Carreira-Perpinan, 2000.

    Example:
        >>> loc = torch.tensor([[-1.0], [0.0], [9.0]])
        >>> three = LowRankPrecisionNormal(loc, torch.ones(3, 1))
        >>> mean_shift(torch.tensor([0.25, 0.25, 0.5]).log(), three)  # the first two have one
        tensor([[-0.5000],
                [-0.5000],
                [ 9.0000]])
    """
    dtype = components.loc.dtype
    loc, diagonal, factor = map(doubled, (components.loc, components.diagonal, components.factor))
    # The components of one context serve every start: (*batch, 1, K, ...).
    gaussians = LowRankPrecisionNormal(
        loc.unsqueeze(-3), diagonal.unsqueeze(-3), factor.unsqueeze(-4), validate_args=False
    )
    log_weights = doubled(log_weights).unsqueeze(-2)
    point = loc.clone()  # (*batch, K, D)
    done = torch.zeros(point.shape[:-1], dtype=torch.bool, device=point.device)
    for _ in range(_MAX_STEPS):
        apart = gaussians.loc - point.unsqueeze(-2)  # (*batch, starts, K, D)
        joint = log_weights + gaussians._log_density(point.unsqueeze(-2))
        shares = torch.softmax(joint, dim=-1).unsqueeze(-1)  # (*batch, starts, K, 1)
        total = (shares * gaussians.diagonal).sum(-2)  # (*batch, starts, D)
        pulled = gaussians.diagonal * apart
        if components.rank:
            pulled = pulled + (
                gaussians.factor @ linalg.project(gaussians.factor, apart).unsqueeze(-1)
            ).squeeze(-1)
        columns = (shares.sqrt().unsqueeze(-1) * gaussians.factor).movedim(-3, -2)
        columns = columns.flatten(-2)  # (*batch, starts, D, K R)
        gradient = (shares * pulled).sum(-2)
        step = linalg.solve(total, columns, gradient).masked_fill(done.unsqueeze(-1), 0)
        point = point + step
        # In standard deviations of the local Gaussian, whatever the scales of the features are.
        length = linalg.quadratic_form(total, columns, step).sqrt()
        done = done | (length <= _TOLERANCE)
        if bool(done.all()):
            break
    return point.to(dtype)


def highest(
    places: Tensor,  # (*batch, K, D)
    log_density: Tensor,  # (*batch, K)
) -> Tensor:  # (*batch, D)
    """Returns the place of the greatest density, the first of equal ones.

    Example:
        >>> highest(torch.tensor([[0.0], [9.0]]), torch.tensor([-2.0, -1.0]))
        tensor([9.])
    """
    best = log_density.argmax(-1)[..., None, None].expand(*places.shape[:-2], 1, places.shape[-1])
    return places.gather(-2, best).squeeze(-2)
