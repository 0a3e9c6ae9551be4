"""What a density is judged by: likelihoods with their units and errors, and scores of draws."""

from seqmdn.metrics.crps import crps_mixture
from seqmdn.metrics.energy import energy_score
from seqmdn.metrics.likelihood import NegativeLogLikelihood, bits_per_dim, paired_difference

__all__ = [
    "NegativeLogLikelihood",
    "bits_per_dim",
    "crps_mixture",
    "energy_score",
    "paired_difference",
]
