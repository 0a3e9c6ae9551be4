r"""Distributions with exact densities: a Gaussian in precision form, its mixtures, their flows.

=========================== =======================================================================
`LowRankPrecisionNormal`    one Gaussian of precision :math:`D + U U^\top`: the diagonal says how
                            sure it is of each feature, the R columns of U which depend on which
`Mixture`                   K of them, one set of weights for the whole frame
`FactorisedMixture`         K Gaussians for each feature by itself
`Autoregressive`            features in turn, each a mixture given those before it
`Flowed`                    one of these, seen through an invertible map
`DiscretisedMixture`        one feature that is one of so many levels: a mixture cell by cell
`Classes`                   features that are each one of C classes: what a classifier says
`Circuit`                   sums and products of leaves, some of them categories: a mixture of very
                            many parts, with exact marginals and conditionals all the same
`Bits`                      what is 0 or 1, each given those before it: the end of a pen's stroke
`Product`                   several of the above side by side, independent of each other: what a
                            world looks like next, and what it rewards
`Averaged`                  the mean of several densities: what an ensemble says
`Joint`                     one of the above beside bits: a pen's next point
=========================== =======================================================================

They are `torch.distributions`: `log_prob` in nats, `sample`, `rsample`, `mean`, `cdf`, `icdf`. A
batch shape (*batch) stands for as many contexts, an event is a frame of D features. The first three
are closed (`ClosedDistribution`): what follows stays in the family and is exact, with nothing
approximated, rejected or sampled for. The others have the density, the draws and the calibration.

**A density fitted to data.** Handwritten digits, 64 pixels of 17 grey levels, each level spread
evenly over its cell. Ten Gaussians, which begin at the means of the ten digits; any module, or
plain tensors as here, can give the parameters:

    >>> import torch
    >>> from sklearn.datasets import load_digits
    >>> from torch.distributions import Categorical
    >>> _ = torch.manual_seed(0)
    >>> images, labels = map(torch.tensor, load_digits(return_X_y=True))
    >>> images = images.float() + torch.rand(images.shape)
    >>> known, fresh, labels = images[:1400], images[1400:], labels[:1400]
    >>> means = torch.stack([known[labels == digit].mean(0) for digit in range(10)])
    >>> def mixture_of(logits, loc, log_diagonal, factor):
    ...     gaussians = LowRankPrecisionNormal(loc, log_diagonal.exp(), factor)
    ...     return Mixture(Categorical(logits=logits), gaussians)
    >>> start = torch.zeros(10), means, -torch.ones(10, 64), 0.1 * torch.randn(10, 64, 2)
    >>> parameters = [tensor.requires_grad_() for tensor in start]
    >>> optimiser = torch.optim.Adam(parameters, lr=0.05)
    >>> for _ in range(80):
    ...     optimiser.zero_grad()
    ...     loss = -mixture_of(*parameters).log_prob(known).mean()
    ...     loss.backward()
    ...     optimiser.step()
    >>> digits = mixture_of(*(p.detach() for p in parameters))
    >>> bits = -digits.log_prob(fresh).mean() / 64 / torch.tensor(2.0).log()
    >>> round(bits.item(), 1)  # a pixel; log2(17) = 4.1 for knowing nothing
    2.9

**Conditioning.** What is known of a frame fills in the rest: here the upper half of a digit its
lower one. The density of the 32 pixels that are left is again such a mixture, exact, with every
weight updated by how well its Gaussian explains what was seen. Entries that are not known are not
read; `observed` says which are:

    >>> upper = torch.arange(64) < 32
    >>> lower = digits.condition(fresh, observed=upper)
    >>> lower.batch_shape, lower.event_shape
    (torch.Size([397]), torch.Size([32]))
    >>> draws = lower.sample((5,))  # five lower halves for each, in one pass
    >>> def error(guess):  # grey levels, of a pixel on average
    ...     return round((guess - fresh[:, 32:]).abs().mean().item(), 1)
    >>> error(digits.mean[32:]), error(lower.mean)  # without and with the upper half
    (3.3, 2.6)

The joint density is that of the part times that of the rest given the part:

    >>> first = digits.marginal(range(32))
    >>> product = first.log_prob(fresh[:, :32]) + lower.log_prob(fresh[:, 32:])
    >>> torch.allclose(product, digits.log_prob(fresh), rtol=1e-5)
    True

**Missing features.** A mask, other in every frame, makes of `log_prob` the likelihood of what was
observed; what stands in the other places is not read, and a frame of which nothing was observed
adds 0. So it can be trained and scored on frames with holes, without filling them:

    >>> seen = torch.rand(fresh.shape) < 0.5
    >>> seen[0], seen[1] = upper, False
    >>> found = digits.log_prob(fresh.where(seen, torch.nan), seen)
    >>> torch.allclose(found[0], first.log_prob(fresh[0, :32])), found[1]
    (True, tensor(0.))

**Calibration.** Is a density right, beyond being likely? The Rosenblatt transform takes one feature
after the other, each given those before it. Of draws of the density itself it makes independent
uniform numbers; of real frames, only if the density is right. Of the mixture's own draws half lie
in the middle half of (0, 1), of digits that it has not seen fewer: ten Gaussians fitted to 1,400
images are too sure of others. With a mask, each observed feature is taken given the observed ones
before it, so that frames with holes can be judged as well:

    >>> def middle(u):
    ...     return ((u > 0.25) & (u < 0.75)).float().mean().item()
    >>> 0.49 < middle(digits.rosenblatt(digits.sample((400,)))) < 0.52
    True
    >>> middle(digits.rosenblatt(fresh)) < 0.46, middle(digits.rosenblatt(fresh, seen)[seen]) < 0.46
    (True, True)

**Of sequences.** A :class:`seqmdn.models.SequenceModel` gives such a density of each frame, given
those before it, and ``missing=True`` makes it take frames with holes. ``seqmdn evaluate RUN --out
calibration.png`` draws the histograms of a trained one beside the coverage of its intervals and
regions. recipes/pixels/digits has that picture, and completions.png with lower halves filled in row
by row, of recurrent models of these digits, of which the best needs 1.8 bits a pixel.
"""

from seqmdn.distributions.affine import rescaled
from seqmdn.distributions.autoregressive import Autoregressive
from seqmdn.distributions.averaged import Averaged, average
from seqmdn.distributions.bits import Bits
from seqmdn.distributions.circuit import Circuit
from seqmdn.distributions.classes import Classes
from seqmdn.distributions.closed import ClosedDistribution
from seqmdn.distributions.discretised import DiscretisedMixture
from seqmdn.distributions.explanation import Explanation, most_probable
from seqmdn.distributions.factorised import FactorisedMixture
from seqmdn.distributions.flowed import Flowed
from seqmdn.distributions.gaussian import LowRankPrecisionNormal
from seqmdn.distributions.joint import Joint
from seqmdn.distributions.mixture import Mixture
from seqmdn.distributions.product import Product

__all__ = [
    "Autoregressive",
    "Averaged",
    "Bits",
    "Classes",
    "Circuit",
    "ClosedDistribution",
    "DiscretisedMixture",
    "Explanation",
    "FactorisedMixture",
    "Flowed",
    "Joint",
    "LowRankPrecisionNormal",
    "Mixture",
    "Product",
    "average",
    "most_probable",
    "rescaled",
]
