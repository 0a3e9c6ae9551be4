r"""The likelihood of frames of which some features are missing, others in every frame.

With B the observed features of a frame and A the missing ones, the marginal of B is in the family:

.. math:: \Lambda = D_B + \tilde U \tilde U^\top, \quad \tilde U = U_B L_A^{-\top}, \quad
    L_A L_A^\top = I_R + U_A^\top D_A^{-1} U_A

Rows of 0 in U and ones in d make of it a Gaussian of D features whose missing ones add nothing to
its quadratic form or its log-determinant, so that frames of any pattern go through one batched
computation in O(D R^2 + R^3), without a loop over patterns.

References:
    Inference and Missing Data, Donald B. Rubin, 1976.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from seqmdn import linalg
from seqmdn.distributions.features import check_event

__all__ = ["check_mask", "marginal_of_mask", "missing_constant", "observed_only"]


def check_mask(value: Tensor, mask: Tensor, features: int) -> Tensor:
    """Returns the mask as one of the shape (*sample, *batch, D) that it shares with `value`.

    Raises:
        ValueError: If it is not boolean, not of D features, or does not broadcast with the value.

    Example:
        >>> check_mask(torch.zeros(2, 3), torch.tensor([True, False, True]), 3).shape
        torch.Size([2, 3])
    """
    check_event(value, features)
    expected = (
        f"mask must be boolean, True where a feature was observed, of shape (..., {features}) that"
        f" fits the value's {tuple(value.shape)}"
    )
    if not isinstance(mask, Tensor) or mask.dtype != torch.bool:
        found = mask.dtype if isinstance(mask, Tensor) else type(mask).__name__
        raise ValueError(
            f"{expected}; found {found}. Compare the numbers with what they stand for."
        )
    if mask.dim() == 0 or mask.shape[-1] != features:
        raise ValueError(f"{expected}; found shape {tuple(mask.shape)}.")
    try:
        shape = torch.broadcast_shapes(value.shape, mask.shape)
    except RuntimeError:
        raise ValueError(f"{expected}; found shape {tuple(mask.shape)}.") from None
    return mask.expand(shape)


def observed_only(value: Tensor, mask: Tensor, validate: bool) -> Tensor:
    """Returns the value with 0 where nothing was observed, whatever stood there, NaN included.

    Raises:
        ValueError: With `validate`, if a value is NaN where it was observed.

    Example:
        >>> observed_only(torch.tensor([math.nan, 2.0]), torch.tensor([False, True]), True)
        tensor([0., 2.])
    """
    filled = torch.where(mask, value, 0)
    if validate and torch.isnan(filled).any():
        raise ValueError(
            f"value must not be NaN where mask is True; found {int(torch.isnan(filled).sum())} NaN"
            f" in {int(mask.sum())} observed values. Make the mask False there."
        )
    return filled


def marginal_of_mask(
    loc: Tensor,  # (*batch, D)
    diagonal: Tensor,  # (*batch, D)
    factor: Tensor,  # (*batch, D, R)
    mask: Tensor,  # (*sample, *batch, D)
) -> tuple[Tensor, Tensor, Tensor]:  # the three, of batch shape (*sample, *batch)
    """Returns the parameters of each frame's marginal, with means 0, ones in d and rows 0 in U
    where a feature is missing.

    Example:
        >>> one = torch.ones(2)
        >>> _, _, factor = marginal_of_mask(one, one, one[:, None], torch.tensor([True, False]))
        >>> factor  # 1 / sqrt(1 + 1) of what was observed
        tensor([[0.7071],
                [0.0000]])
    """
    rows = mask.unsqueeze(-1)
    if factor.shape[-1]:
        cholesky = linalg.capacitance_cholesky(diagonal, torch.where(rows, 0, factor))
        factor = linalg.solve_lower(cholesky, torch.where(rows, factor, 0).mT).mT
    else:
        factor = factor.expand(*torch.broadcast_shapes(mask.shape, loc.shape), 0)
    return torch.where(mask, loc, 0), torch.where(mask, diagonal, 1), factor


def missing_constant(mask: Tensor, like: Tensor) -> Tensor:  # (*batch,)
    r"""Returns :math:`\tfrac12 \log 2\pi` for each missing feature of a frame, as `like` is.

    This is what a missing feature's standard normal would take from the log-density.

    Example:
        >>> missing_constant(torch.tensor([True, False]), torch.ones(()))
        tensor(0.9189)
    """
    return (~mask).sum(-1).to(like) * (0.5 * math.log(2 * math.pi))
