"""What a density is judged by: scores with their units and errors, calibration and sharpness.

The log score is :class:`NegativeLogLikelihood`. The others look at frames: the CRPS at each feature
by itself, the energy score at whole frames, both in the unit of the data; coverage and histograms
at whether what was observed stands where the density says it should. Each is a torchmetrics metric
that keeps what a standard error over sequences, and a paired comparison of two models, need.
"""

from seqmdn.metrics.components import DEAD, ComponentUse
from seqmdn.metrics.coverage import Coverage, central_level, highest_density_level
from seqmdn.metrics.diagnosis import INTERVALS, DensityDiagnosis
from seqmdn.metrics.energy import energy_score
from seqmdn.metrics.forecasts import PointForecast, point_forecast, point_of
from seqmdn.metrics.frames import FrameMean
from seqmdn.metrics.histogram import UniformHistogram, distance_by_chance
from seqmdn.metrics.information import bic
from seqmdn.metrics.integral_transforms import pit, rosenblatt_pit
from seqmdn.metrics.likelihood import NegativeLogLikelihood, bits_per_dim, paired_difference
from seqmdn.metrics.point import PointErrors, explained_variance
from seqmdn.metrics.ranked_probability import crps_mixture, crps_samples
from seqmdn.metrics.regions import region_side
from seqmdn.metrics.report import DensityReport
from seqmdn.metrics.scores import CRPS, EnergyScore, crps
from seqmdn.metrics.sharpness import Sharpness, central_interval
from seqmdn.metrics.uniformity import critical_distance, histogram_band, kolmogorov_smirnov

__all__ = [
    "CRPS",
    "ComponentUse",
    "Coverage",
    "DEAD",
    "DensityDiagnosis",
    "DensityReport",
    "EnergyScore",
    "FrameMean",
    "INTERVALS",
    "NegativeLogLikelihood",
    "PointErrors",
    "PointForecast",
    "Sharpness",
    "UniformHistogram",
    "bic",
    "bits_per_dim",
    "central_interval",
    "central_level",
    "critical_distance",
    "crps",
    "crps_mixture",
    "crps_samples",
    "distance_by_chance",
    "energy_score",
    "explained_variance",
    "highest_density_level",
    "histogram_band",
    "kolmogorov_smirnov",
    "paired_difference",
    "pit",
    "point_forecast",
    "point_of",
    "region_side",
    "rosenblatt_pit",
]
