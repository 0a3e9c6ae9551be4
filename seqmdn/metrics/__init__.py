"""What a density is judged by: scores with their units and errors, calibration and sharpness.

The log score is :class:`NegativeLogLikelihood`. The others look at frames: the CRPS at each feature
by itself, the energy score at whole frames, both in the unit of the data; coverage and histograms
at whether what was observed stands where the density says it should. Each is a torchmetrics metric
that keeps what a standard error over sequences, and a paired comparison of two models, need.
"""

from seqmdn.metrics.components import ComponentUse, mixture_of
from seqmdn.metrics.coverage import Coverage, central_level, highest_density_level
from seqmdn.metrics.energy import energy_score
from seqmdn.metrics.frames import FrameMean
from seqmdn.metrics.histogram import UniformHistogram, distance_by_chance
from seqmdn.metrics.information import bic
from seqmdn.metrics.integral_transforms import pit, rosenblatt_pit
from seqmdn.metrics.likelihood import NegativeLogLikelihood, bits_per_dim, paired_difference
from seqmdn.metrics.point import PointErrors, point_of
from seqmdn.metrics.ranked_probability import crps_mixture, crps_samples
from seqmdn.metrics.report import DensityReport
from seqmdn.metrics.scores import CRPS, EnergyScore, crps
from seqmdn.metrics.sharpness import Sharpness, central_interval

__all__ = [
    "CRPS",
    "ComponentUse",
    "Coverage",
    "DensityReport",
    "EnergyScore",
    "FrameMean",
    "NegativeLogLikelihood",
    "PointErrors",
    "Sharpness",
    "UniformHistogram",
    "bic",
    "bits_per_dim",
    "central_interval",
    "central_level",
    "crps",
    "crps_mixture",
    "crps_samples",
    "distance_by_chance",
    "energy_score",
    "highest_density_level",
    "mixture_of",
    "paired_difference",
    "pit",
    "point_of",
    "rosenblatt_pit",
]
