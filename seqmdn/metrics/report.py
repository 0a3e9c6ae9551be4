"""All that is asked of a density beside its likelihood, from one set of draws."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from seqmdn.metrics.coverage import Coverage, central_level, highest_density_level
from seqmdn.metrics.draws import seeded
from seqmdn.metrics.frames import counted_frames
from seqmdn.metrics.histogram import UniformHistogram, distance_by_chance
from seqmdn.metrics.integral_transforms import pit, rosenblatt_pit
from seqmdn.metrics.marginals import Marginals
from seqmdn.metrics.point import PointErrors
from seqmdn.metrics.scores import CRPS, EnergyScore
from seqmdn.metrics.sharpness import Sharpness

__all__ = ["LEVELS", "DensityReport"]

LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
_LEVEL = 0.9  # of the one interval whose coverage and width stand by themselves


class DensityReport(nn.Module):
    """Gathers scores, calibration and sharpness of densities, batch by batch, as plain values.

    Scores and widths have the unit of the values, so the densities must be in the data's own. What
    is not known in closed form is estimated from S draws a frame, the same ones for everything; see
    :class:`CRPS`, :class:`EnergyScore`, :class:`Coverage`, :class:`UniformHistogram` and
    :class:`Sharpness` for what each one's error is. Every part reduces over processes by itself.

    Args:
        features: D.
        draws: S, at least 19, of which the 90 % interval needs its borders.
        seed: decides the draws, together with the number of the update and of the process.
        bins: of the histograms.

    Raises:
        ValueError: If there are too few draws.

    Example:
        >>> from seqmdn.distributions import LowRankPrecisionNormal
        >>> _ = torch.manual_seed(0)
        >>> report = DensityReport(features=1)
        >>> normal = LowRankPrecisionNormal(torch.zeros(500, 1), torch.ones(500, 1))
        >>> report.update(normal, normal.sample())
        >>> found = report.compute()
        >>> round(found["crps"], 1), round(found["coverage_90"], 1), found["crps_estimator"]
        (0.6, 0.9, 'exact')
        >>> [round(width, 4) for width in found["calibration"]["width_90"]]
        [3.2897]
    """

    def __init__(
        self,
        features: int,
        draws: int = 200,
        seed: int = 0,
        bins: int = 20,
    ) -> None:
        super().__init__()
        if draws < 19:
            raise ValueError(
                f"expected 19 draws or more, enough for the borders of a 90 % interval; found"
                f" {draws}."
            )
        self.draws = draws
        self.seed = seed
        self.crps = CRPS()
        self.energy_score = EnergyScore()
        self.central = Coverage(LEVELS)
        self.highest_density = Coverage(LEVELS)
        self.width = Sharpness(features, _LEVEL)
        self.point = PointErrors(features)
        self.pit = UniformHistogram(features, bins)
        self.rosenblatt = UniformHistogram(features, bins)
        self._exact_pit = True
        self._updates = 0

    @torch.no_grad()
    def update(
        self,
        distribution: Distribution,
        value: Tensor,
        mask: Tensor | None = None,
        observed: Tensor | None = None,
    ) -> None:
        """Adds a batch of sequences.

        Args:
            distribution: of batch shape (B, *time) and event shape (D,), in the unit of the value.
            value: what was observed, (B, *time, D).
            mask: boolean (B, *time), True where a frame counts.
            observed: boolean (B, *time, D), False where a feature is missing; every one is there by
                default. What is there is scored by its exact marginal, whatever the pattern.

        Raises:
            ValueError: If shapes do not fit, or a frame that counts holds NaN where it was
                observed.
            NotImplementedError: If features are missing and a flow mixes them with the others.
        """
        value, mask, observed = counted_frames(distribution, value, mask, observed)
        self._updates += 1
        self._exact_pit = Marginals.of(distribution) is not None
        with seeded(value.device, self.seed, self._updates):
            samples = distribution.sample(torch.Size([self.draws]))
            for metric in (self.crps, self.energy_score, self.width, self.point):
                metric.update(distribution, value, mask, samples, observed)
            u = pit(distribution, value, samples)
            level = highest_density_level(distribution, value, samples, observed)
        counted = mask if observed is None else mask.unsqueeze(-1) & observed
        self.pit.update(u, counted)
        self.central.update(central_level(u), mask, observed)
        seen = None if observed is None else observed.any(-1, keepdim=True)
        self.highest_density.update(level.unsqueeze(-1), mask, seen)
        u_given_others = rosenblatt_pit(distribution, value, observed)
        if u_given_others is not None:
            self.rosenblatt.update(u_given_others, counted)

    def compute(self) -> dict[str, Any]:
        """Returns plain values, ready for JSON.

        `crps`, `energy_score` and `coverage_90` (of the features' central intervals) with their
        standard errors over sequences, the first two also of each sequence; `crps_estimator`,
        ``"exact"`` or ``"draws"``; `mae`, `rmse` and `r2` of the densities' means
        (:class:`PointErrors`), of each feature under `point`; and `calibration`, what
        :func:`seqmdn.plotting.calibration_figure` draws. None stands for what has no number: a
        sequence of which nothing was observed, or a feature that never was.

        With several processes, every one must call it.
        """
        central, place = self.central.compute(), LEVELS.index(_LEVEL)
        central_stderr = self.central.stderr()
        calibration = {
            "draws": self.draws,
            "seed": self.seed,
            "levels": list(LEVELS),
            "central": central.tolist(),
            "central_stderr": central_stderr.tolist(),
            "highest_density": self.highest_density.compute().tolist(),
            "highest_density_stderr": self.highest_density.stderr().tolist(),
            "width_90": torch.atleast_1d(self.width.compute()).tolist(),
            "pit_estimator": "exact" if self._exact_pit else "draws",
            "pit": _histogram(self.pit),
        }
        if self.rosenblatt.update_called:
            calibration["rosenblatt"] = _histogram(self.rosenblatt)
        return {
            "crps": float(self.crps.compute()),
            "crps_stderr": float(self.crps.stderr()),
            "crps_estimator": self.crps.estimator,
            "energy_score": float(self.energy_score.compute()),
            "energy_score_stderr": float(self.energy_score.stderr()),
            "coverage_90": float(central[place]),
            "coverage_90_stderr": float(central_stderr[place]),
            **{name: _number(value) for name, value in self.point.overall().items()},
            "point": {
                name: _numbers(torch.atleast_1d(each))
                for name, each in self.point.compute().items()
            },
            "calibration": calibration,
            "crps_per_sequence": _numbers(self.crps.values()),
            "energy_score_per_sequence": _numbers(self.energy_score.values()),
        }


def _histogram(histogram: UniformHistogram) -> dict[str, Any]:
    counts = histogram.compute()
    totals = counts.sum(-1)
    # Of the feature with the fewest values, whose distance is the largest by chance.
    chance, spread = distance_by_chance(int(totals[totals > 0].min()))
    return {
        "counts": counts.tolist(),
        "distance": _numbers(histogram.distance()),
        "distance_by_chance": chance,
        "distance_by_chance_std": spread,
    }


def _numbers(values: Tensor) -> list[float | None]:
    return [_number(value) for value in values.tolist()]


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value
