r"""Distributions with exact densities: a Gaussian in precision form, its mixtures, their flows.

=========================== =======================================================================
`LowRankPrecisionNormal`    one Gaussian of precision :math:`D + U U^\top`: the diagonal says how
                            sure it is of each feature, the R columns of U which depend on which
`Mixture`                   K of them, one set of weights for the whole frame
`FactorisedMixture`         K Gaussians for each feature by itself
`Flowed`                    one of these, seen through an invertible map
=========================== =======================================================================

They are `torch.distributions`: `log_prob` in nats, `sample`, `rsample`, `mean`, `cdf`, `icdf`. A
batch shape (*batch) stands for as many contexts, an event is a frame of D features. The first three
are closed (`ClosedDistribution`): what follows stays in the family and is exact, with nothing
approximated, rejected or sampled for. A flow has the density, the draws and the calibration.

**A density fitted to data.** Points near a circle: what the second coordinate is, given the first,
has two answers. Any module, or plain tensors as here, can give the parameters:

    >>> import torch
    >>> from torch.distributions import Categorical
    >>> _ = torch.manual_seed(0)
    >>> angle = 6.2832 * torch.rand(3000)
    >>> points = torch.stack((angle.cos(), angle.sin()), dim=-1) + 0.1 * torch.randn(3000, 2)
    >>> known, fresh = points[:1000], points[1000:]
    >>> def mixture_of(logits, loc, log_diagonal, factor):
    ...     gaussians = LowRankPrecisionNormal(loc, log_diagonal.exp(), factor)
    ...     return Mixture(Categorical(logits=logits), gaussians)
    >>> parameters = [torch.zeros(8), known[:8].clone(), torch.ones(8, 2), torch.ones(8, 2, 1)]
    >>> optimiser = torch.optim.Adam([p.requires_grad_() for p in parameters], lr=0.05)
    >>> for _ in range(150):
    ...     optimiser.zero_grad()
    ...     loss = -mixture_of(*parameters).log_prob(known).mean()
    ...     loss.backward()
    ...     optimiser.step()
    >>> circle = mixture_of(*(p.detach() for p in parameters))
    >>> round(-circle.log_prob(fresh).mean().item(), 1)  # nats a point, of which 0.95 is the least
    1.0

**Conditioning.** What is known of a frame fills in the rest. Entries that are not known are not
read; `observed` says which are. The weights follow the evidence:

    >>> point = torch.tensor([0.0, float("nan")])
    >>> second = circle.condition(point, observed=torch.tensor([True, False]))
    >>> second.batch_shape, second.event_shape  # of the one coordinate that is left
    (torch.Size([]), torch.Size([1]))
    >>> torch.cat([second.icdf(q) for q in (0.1, 0.4, 0.6, 0.9)]).round(decimals=1)
    tensor([-1.0000, -0.9000,  0.9000,  1.1000])

The joint density is that of the part times that of the rest given the part:

    >>> first = circle.marginal([0])
    >>> product = first.log_prob(fresh[:5, :1]) + circle.condition(
    ...     fresh[:5], observed=torch.tensor([True, False])
    ... ).log_prob(fresh[:5, 1:])
    >>> torch.allclose(product, circle.log_prob(fresh[:5]), atol=1e-5)
    True

**Missing features.** A mask, other in every frame, makes of `log_prob` the likelihood of what was
observed; what stands in the other places is not read, and a frame of which nothing was observed
adds 0. So it can be trained and scored on frames with holes, without filling them:

    >>> nan = float("nan")
    >>> frames = torch.tensor([[0.5, 0.8], [0.5, nan], [nan, nan]])
    >>> found = circle.log_prob(frames, ~frames.isnan())
    >>> found[2], torch.allclose(found[1], first.log_prob(frames[1, :1]))
    (tensor(0.), True)

**Calibration.** Is a density right, beyond being likely? The Rosenblatt transform takes one feature
after the other, each given those before it. Of draws of the density itself it makes independent
uniform numbers; of real frames, only if the density is right. Too wide a one leaves the ends of
(0, 1) empty. Here are the shares of fifths of (0, 1), first of a right density, then of one with
twelve times the covariance:

    >>> def shares(u):
    ...     return (torch.histc(u, bins=5, min=0, max=1) / u.numel()).round(decimals=1)
    >>> shares(circle.rosenblatt(fresh))
    tensor([0.2000, 0.2000, 0.2000, 0.2000, 0.2000])
    >>> gaussian = LowRankPrecisionNormal(torch.zeros(2), torch.ones(2), torch.ones(2, 1))
    >>> shares(gaussian.tempered(scale=12.0).rosenblatt(gaussian.sample((10_000,))))
    tensor([0.0000, 0.2000, 0.6000, 0.2000, 0.0000])

With a mask, each observed feature is taken given the observed ones before it, so that frames with
holes can be judged too:

    >>> seen = torch.rand(fresh.shape) < 0.5
    >>> shares(circle.rosenblatt(fresh, seen)[seen])
    tensor([0.2000, 0.2000, 0.2000, 0.2000, 0.2000])

**Of sequences.** A :class:`seqmdn.models.SequenceModel` gives such a density of each frame, given
those before it, and ``missing=True`` makes it take frames with holes. ``seqmdn evaluate RUN --out
calibration.png`` draws the histograms of a trained one beside the coverage of its intervals and
regions; recipes/pixels/digits shows them of handwritten digits, with lower halves filled in.
"""

from seqmdn.distributions.autoregressive import Autoregressive
from seqmdn.distributions.closed import ClosedDistribution
from seqmdn.distributions.factorised import FactorisedMixture
from seqmdn.distributions.flowed import Flowed
from seqmdn.distributions.gaussian import LowRankPrecisionNormal
from seqmdn.distributions.mixture import Mixture

__all__ = [
    "Autoregressive",
    "ClosedDistribution",
    "FactorisedMixture",
    "Flowed",
    "LowRankPrecisionNormal",
    "Mixture",
]
