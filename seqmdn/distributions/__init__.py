r"""Distributions with exact densities: a Gaussian in precision form, its mixtures, their flows.

The family is closed. With precisions :math:`\Lambda = D + U U^\top`, a conditional and a marginal
of a mixture are mixtures again, and nothing below is approximated, rejected or sampled for.

**Conditioning.** What is known of a frame fills in the rest; the weights follow the evidence:

    >>> import torch
    >>> from torch.distributions import Categorical
    >>> loc = torch.tensor([[0.0, 0.0, 0.0], [4.0, 4.0, 4.0]])
    >>> gaussians = LowRankPrecisionNormal(loc, torch.ones(2, 3), torch.ones(2, 3, 1))
    >>> mixture = Mixture(Categorical(logits=torch.zeros(2)), gaussians)
    >>> frame = torch.tensor([3.0, 0.0, 0.0])  # of which the last two are not known
    >>> rest = mixture.condition(frame, torch.tensor([True, False, False]))
    >>> rest.mixture_distribution.probs, rest.mean  # the second component explains it
    (tensor([0.0048, 0.9952]), tensor([4.3077, 4.3077]))

The joint density is that of the part times that of the rest given the part:

    >>> part = mixture.marginal([0]).log_prob(frame[:1])
    >>> torch.allclose(mixture.log_prob(frame), part + rest.log_prob(frame[1:]))
    True

**Missing features.** A mask, other in every frame, makes of `log_prob` the likelihood of what was
observed; what stands in the other places is not read, and a frame of which nothing was observed
adds 0. A :class:`seqmdn.models.SequenceModel` made with ``missing=True`` trains and scores so:

    >>> frames = torch.tensor([[3.0, float("nan"), float("nan")], [float("nan")] * 3])
    >>> mixture.log_prob(frames, ~frames.isnan()), part
    (tensor([-2.1301,  0.0000]), tensor(-2.1301))

**Calibration.** The Rosenblatt transform takes one feature after the other, each given those
before it. Of draws of the density itself it makes independent uniform numbers; of real frames, only
if the density is right. Their histogram is one of the panels that ``seqmdn evaluate RUN --out
calibration.png`` draws of a trained model, beside the coverage of intervals and regions:

    >>> _ = torch.manual_seed(0)
    >>> u = mixture.rosenblatt(mixture.sample((10_000,)))
    >>> (torch.histc(u, bins=5, min=0, max=1) / u.numel()).round(decimals=1)
    tensor([0.2000, 0.2000, 0.2000, 0.2000, 0.2000])
    >>> too_wide = mixture.tempered(scale=4.0).rosenblatt(mixture.sample((10_000,)))
    >>> (torch.histc(too_wide, bins=5, min=0, max=1) / u.numel()).round(decimals=1)
    tensor([0.1000, 0.3000, 0.3000, 0.3000, 0.1000])
"""

from seqmdn.distributions.closed import ClosedDistribution
from seqmdn.distributions.factorised import FactorisedMixture
from seqmdn.distributions.flowed import Flowed
from seqmdn.distributions.gaussian import LowRankPrecisionNormal
from seqmdn.distributions.mixture import Mixture

__all__ = [
    "ClosedDistribution",
    "FactorisedMixture",
    "Flowed",
    "LowRankPrecisionNormal",
    "Mixture",
]
