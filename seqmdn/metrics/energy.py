"""The energy score of draws."""

from __future__ import annotations

import torch
from torch import Tensor

from seqmdn import linalg

__all__ = ["energy_score"]

_VALUES = 2**22  # distances held at a time


@linalg.full_precision
def energy_score(
    samples: Tensor,  # (S, *batch, D)
    value: Tensor,  # (*batch, D)
    observed: Tensor | None = None,  # (*batch, D)
) -> Tensor:  # (*batch,)
    r"""Returns the energy score of draws, by its unbiased ("fair") estimator; smaller is better.

    .. math:: \frac1S \sum_i \|x_i - y\| - \frac{1}{2 S (S - 1)} \sum_{i \ne j} \|x_i - x_j\|

    In the unit of y. At D = 1 it estimates the CRPS. O(S^2 D) time; the S^2 distances are held of
    a few frames at a time. With `observed`, boolean, it is the score of the marginal of the
    features that were observed: distances leave out the others, whose value may be anything; 0
    where nothing was.

    Raises:
        ValueError: If there are fewer than two draws or shapes do not fit.

    References:
        Strictly Proper Scoring Rules, Prediction, and Estimation, T. Gneiting and A. Raftery, 2007.
        Fair scores for ensemble forecasts, C. Ferro, 2014.

    Example:
        >>> energy_score(torch.tensor([[0.0], [2.0]]), torch.tensor([0.0]))  # 1 - 2 / 2
        tensor(0.)
    """
    count = samples.shape[0] if samples.dim() else 0
    if count < 2 or value.dim() < 1 or samples.shape[1:] != value.shape:
        raise ValueError(
            "expected samples (S, *batch, D) with S >= 2 and value (*batch, D);"
            f" found {tuple(samples.shape)} and {tuple(value.shape)}."
        )
    if observed is not None:
        if observed.dtype != torch.bool or observed.shape != value.shape:
            raise ValueError(
                f"expected observed boolean {tuple(value.shape)}; found {observed.dtype} of shape"
                f" {tuple(observed.shape)}."
            )
        # The draws of a marginal are those of the whole, looked at in part.
        samples, value = samples.where(observed, 0), value.where(observed, 0)
    error = torch.linalg.vector_norm(samples - value, dim=-1).mean(0)
    clouds = samples.movedim(0, -2).reshape(-1, count, value.shape[-1])  # (frames, S, D)
    distances = [_total_distance(cloud) for cloud in clouds.split(max(1, _VALUES // count**2))]
    return error - torch.cat(distances).reshape(error.shape) / (2 * count * (count - 1))


def _total_distance(cloud: Tensor) -> Tensor:
    """Returns the sum of all distances within each cloud of points, (frames,)."""
    # The faster mode, by a product of matrices, loses half the digits of close draws.
    distances = torch.cdist(cloud, cloud, compute_mode="donot_use_mm_for_euclid_dist")
    return distances.sum((-2, -1))
