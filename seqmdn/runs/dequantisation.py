r"""A tighter bound on the probability of levels, from several draws of what dequantises them.

The probability P of levels x is what a density p has in their cell; its logarithm is bounded by
draws :math:`u_s` of the noise:

.. math:: \log P(x) = \log \int_{[0, 1)^D} p(x + u) \, du
    \ge E_u \log \tfrac1S \sum_{s=1}^S p(x + u_s)

One draw gives the usual figure; with more of them the bound rises, in expectation, towards the
logarithm of the probability itself. Frames have no bound of their own: the average is over draws of
the noise of a whole image.
"""

import math

import torch
from torch import Tensor

from seqmdn.data import UniformDequantise
from seqmdn.runs.run import Run

__all__ = ["check_dequantised", "log_mean_exp"]


def log_mean_exp(log_prob: Tensor) -> Tensor:  # (S, B) -> (B,)
    r"""Return :math:`\log \frac1S \sum_s p_s`, in float64.

    Example:
        >>> log_mean_exp(torch.tensor([[0.0], [math.log(3)]])).exp()
        tensor([2.0000], dtype=torch.float64)
    """
    return torch.logsumexp(log_prob.double(), dim=0) - math.log(len(log_prob))


def check_dequantised(run: Run, draws: int) -> None:
    """Refuse draws of a noise that spreads no levels, and none at all.

    Raises:
        ValueError: If there are none, or the run's data are not dequantised.
    """
    if draws < 1:
        raise ValueError(f"expected 1 draw or more to dequantise with, found {draws}")
    if not isinstance(run.data.noise, UniformDequantise):
        raise ValueError(
            "expected data whose levels are spread by seqmdn.data.UniformDequantise, found "
            f"{run.data.noise or 'no noise'}: their likelihood has no such bound"
        )
