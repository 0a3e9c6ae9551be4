"""A VRNN all of whose parts are affine: its density is a Gaussian that is known exactly."""

from functools import partial

import torch
from torch import Tensor, nn
from torch.distributions import MultivariateNormal

from seqmdn.backbones import Backbone
from seqmdn.data import Identity
from seqmdn.heads import MixtureHead
from seqmdn.models import VRNN

D, Z, H = 3, 2, 4


class LinearBackbone(Backbone):
    """h_t = A h_{t-1} + B x_t, from h_0 = 0."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.inputs, self.features = inputs, H
        self.before = nn.Linear(H, H, bias=False)
        self.now = nn.Linear(inputs, H)

    def forward(
        self, x: Tensor, state: tuple[Tensor, ...] | None = None
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        h = x.new_zeros(len(x), H) if state is None else state[0]
        outputs = []
        for each in x.unbind(1):
            h = 0.5 * self.before(h) + self.now(each)
            outputs.append(h)
        return torch.stack(outputs, 1), (h,)


def linear_vrnn(samples: int = 8, context: int = 0) -> VRNN:
    """Standard deviations that do not depend on anything; means that depend on everything.

    The posterior is near the true one of its step, and not it.
    """
    torch.manual_seed(0)
    model = VRNN(
        D,
        context,
        backbone=LinearBackbone,
        head=partial(MixtureHead, components=1),
        transform=lambda features: Identity(),
        latent=Z,
        layers=0,
        samples=samples,
    ).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(0.6 * torch.randn(parameter.shape))
        for gaussian in (model.prior, model.posterior):
            gaussian.output.weight[Z:] = 0
        model.head.projection.weight[-D:] = 0
        make_posterior_exact(model)
        model.posterior.output.weight[:Z] += 0.1 * torch.randn(Z, D + H)
        model.posterior.output.bias += torch.tensor(
            [0.2, -0.2, 1, 1]
        )  # wider, so that weights are bounded
    return model


@torch.no_grad()
def separate(model: VRNN) -> None:
    """Let each feature of z move a frame's feature of its own: their posterior is diagonal then."""
    weight = model.head.projection.weight  # of the logit, then of the means
    weight[1 : 1 + D, :Z] = 0
    weight[1, 0], weight[2, 1] = 1.3, -0.7
    make_posterior_exact(model)


def affine(function: object, size: int) -> tuple[Tensor, Tensor]:
    """The matrix and the constant of an affine map of ``size`` numbers, by asking it."""
    points = torch.cat((torch.zeros(1, size), torch.eye(size))).double()
    with torch.no_grad():
        values = function(points)  # type: ignore[operator]
    return (values[1:] - values[0]).T, values[0]


def exact(model: VRNN, time: int) -> MultivariateNormal:
    """The density of all frames, (time D,): every variable as an affine map of standard normals."""
    count = time * (Z + D)

    def constant(value: Tensor) -> tuple[Tensor, Tensor]:
        return torch.zeros(len(value), count).double(), value

    def apply(
        map_: tuple[Tensor, Tensor], *variables: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, Tensor]:
        matrix = torch.cat([matrix for matrix, _ in variables])
        offset = torch.cat([offset for _, offset in variables])
        return map_[0] @ matrix, map_[0] @ offset + map_[1]

    def noisy(variable: tuple[Tensor, Tensor], scale: Tensor, first: int) -> tuple[Tensor, Tensor]:
        matrix = variable[0].clone()
        matrix[range(len(scale)), range(first, first + len(scale))] += scale
        return matrix, variable[1]

    backbone = model.backbone
    inputs = affine(backbone.now, D + Z)
    before = affine(lambda h: 0.5 * backbone.before(h), H)
    prior = affine(lambda h: model.prior(h).loc, H)
    head = affine(lambda x: model.head(x).component_distribution.loc[..., 0, :], Z + H)
    zero = torch.zeros(1, H).double()
    prior_scale = model.prior(zero).scale[0].detach()
    precision = model.head(torch.zeros(1, Z + H).double()).component_distribution.diagonal[0, 0]
    frame, latent = constant(model.start.detach()), constant(torch.zeros(Z).double())
    h, frames = constant(zero[0]), []
    for t in range(time):
        now, past = apply(inputs, frame, latent), apply(before, h)
        h = now[0] + past[0], now[1] + past[1]
        latent = noisy(apply(prior, h), prior_scale, t * (Z + D))
        frame = noisy(apply(head, latent, h), precision.detach().rsqrt(), t * (Z + D) + Z)
        frames.append(frame)
    matrix = torch.cat([matrix for matrix, _ in frames])
    offset = torch.cat([offset for _, offset in frames])
    return MultivariateNormal(offset, matrix @ matrix.T)


@torch.no_grad()
def make_posterior_exact(model: VRNN) -> None:
    """Make q the posterior of z given the frame and h, as far as that has no correlation."""
    prior_matrix, prior_offset = affine(lambda h: model.prior(h).loc, H)
    matrix, offset = affine(lambda x: model.head(x).component_distribution.loc[..., 0, :], Z + H)
    zero = torch.zeros(1, Z + H).double()
    precision = model.head(zero).component_distribution.diagonal[0, 0]
    of_prior = model.prior(zero[:, :H]).scale[0].square().reciprocal()
    of_z, of_h = matrix[:, :Z], matrix[:, Z:]
    inverse = torch.linalg.inv(of_prior.diag() + of_z.T @ precision.diag() @ of_z)
    gain = inverse @ of_z.T @ precision.diag()
    from_prior = inverse @ of_prior.diag()
    output = model.posterior.output
    output.weight[:Z, :D] = gain
    output.weight[:Z, D:] = from_prior @ prior_matrix - gain @ of_h
    output.bias[:Z] = from_prior @ prior_offset - gain @ offset
    scale = inverse.diagonal().sqrt() - model.posterior.floor
    output.bias[Z:] = scale.expm1().log()
