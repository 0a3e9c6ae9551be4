"""How often one model beats another, sequence by sequence, and whether chance does that."""

import math
from dataclasses import dataclass

import numpy as np
import torch

__all__ = ["SignTest", "sign_test"]


@dataclass(frozen=True)
class SignTest:
    """What the test found.

    Attributes:
        better: Number of negative differences.
        worse: Number of positive ones; those that are 0 count for neither.
        p_value: The probability of a split at least as uneven where both are equally likely.
    """

    better: int
    worse: int
    p_value: float


def sign_test(differences: np.ndarray) -> SignTest:
    r"""Test whether differences are as often below 0 as above it: exact, two-sided.

    With b of them below 0, n of them not 0 and m = min(b, n - b),

    .. math::
        p = \min\Big(1, 2 \sum_{i=0}^{m} \binom{n}{i} 2^{-n}\Big)

    summed in log space, so that it is right for any number of sequences. Unlike a standard error,
    it asks nothing of the spread of the differences; sequences must be independent.

    Args:
        differences: One a sequence, ``(N,)``.

    References:
        The statistical sign test (Dixon, Mood, 1946).

    Example:
        >>> found = sign_test(np.array([-1.0, -2.0, -0.5, -3.0, 0.1, 0.0]))
        >>> found.better, found.worse, round(found.p_value, 6)
        (4, 1, 0.375)
    """
    better, worse = int((differences < 0).sum()), int((differences > 0).sum())
    n = better + worse
    i = torch.arange(min(better, worse) + 1, dtype=torch.float64)
    whole = torch.tensor(n + 1.0, dtype=torch.float64)
    choices = torch.lgamma(whole) - torch.lgamma(i + 1) - torch.lgamma(whole - i)  # (m + 1,)
    log_p = float(torch.logsumexp(choices, dim=0)) + (1 - n) * math.log(2)
    return SignTest(better, worse, math.exp(min(log_p, 0.0)))
