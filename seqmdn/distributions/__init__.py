"""Distributions with exact densities: a Gaussian in precision form, its mixtures, their flows."""

from seqmdn.distributions.factorised import FactorisedMixture
from seqmdn.distributions.flowed import Flowed
from seqmdn.distributions.gaussian import LowRankPrecisionNormal
from seqmdn.distributions.mixture import Mixture

__all__ = ["FactorisedMixture", "Flowed", "LowRankPrecisionNormal", "Mixture"]
