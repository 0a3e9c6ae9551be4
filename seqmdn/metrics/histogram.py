"""Histograms of what should be uniform."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric

__all__ = ["UniformHistogram", "distance_by_chance"]


class UniformHistogram(Metric):
    r"""Counts values that are uniform on (0, 1) where a density is the true one.

    Every feature has a histogram of its own. Of probability integral transforms
    (:func:`seqmdn.metrics.pit`) it is the PIT histogram, of Rosenblatt transforms the Rosenblatt
    histogram. A U shape says that the density is too sure of itself, a hump that it is not sure
    enough, a slope that it is shifted.

    Under the true density the frames are independent, and a bin of n frames and b bins holds n / b
    of them, with a standard deviation of :math:`\sqrt{n (1 - 1 / b) / b}`.

    Args:
        features: D.
        bins: b, equally wide.

    Raises:
        ValueError: If a value that counts is NaN or outside [0, 1], or shapes do not fit.

    References:
        Evaluating Density Forecasts with Applications to Financial Risk Management, F. Diebold,
        T. Gunther and A. Tay, 1998.

    Example:
        >>> histogram = UniformHistogram(features=1, bins=4)
        >>> histogram.update(torch.tensor([[0.1], [0.2], [0.6], [1.0]]))
        >>> histogram.compute(), histogram.distance()
        (tensor([[2, 0, 1, 1]]), tensor([0.2500]))
    """

    is_differentiable = False
    full_state_update = False
    counts: Tensor  # (D, bins)

    def __init__(self, features: int, bins: int = 20, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if features < 1 or bins < 2:
            raise ValueError(
                f"expected at least 1 feature and 2 bins; found {features} and {bins}."
            )
        self.bins = bins
        self.add_state(
            "counts", torch.zeros(features, bins, dtype=torch.long), dist_reduce_fx="sum"
        )

    def update(self, u: Tensor, mask: Tensor | None = None) -> None:
        """Adds values.

        Args:
            u: (*batch, D).
            mask: boolean (*batch), True where a frame counts; every frame by default. Or
                (*batch, D), True where a feature of a frame does.
        """
        features = len(self.counts)
        if (
            u.dim() < 1
            or u.shape[-1] != features
            or (mask is not None and mask.dtype != torch.bool)
        ):
            raise ValueError(
                f"expected u (*batch, {features}) and a boolean mask; found {tuple(u.shape)}"
                f" and {None if mask is None else mask.dtype}."
            )
        if mask is not None and mask.shape not in (u.shape, u.shape[:-1]):
            raise ValueError(
                f"expected mask {tuple(u.shape[:-1])}, one a frame, or {tuple(u.shape)}, one a"
                f" feature; found {tuple(mask.shape)}."
            )
        feature = torch.arange(features, device=u.device).expand(u.shape)
        # As many dimensions as the mask has become one.
        u, feature = (u, feature) if mask is None else (u[mask], feature[mask])
        wrong = ~((u >= 0) & (u <= 1))
        if bool(wrong.any()):
            raise ValueError(
                f"expected u in [0, 1]; found {u[wrong][0].item():g} ({int(wrong.sum())} such"
                " values)."
            )
        bin_of = (u * self.bins).long().clamp(max=self.bins - 1)
        place = bin_of + self.bins * feature
        found = torch.bincount(place.flatten(), minlength=features * self.bins)
        self.counts += found.reshape(features, self.bins)

    def compute(self) -> Tensor:
        """Returns the counts, (D, bins)."""
        return self.counts

    def distance(self) -> Tensor:
        r"""Returns the Kolmogorov-Smirnov distance to the uniform distribution, (D,).

        The largest difference of the two distribution functions, looked at where bins end. See
        `distance_by_chance` for what a calibrated density has. NaN of a feature without values.

        Like `compute`, it gathers from every process, so every process must call it.
        """
        with self.sync_context(should_sync=not self._is_synced, should_unsync=not self._is_synced):
            counts = self.counts.double()
        if not bool(counts.sum()):
            raise ValueError("no values to compare: call update before distance.")
        found = counts.cumsum(-1) / counts.sum(-1, keepdim=True)
        expected = torch.arange(1, self.bins + 1, device=counts.device) / self.bins
        return (found - expected).abs().amax(-1).float()


def distance_by_chance(frames: int) -> tuple[float, float]:
    r"""Returns mean and standard deviation of the Kolmogorov-Smirnov distance of uniform values.

    .. math:: \sqrt{\frac{\pi}{2 n}} \log 2, \qquad
        \sqrt{\frac1n \left(\frac{\pi^2}{12} - \frac{\pi}{2} \log^2 2\right)}

    Those of the limit for many frames n, of distribution functions looked at everywhere; where bins
    end, the distance is a little smaller.

    Args:
        frames: n, at least 1.

    References:
        The Kolmogorov-Smirnov, Cramer-von Mises Tests, D. A. Darling, 1957.

    Example:
        >>> [round(number, 4) for number in distance_by_chance(100)]
        [0.0869, 0.026]
    """
    variance = math.pi**2 / 12 - 0.5 * math.pi * math.log(2) ** 2
    return math.sqrt(0.5 * math.pi / frames) * math.log(2), math.sqrt(variance / frames)
