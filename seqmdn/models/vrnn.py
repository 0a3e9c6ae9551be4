"""The variational recurrent network: a latent variable in every step, and bounds on the density."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.distributions import Normal, kl_divergence
from torch.nn import functional as F

from seqmdn.backbones import Backbone, LSTMBackbone
from seqmdn.data import Batch, Standardise, Transform
from seqmdn.heads import MixtureHead
from seqmdn.linalg import widen
from seqmdn.models.frames import FrameModel, State
from seqmdn.models.importance import own_noise, resample

__all__ = ["VRNN"]


class VRNN(FrameModel):
    r"""A recurrent network with a latent variable in every step.

    .. math::
        p(y_{1:T}, z_{1:T}) = \prod_t p(y_t | z_t, h_t) \, N(z_t; \mu(h_t), \sigma(h_t)^2), \quad
        h_t = f(h_{t-1}, \varphi(y_{t-1}), \psi(z_{t-1}))

    The density of the frames alone is an integral over all z that nobody can compute. Two numbers
    that it exceeds, both with the help of a posterior
    :math:`q_t = N(z_t; m(y_t, h_t), s(y_t, h_t)^2)`, are expectations over draws of z:

    - the evidence bound, which is trained: :meth:`evidence_bound`,
      :math:`E_q \sum_t \log p(y_t | z_t, h_t) - KL(q_t \| p(z_t | h_t))`,
    - the importance-weighted bound of S draws, :meth:`log_prob`, which is tighter the more there
      are: :math:`E_q \sum_t \log \sum_s W_{t-1}^s w_t^s` with
      :math:`w_t = p(y_t | z_t, h_t) \, p(z_t | h_t) / q_t` and the normalised weights W of the
      draws so far, resampled where few of them carry the weight.

    Frames of a batch that do not count (burn-in) are what the others are conditioned on; a
    conditional density is only estimated, neither number is a bound on it.

    With a :class:`MixtureHead` of one component this is the VRNN-Gauss, with more the VRNN-GMM; any
    head will do.

    Args:
        features: Number of features D of a frame.
        context: Number of context features X that are known at each step, 0 for none.
        backbone: Makes f, which reads no text, from its number of inputs.
        head: Makes the head of :math:`p(y_t | z_t, h_t)` from (features, inputs).
        transform: Makes the reversible transform of the frames from their number of features.
        latent: Features Z of the latent variable.
        hidden: Width of the five networks around f: of frames, of latent variables, of their prior
            and posterior, and of the head's inputs.
        layers: Layers of each of them, linear with ReLU; 0 leaves out all but the affine maps of
            prior, posterior and head.
        samples: Draws S of the importance-weighted bound.
        floor: Lower bound of the standard deviations of prior and posterior.

    Raises:
        ValueError: If a size is out of range, or a batch does not fit.

    References:
        A Recurrent Latent Variable Model for Sequential Data (Chung, Kastner, Dinh, Goel,
        Courville, Bengio, 2015).
        Filtering Variational Objectives (Maddison, Lawson, Tucker, Heess, Norouzi, Mnih, Doucet,
        Teh, 2017), for the bound with resampling.
        Importance Weighted Autoencoders (Burda, Grosse, Salakhutdinov, 2016).

    Example:
        >>> model = VRNN(features=2, latent=4, hidden=8)
        >>> batch = Batch(values=torch.randn(3, 10, 2), lengths=torch.tensor([10, 7, 2]))
        >>> model.loss(batch).shape, model.evidence_bound(batch).shape, model.log_prob(batch).shape
        (torch.Size([]), torch.Size([3]), torch.Size([3]))
        >>> model.bound
        'importance-weighted, 16 draws'
    """

    def __init__(
        self,
        features: int,
        context: int = 0,
        backbone: Callable[[int], Backbone] = LSTMBackbone,
        head: Callable[[int, int], nn.Module] = MixtureHead,
        transform: Callable[[int], Transform] = Standardise,
        latent: int = 64,
        hidden: int = 256,
        layers: int = 2,
        samples: int = 16,
        floor: float = 1e-3,
    ) -> None:
        super().__init__(features, context, transform)
        least = {"latent": 1, "hidden": 1, "layers": 0, "samples": 1}
        for name, bound in least.items():
            if locals()[name] < bound:
                raise ValueError(f"{name} must be at least {bound}, found {locals()[name]}")
        if not floor > 0:
            raise ValueError(f"floor must be positive, found {floor}")
        self.latent = latent
        self.samples = samples
        self.of_frames = _Network(features, hidden, layers)
        self.of_latents = _Network(latent, hidden, layers)
        inputs, latents = self.of_frames.features, self.of_latents.features
        self.backbone = backbone(inputs + latents + context)
        H = self.backbone.features
        self.prior = _Gaussian(H, latent, hidden, layers, floor)
        self.posterior = _Gaussian(inputs + H, latent, hidden, layers, floor)
        self.decoder = _Network(latents + H, hidden, layers)
        self.head = head(features, self.decoder.features)
        self.start = nn.Parameter(torch.zeros(features))

    @property
    def bound(self) -> str:
        return f"importance-weighted, {self.samples} draws"

    def loss(self, batch: Batch) -> Tensor:
        """Return the negative evidence bound in nats a frame, of one draw, a mean over all."""
        size = (*batch.values.shape[:2], self.latent)
        noise = torch.randn(size, dtype=batch.values.dtype, device=batch.values.device)
        return -self._evidence(batch, noise).sum() / batch.frames().sum()

    def validation_log_prob(self, batch: Batch) -> Tensor:
        """Return each sequence's evidence bound ``(B,)`` in nats, of one draw."""
        noise, _ = own_noise(batch, 1, self.latent)
        return self._evidence(batch, noise.squeeze(2)).sum(dim=1)

    def bounds(self) -> dict[str, Callable[[Batch], Tensor]]:
        return {"evidence bound": self.evidence_bound}

    def evidence_bound(self, batch: Batch) -> Tensor:
        """Return each sequence's evidence bound ``(B,)`` in nats, a mean over S draws.

        The draws follow from the sequence (:func:`seqmdn.models.importance.own_noise`).
        """
        noise, _ = own_noise(batch, self.samples, self.latent)
        every = [self._evidence(batch, each).sum(dim=1) for each in noise.unbind(2)]
        return torch.stack(every).mean(dim=0)

    def log_prob(self, batch: Batch) -> Tensor:
        """Return each sequence's importance-weighted bound ``(B,)`` in nats, of S draws.

        The draws follow from the sequence (:func:`seqmdn.models.importance.own_noise`).
        """
        S, B = self.samples, len(batch.values)
        noise, uniform = own_noise(batch, S, self.latent)
        seen = self.see(batch)
        frames = self.of_frames(seen.z)
        previous = self._previous(frames)
        state: State | None = None
        latents = self._no_latents(B * S)
        log_weights = noise.new_zeros(B, S).log_softmax(dim=1)
        rows = S * torch.arange(B, device=noise.device).unsqueeze(1)
        total = noise.new_zeros(B)

        def each(part: Tensor) -> Tensor:  # (B, ...) -> (B S, ...)
            return part.repeat_interleave(S, dim=0)

        for t, counts in enumerate(batch.mask().unbind(1)):
            context = None if seen.context is None else each(seen.context[:, t])
            h, state = self._step(each(previous[:, t]), latents, context, state)
            prior, posterior = self.prior(h), self.posterior(torch.cat((each(frames[:, t]), h), 1))
            z = posterior.loc + posterior.scale * noise[:, t].flatten(0, 1)
            latents = self.of_latents(z)
            log_prob = self.head(self._decode(latents, h)).log_prob(each(seen.z[:, t]))
            weight = log_prob + (prior.log_prob(z) - posterior.log_prob(z)).sum(1)
            updated = log_weights + weight.reshape(B, S)
            gain = updated.logsumexp(dim=1)
            total = total + (gain + seen.ladj[:, t]).where(counts, 0)
            chosen, log_weights = resample(updated - gain.unsqueeze(1), uniform[:, t])
            chosen = (rows + chosen).flatten()
            latents, state = latents[chosen], tuple(part[chosen] for part in state)
        return total

    def advance(
        self,
        previous: Tensor | None,
        context: Tensor | None = None,
        state: State | None = None,
        batch_size: int = 1,
        observed: Tensor | None = None,
    ) -> tuple[Tensor, State]:
        """Go one step on, draw z of its prior, and return what the head sees of both.

        The state is that of the backbone, and behind it h ``(B, H)`` and z ``(B, Z)``.
        """
        if observed is not None:
            self._check_missing("observed in a step")
        if previous is None:
            previous = self.start.expand(batch_size, -1)
        latents, before = self._no_latents(len(previous)), None
        if state is not None:
            latents, before = self.of_latents(state[-1]), state[:-2]
        h, after = self._step(self.of_frames(previous), latents, context, before)
        z = self.prior(h).sample()
        return self._decode(self.of_latents(z), h), (*after, h, z)

    def told(self, frame: Tensor, state: State, rows: Tensor) -> State:
        """Draw z anew for a frame that is real: of its posterior."""
        *before, h, z = state
        drawn = self.posterior(torch.cat((self.of_frames(frame), h), dim=1)).sample()
        return (*before, h, drawn.where(rows.unsqueeze(1), z))

    def begin(self, text: Tensor | None) -> State | None:
        if text is not None:
            raise ValueError("a VRNN reads no texts: use data without them (--data.text false)")
        return None

    def ended(self, frame: Tensor, state: State) -> Tensor | None:
        return super().ended(frame, state[:-2])

    def _evidence(self, batch: Batch, noise: Tensor) -> Tensor:
        """Return the terms ``(B, T)`` of the evidence bound, 0 at frames that do not count."""
        seen = self.see(batch)
        frames = self.of_frames(seen.z)
        previous = self._previous(frames)
        state: State | None = None
        of_z = self._no_latents(len(frames))
        steps: list[tuple[Tensor, ...]] = []
        for t in range(frames.shape[1]):
            context = None if seen.context is None else seen.context[:, t]
            h, state = self._step(previous[:, t], of_z, context, state)
            posterior = self.posterior(torch.cat((frames[:, t], h), dim=1))
            of_z = self.of_latents(posterior.loc + posterior.scale * noise[:, t])
            steps.append((h, posterior.loc, posterior.scale, of_z))
        h, loc, scale, latents = (torch.stack(part, dim=1) for part in zip(*steps, strict=True))
        # What no later step depends on is done for all of them at once.
        divergence = kl_divergence(Normal(loc, scale, validate_args=False), self.prior(h)).sum(2)
        log_prob = self.head(self._decode(latents, h)).log_prob(seen.z)
        return (log_prob - divergence + seen.ladj).where(batch.mask(), 0)

    def _decode(self, latents: Tensor, h: Tensor) -> Tensor:
        """Return what the head sees of both (..., ·)."""
        decoded: Tensor = self.decoder(torch.cat((latents, h), dim=-1))
        return decoded

    def _step(
        self, frame: Tensor, latents: Tensor, context: Tensor | None, state: State | None
    ) -> tuple[Tensor, State]:
        """Run the backbone over one step of what the networks made of frame and latents."""
        inputs = self._beside([frame, latents], context)
        h, state = self.backbone(inputs.unsqueeze(1), state)
        return h.squeeze(1), state

    def _previous(self, frames: Tensor) -> Tensor:
        """Return what the network of frames makes of the one before each (B, T, ·)."""
        first = self.of_frames(self.start).expand(len(frames), 1, -1)
        return torch.cat((first, frames[:, :-1]), dim=1)

    def _no_latents(self, batch_size: int) -> Tensor:
        """Return what stands for z before the first step."""
        zero = self.start.new_zeros(batch_size, self.latent)
        latents: Tensor = self.of_latents(zero)
        return latents


class _Network(nn.Sequential):
    """Linear layers with ReLU behind each; none of them hands its input on."""

    def __init__(self, inputs: int, hidden: int, layers: int) -> None:
        parts: list[nn.Module] = []
        for i in range(layers):
            parts += [nn.Linear(hidden if i else inputs, hidden), nn.ReLU()]
        super().__init__(*parts)
        self.features = hidden if layers else inputs


class _Gaussian(nn.Module):
    """A diagonal Gaussian whose mean and standard deviation a network says."""

    def __init__(self, inputs: int, latent: int, hidden: int, layers: int, floor: float) -> None:
        super().__init__()
        self.network = _Network(inputs, hidden, layers)
        self.output = nn.Linear(self.network.features, 2 * latent)
        self.floor = floor

    def forward(self, x: Tensor) -> Normal:
        loc, raw = widen(self.output(self.network(x))).chunk(2, dim=-1)
        return Normal(loc, F.softplus(raw) + self.floor, validate_args=False)
