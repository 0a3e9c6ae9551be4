"""All that tells whether a density can be believed, from one set of draws, as plain values."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution

from seqmdn.metrics.components import ComponentUse
from seqmdn.metrics.coverage import (
    Coverage,
    central_level,
    highest_density_level,
    log_prob_of_draws,
)
from seqmdn.metrics.draws import seeded
from seqmdn.metrics.forecasts import point_forecast
from seqmdn.metrics.frames import FrameMean, counted_frames, observed_mean
from seqmdn.metrics.integral_transforms import pit, rosenblatt_pit
from seqmdn.metrics.marginals import Marginals
from seqmdn.metrics.point import explained_variance
from seqmdn.metrics.regions import region_side
from seqmdn.metrics.reliability import (
    joint_test,
    reliability,
    transform_tests,
    uniform_histogram,
)
from seqmdn.metrics.scores import CRPS, EnergyScore
from seqmdn.metrics.sharpness import Sharpness

__all__ = ["INTERVALS", "DensityDiagnosis"]

INTERVALS = (0.5, 0.8, 0.9, 0.95)
_SEARCHED = 16  # features, up to which the search for quantiles takes no longer than all else
_LEAST = 39  # draws, of which the widest interval needs its borders


class DensityDiagnosis:
    """Gathers scores, errors, calibration and sharpness of densities, batch by batch.

    Beside what :class:`DensityReport` has: errors of the mean and the median, intervals and regions
    of four levels with their sizes, a test of uniformity on the transforms themselves instead of
    their histogram, and what the components do. It holds a few numbers of every value, so it is for
    a sample of frames and for one process. Of more than 16 features, quantiles (medians and widths)
    are those of the draws. Values and densities must be in the data's own units.

    Args:
        features: D.
        draws: S of each frame, at least 39.
        seed: decides the draws, together with the number of the update.

    Raises:
        ValueError: If there are too few draws.

    Example:
        >>> from seqmdn.distributions import LowRankPrecisionNormal
        >>> _ = torch.manual_seed(0)
        >>> diagnosis = DensityDiagnosis(features=1, draws=99)
        >>> normal = LowRankPrecisionNormal(torch.zeros(500, 1), torch.ones(500, 1))
        >>> diagnosis.update(normal, normal.sample())
        >>> found = diagnosis.compute()
        >>> round(found["intervals"][2]["width"], 4), found["uniformity"]["p_value"] > 0.05
        (3.2897, True)
    """

    def __init__(self, features: int, draws: int = 200, seed: int = 0) -> None:
        if draws < _LEAST:
            raise ValueError(
                f"expected {_LEAST} draws or more, enough for the borders of a 95 % interval; found"
                f" {draws}."
            )
        self.features, self.draws, self.seed = features, draws, seed
        self.exact: dict[str, bool] = {}
        self._crps, self._energy = CRPS(), EnergyScore()
        self._squared, self._absolute = FrameMean(), FrameMean()
        self._central, self._highest = Coverage(INTERVALS), Coverage(INTERVALS)
        self._widths = [
            Sharpness(features, level, exact=features <= _SEARCHED) for level in INTERVALS
        ]
        self._sides = FrameMean(len(INTERVALS))
        self._components = ComponentUse()
        self._kept: dict[str, list[Tensor]] = {}
        self._updates = 0

    @torch.no_grad()
    def update(
        self,
        distribution: Distribution,
        value: Tensor,
        mask: Tensor | None = None,
        observed: Tensor | None = None,
    ) -> None:
        """Adds a batch of sequences; arguments and errors are those of `DensityReport.update`."""
        value, mask, observed = counted_frames(distribution, value, mask, observed)
        self._updates += 1
        with seeded(value.device, self.seed, self._updates):
            samples = distribution.sample(torch.Size([self.draws]))
            metrics: list[Any] = [self._crps, self._energy, *self._widths]
            for metric in metrics:
                metric.update(distribution, value, mask, samples, observed)
            u = pit(distribution, value, samples)
            densities = log_prob_of_draws(distribution, samples, observed)
            level = highest_density_level(distribution, value, samples, observed, densities)
        self._central.update(central_level(u), mask, observed)
        seen = None if observed is None else observed.any(-1, keepdim=True)
        self._highest.update(level.unsqueeze(-1), mask, seen)
        self._keep("value", value, mask)
        self._keep("pit", u, mask)
        given_others = rosenblatt_pit(distribution, value, observed)
        if given_others is not None:
            self._keep("rosenblatt", given_others, mask)
        self._add_points(distribution, value, mask, samples, observed)
        if observed is None:  # of a part of a frame, regions have fewer dimensions
            self._sides.update(region_side(densities, self.features, INTERVALS), mask)
            self._components.update(distribution, value, mask)
        marginals = Marginals.of(distribution)
        self.exact = {
            "probabilities": marginals is not None,
            "quantiles": marginals is not None and self.features <= _SEARCHED,
            "mean": marginals is not None and marginals.scale is not None,
        }

    def compute(self) -> dict[str, Any]:
        """Returns plain values, ready for JSON; None stands for what has no number.

        Scores (``crps``, ``energy_score``, ``rmse``, ``mae_of_median``) with their standard errors
        over sequences, ``r2``; ``intervals``, of each level the share of values in the central
        intervals and of frames in the regions, their sizes, and the width of the values' own
        interval (``spread``); ``features``, lists of one number a feature; ``pit`` and, of several
        features, ``rosenblatt`` with their histograms; ``uniformity``, the test of the latter or
        else of the former; ``reliability`` and ``components``.
        """
        value, u = self._all("value"), self._all("pit")
        squared, absolute = self._all("squared"), self._all("absolute")
        r2 = explained_variance(squared, value)
        tests = transform_tests(u)
        rosenblatt = self._all("rosenblatt") if "rosenblatt" in self._kept else None
        rmse = float(self._squared.compute().clamp(min=0).sqrt())
        found = {
            "frames": len(value),
            "values": int((~value.isnan()).sum()),
            "draws": self.draws,
            "seed": self.seed,
            "exact": {**self.exact, "crps": self._crps.estimator == "exact"},
            "crps": _scored(self._crps),
            "energy_score": _scored(self._energy),
            "rmse": {
                "value": rmse,
                "stderr": _number(float(self._squared.stderr()) / (2 * rmse) if rmse else math.nan),
            },
            "mae_of_median": _scored(self._absolute),
            "r2": _number(float(r2.nanmean())),
            "intervals": self._intervals(value),
            "features": {
                "rmse": _numbers(squared.nanmean(0).clamp(min=0).sqrt()),
                "mae_of_median": _numbers(absolute.nanmean(0)),
                "r2": _numbers(r2),
                "coverage_90": _numbers((central_level(u) <= 0.9).sum(0) / (~u.isnan()).sum(0)),
                "width_90": torch.atleast_1d(self._widths[2].compute()).tolist(),
                "distance": [None if test is None else test[0] for test in tests],
                "p_value": [None if test is None else test[1] for test in tests],
            },
            "pit": [uniform_histogram(column) for column in u.unbind(1)],
            "uniformity": joint_test(u, rosenblatt),
            "reliability": reliability(u),
            "components": self._components.compute(),
        }
        if rosenblatt is not None and self.features > 1:
            found["rosenblatt"] = uniform_histogram(rosenblatt.flatten())
        return found

    def _intervals(self, value: Tensor) -> list[dict[str, Any]]:
        central, highest = self._central.compute(), self._highest.compute()
        central_error, highest_error = self._central.stderr(), self._highest.stderr()
        sides = self._sides.compute() if self._sides.update_called else None
        found = []
        for i, level in enumerate(INTERVALS):
            borders = torch.tensor([0.5 * (1 - level), 0.5 * (1 + level)], dtype=value.dtype)
            # torch's quantile takes no more than 16 million values at a time.
            own = torch.stack([column.nanquantile(borders) for column in value.unbind(1)], dim=1)
            found.append(
                {
                    "level": level,
                    "central": float(central[i]),
                    "central_stderr": _number(float(central_error[i])),
                    "width": float(self._widths[i].compute().mean()),
                    "highest_density": float(highest[i]),
                    "highest_density_stderr": _number(float(highest_error[i])),
                    "side": None if sides is None else float(sides[i]),
                    "spread": _number(float((own[1] - own[0]).nanmean())),
                }
            )
        return found

    def _add_points(
        self,
        distribution: Distribution,
        value: Tensor,
        mask: Tensor,
        samples: Tensor,
        observed: Tensor | None,
    ) -> None:
        point = point_forecast(distribution, samples, self.features <= _SEARCHED)
        squared = (value - point.mean).square() - point.variance
        absolute = (value - point.median).abs()
        for name, metric, error in (
            ("squared", self._squared, squared),
            ("absolute", self._absolute, absolute),
        ):
            self._keep(name, error, mask)
            mean, weight = observed_mean(error.unsqueeze(-1), observed)
            metric.update(mean.squeeze(-1), mask, weight)

    def _keep(self, name: str, values: Tensor, mask: Tensor) -> None:
        self._kept.setdefault(name, []).append(values[mask].cpu())

    def _all(self, name: str) -> Tensor:  # (N, D)
        if name not in self._kept:
            raise ValueError("no frames to diagnose: call update before compute.")
        return torch.cat(self._kept[name])


def _scored(metric: FrameMean) -> dict[str, float | None]:
    return {"value": float(metric.compute()), "stderr": _number(float(metric.stderr()))}


def _numbers(values: Tensor) -> list[float | None]:
    return [_number(value) for value in values.tolist()]


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
