"""Activation normalisation: an affine map of each feature that begins where the data are."""

import torch
from torch import Tensor, nn
from torch.distributions import Transform

from seqmdn.flows.flow import Flow, VectorTransform, require_sizes

__all__ = ["ActivationNorm"]


class ActivationNorm(Flow):
    r"""Shifts and scales each feature, first by the mean and deviation of data, then as it learns.

    .. math:: z = (y - m) \, e^{s}, \quad \log |\det| = \sum_d s_d

    It begins as the identity, m = s = 0, and is set once, so that the frames it is set from have
    mean 0 and (population) standard deviation 1 in z:

    - by ``initialise``, which a head calls before training. :class:`seqmdn.heads.FlowMixtureHead`
      places its components on z thereafter, so that the density it begins with is the mixture of
      the normalised frames in the data's own units: a :class:`seqmdn.heads.MixtureHead` placed on
      these frames. On standardised data the map stays the identity up to rounding;
    - or else by the first frames it meets in training mode. Evaluation and drawing never set it.

    That it is set is kept in the buffer ``initialised``, so that a run that goes on from a
    checkpoint does not set it again. Where several processes train, call ``initialise`` with the
    same frames in all of them: first batches differ. A feature that is constant over the frames
    keeps the scale 1. With a context, m and s are affine in h, and begin without h.

    Args:
        features: Number of features D.
        context: Number of context features H, 0 for none.

    Raises:
        ValueError: If D is below 1, or the frames to be set from are fewer than 2 or not finite.

    References:
        Glow: Generative Flow with Invertible 1x1 Convolutions (Kingma, Dhariwal, 2018).

    Example:
        >>> flow = ActivationNorm(1)
        >>> y = torch.tensor([[1.0], [5.0]])
        >>> flow()(y).tolist()  # in training mode: mean 3, deviation 2
        [[-1.0], [1.0]]
        >>> flow.eval()(None).call_and_ladj(torch.tensor([[7.0]]))
        (tensor([[2.]], grad_fn=...), tensor([-0.6931], grad_fn=...))
    """

    initialised: Tensor  # ()

    def __init__(self, features: int, context: int = 0) -> None:
        require_sizes(context, features=features)
        super().__init__(features, context, [])
        self.loc = nn.Parameter(torch.zeros(features))
        self.log_scale = nn.Parameter(torch.zeros(features))
        self.register_buffer("initialised", torch.zeros((), dtype=torch.bool))
        if context:
            self.projection = nn.Linear(context, 2 * features, bias=False)
            nn.init.zeros_(self.projection.weight)

    @torch.no_grad()
    def initialise(self, values: Tensor, context: Tensor | None = None) -> None:
        """Set the map so that these frames have mean 0 and deviation 1, again if need be.

        Args:
            values: Frames ``(N, D)``, at least 2.
            context: Their contexts, which are not looked at: what h does begins at 0.
        """
        frames = values.detach().reshape(-1, values.shape[-1]).double()
        if frames.shape[-1] != self.features or len(frames) < 2:
            raise ValueError(
                f"activation normalisation needs at least 2 frames of {self.features} features to "
                f"be set from, found shape {tuple(values.shape)}: call initialise with a sample "
                "of the data before training"
            )
        if not frames.isfinite().all():
            raise ValueError(
                "activation normalisation is set from finite frames, found NaN or infinity: mend "
                "the data, or leave out such frames"
            )
        deviation = frames.std(dim=0, correction=0)
        # Equal numbers may differ from their mean by rounding, hence the comparison.
        constant = (frames.amin(0) == frames.amax(0)) | (deviation == 0)
        self.loc.copy_(frames.mean(dim=0))
        self.log_scale.copy_(-deviation.where(~constant, 1).log())
        if self.context:
            self.projection.weight.zero_()
        self.initialised.fill_(True)

    def extra_repr(self) -> str:
        return f"features={self.features}, context={self.context}"

    def _transform(self, context: Tensor | None) -> Transform:
        return _Normalise(self, context)

    def _parameters_of(self, context: Tensor | None) -> tuple[Tensor, Tensor]:  # (*batch, D) each
        if context is None:
            return self.loc, self.log_scale
        loc, log_scale = self.projection(context).chunk(2, dim=-1)
        return self.loc + loc, self.log_scale + log_scale


class _Normalise(VectorTransform):
    """The parameters are read when frames are there: the first of them may set them."""

    def __init__(self, norm: ActivationNorm, context: Tensor | None) -> None:
        super().__init__()
        self.norm = norm
        self.context = context

    def call_and_ladj(self, x: Tensor) -> tuple[Tensor, Tensor]:
        if self.norm.training and not self.norm.initialised:
            self.norm.initialise(x)
        loc, log_scale = self.norm._parameters_of(self.context)
        z = (x - loc) * log_scale.exp()
        return z, log_scale.sum(-1).expand(z.shape[:-1])

    def _inverse(self, y: Tensor) -> Tensor:
        loc, log_scale = self.norm._parameters_of(self.context)
        return y * (-log_scale).exp() + loc
