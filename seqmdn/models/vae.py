"""The variational autoencoder of frames: what a world model sees with."""

import hashlib
import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from seqmdn.data import Batch
from seqmdn.linalg import widen
from seqmdn.models.convolutions import CHANNELS, PIXELS, SIDE, FrameDecoder, FrameEncoder
from seqmdn.models.importance import own_noise
from seqmdn.models.model import DensityModel

__all__ = ["FrameVAE", "encoder_sha256"]

_LEVELS = 256
_AT_ONCE = 256  # frames that are decoded together where a whole sequence is scored


class FrameVAE(DensityModel):
    r"""A convolutional variational autoencoder of frames of 64x64 pixels in three colours.

    .. math::
        p(y, z) = N(z; 0, I) \prod_{d=1}^{D} \tfrac{1}{256} N(y_d / 256; m_d(z), s^2), \quad
        q(z | y) = N(z; \mu(y), \mathrm{diag} \, \sigma^2(y))

    The values y are dequantised levels: each lies in [0, 256), a level of 7 between 7 and 8
    (:class:`seqmdn.data.UniformDequantise`). Frames are independent of each other and of any
    context; a sequence is worth the sum of its frames. The density of a frame is an integral over
    z that nobody can compute. Two numbers that it exceeds, in expectation over draws of z, in nats
    of the levels:

    - the evidence bound, :meth:`log_prob`, of one draw:
      :math:`E_q \log p(y | z) - KL(q \| N(0, I))`,
    - the importance-weighted bound of S draws, :meth:`importance_weighted`, tighter the more there
      are: :math:`E_q \log \tfrac1S \sum_s p(y, z_s) / q(z_s | y)`.

    What is trained, :meth:`loss`, is that of World Models and no bound: below the floor, the
    divergence costs nothing. It is :math:`\|y / 256 - m(z)\|^2 / 2 s^2 + D \log \sqrt2 s + \max(KL,
    \text{floor} \cdot Z)` nats a frame, of one draw. With the scale of the paper this begins with
    the squared error; where KL is above the floor, it differs from the negative evidence bound by
    the constant :math:`D (\tfrac12 \log \pi + \log 256)`.

    Args:
        features: Number of values D of a frame, 64 * 64 * 3, in the order row, column, channel.
        context: Number of context features, which are not looked at.
        latent: Features Z of the latent variable.
        width: Filters of the first layer (:class:`seqmdn.models.convolutions.FrameEncoder`).
        floor: Nats a latent below which the divergence costs nothing in training.
        scale: Standard deviation s of a pixel whose values lie between 0 and 1. That of the paper,
            :math:`1 / \sqrt2`, makes its squared error; None learns one for all pixels, which
            begins at that of training frames around their mean.
        samples: Draws S of the importance-weighted bound.

    Raises:
        ValueError: If a size is out of range, or a batch does not fit.

    References:
        World Models (Ha, Schmidhuber, 2018).
        Auto-Encoding Variational Bayes (Kingma, Welling, 2014).
        Importance Weighted Autoencoders (Burda, Grosse, Salakhutdinov, 2016).
        Simple and Effective VAE Training with Calibrated Decoders (Rybkin, Daniilidis, Levine,
        2021), for the learned scale.

    Example:
        >>> model = FrameVAE(width=4)
        >>> levels = torch.randint(256, (3, 10, 12288))
        >>> batch = Batch(levels + torch.rand(levels.shape), torch.tensor([10, 7, 2]))
        >>> model.loss(batch).shape, model.log_prob(batch).shape, model.bound
        (torch.Size([]), torch.Size([3]), 'evidence bound')
        >>> mu, logvar = model.encode(levels)
        >>> mu.shape, model.decode(mu).shape
        (torch.Size([3, 10, 32]), torch.Size([3, 10, 12288]))
    """

    log_scale: Tensor

    def __init__(
        self,
        features: int = PIXELS,
        context: int = 0,
        latent: int = 32,
        width: int = 32,
        floor: float = 0.5,
        scale: float | None = math.sqrt(0.5),
        samples: int = 16,
    ) -> None:
        super().__init__()
        if features != PIXELS:
            raise ValueError(
                f"a FrameVAE is of frames of {SIDE} x {SIDE} x {CHANNELS} = {PIXELS} values, found "
                f"{features}: resize the frames, or use a model of any number of features"
            )
        for name, size in {"latent": latent, "width": width, "samples": samples}.items():
            if size < 1:
                raise ValueError(f"{name} must be at least 1, found {size}")
        if not 0 <= floor < math.inf:
            raise ValueError(f"floor must be 0 or more nats a latent, found {floor}")
        if scale is not None and not 0 < scale < math.inf:
            raise ValueError(f"scale must be positive, or null to learn it, found {scale}")
        self.features = features
        self.latent = latent
        self.floor = floor
        self.samples = samples
        self.encoder = FrameEncoder(latent, width)
        self.decoder = FrameDecoder(latent, width)
        if scale is None:
            self.log_scale = nn.Parameter(torch.tensor(math.log(0.5) / 2))
        else:
            self.register_buffer("log_scale", torch.tensor(math.log(scale)), persistent=False)

    @property
    def bound(self) -> str:
        return "evidence bound"

    def initialise(self, values: Tensor, context: Tensor | None = None) -> None:
        """Look whether the values are levels, and begin a learned scale with theirs.

        Args:
            values: Training frames ``(N, D)`` in the data's units.
            context: Not looked at.

        Raises:
            ValueError: If a value is missing or lies outside of [0, 256].
        """
        if not bool(((values >= 0) & (values <= _LEVELS)).all()):
            raise ValueError(
                f"a FrameVAE expects levels from 0 to {_LEVELS}, none missing, found values from "
                f"{values.min().item():g} to {values.max().item():g}: prepare a store of levels"
            )
        if isinstance(self.log_scale, nn.Parameter):
            scale = (values / _LEVELS).var(dim=0, correction=0).mean().sqrt()
            with torch.no_grad():
                # Frames that are all the same have none; that of a level is the least worth having.
                self.log_scale.copy_(scale.clamp(min=1 / _LEVELS).log())

    def loss(self, batch: Batch) -> Tensor:
        """Return error plus divergence, the latter never below its floor, in nats a frame."""
        self._check(batch)
        pixels = batch.values[batch.mask()] / _LEVELS  # (N, D)
        mu, logvar = self._posterior(pixels)
        z = mu + (0.5 * logvar).exp() * torch.randn_like(mu)
        error = self._error(pixels, z) + PIXELS * (self.log_scale + 0.5 * math.log(2))
        return (error + _divergence(mu, logvar).clamp(min=self.floor * self.latent)).mean()

    def log_prob(self, batch: Batch) -> Tensor:
        """Return each sequence's evidence bound ``(B,)`` in nats, of one draw a frame.

        The draws follow from the sequence (:func:`seqmdn.models.importance.own_noise`).
        """
        return self._bound(batch, 1, self._evidence)

    def bounds(self) -> dict[str, Callable[[Batch], Tensor]]:
        return {f"importance-weighted, {self.samples} draws": self.importance_weighted}

    def importance_weighted(self, batch: Batch) -> Tensor:
        """Return each sequence's importance-weighted bound ``(B,)`` in nats, of S draws a frame.

        The draws follow from the sequence (:func:`seqmdn.models.importance.own_noise`).
        """
        return self._bound(batch, self.samples, self._weighted)

    def encode(self, levels: Tensor) -> tuple[Tensor, Tensor]:
        """Return what the encoder says of frames: mean and log-variance of q, in nats.

        Args:
            levels: Whole levels from 0 to 255 of any type ``(*, D)``; each is seen as the middle
                of its cell.

        Returns:
            mu ``(*, Z)`` and logvar ``(*, Z)``.

        Raises:
            ValueError: If a frame does not have D values.
        """
        if levels.shape[-1:] != (PIXELS,):
            raise ValueError(
                f"levels must have shape (*, {PIXELS}), found {tuple(levels.shape)}: flatten rows, "
                "columns and channels in this order"
            )
        pixels = (levels.reshape(-1, PIXELS).to(self.log_scale) + 0.5) / _LEVELS
        mu, logvar = self._posterior(pixels)
        shape = (*levels.shape[:-1], self.latent)
        return mu.reshape(shape), logvar.reshape(shape)

    def decode(self, z: Tensor) -> Tensor:
        """Return mean frames: levels from 0 to 255 ``(*, D)``, not rounded.

        Args:
            z: Latents ``(*, Z)``.

        Raises:
            ValueError: If there are not Z features.
        """
        if z.shape[-1:] != (self.latent,):
            raise ValueError(f"z must have shape (*, {self.latent}), found {tuple(z.shape)}")
        pixels = widen(self.decoder(z.reshape(-1, self.latent)))
        levels = (_LEVELS * pixels - 0.5).clamp(0, _LEVELS - 1)
        return levels.reshape(*z.shape[:-1], PIXELS)

    def reconstruct(self, levels: Tensor) -> Tensor:
        """Return the mean frames of the means of q, levels ``(*, D)`` as of :meth:`decode`."""
        return self.decode(self.encode(levels)[0])

    def _posterior(self, pixels: Tensor) -> tuple[Tensor, Tensor]:  # (N, D) -> (N, Z), (N, Z)
        mu, logvar = self.encoder(pixels)
        return widen(mu), widen(logvar)

    def _error(self, pixels: Tensor, z: Tensor) -> Tensor:  # (N, D), (N, Z) -> (N,)
        """Return the squared error in units of two variances."""
        residual = (pixels - widen(self.decoder(z))) / self.log_scale.exp()
        return 0.5 * residual.square().sum(dim=1)

    def _log_likelihood(self, pixels: Tensor, z: Tensor) -> Tensor:  # (N, D), (N, S, Z) -> (N, S)
        """Return log p(y | z) of the levels."""
        S = z.shape[1]
        error = self._error(pixels.repeat_interleave(S, dim=0), z.flatten(0, 1)).unflatten(
            0, (-1, S)
        )
        constant = self.log_scale + 0.5 * math.log(2 * math.pi) + math.log(_LEVELS)
        return -error - PIXELS * constant

    def _evidence(self, pixels: Tensor, noise: Tensor) -> Tensor:  # (N, D), (N, S, Z) -> (N,)
        mu, logvar = self._posterior(pixels)
        z = mu.unsqueeze(1) + (0.5 * logvar).exp().unsqueeze(1) * noise
        return self._log_likelihood(pixels, z).mean(dim=1) - _divergence(mu, logvar)

    def _weighted(self, pixels: Tensor, noise: Tensor) -> Tensor:  # (N, D), (N, S, Z) -> (N,)
        mu, logvar = self._posterior(pixels)
        z = mu.unsqueeze(1) + (0.5 * logvar).exp().unsqueeze(1) * noise
        # log p(z) - log q(z | y): their 2 pi are the same.
        ratio = 0.5 * (logvar.unsqueeze(1) + noise.square() - z.square()).sum(dim=2)
        weights = self._log_likelihood(pixels, z) + ratio  # (N, S)
        return weights.logsumexp(dim=1) - math.log(weights.shape[1])

    def _bound(
        self, batch: Batch, draws: int, bound: Callable[[Tensor, Tensor], Tensor]
    ) -> Tensor:  # (B,)
        """Add up a bound over the frames that count, a few of them at a time."""
        self._check(batch)
        noise, _ = own_noise(batch, draws, self.latent)
        mask = batch.mask()
        pixels, noise = batch.values[mask] / _LEVELS, noise[mask]
        size = max(1, _AT_ONCE // draws)
        parts = zip(pixels.split(size), noise.split(size), strict=True)
        terms = torch.cat([bound(each, its_noise) for each, its_noise in parts])
        return terms.new_zeros(mask.shape).masked_scatter(mask, terms).sum(dim=1)

    def _check(self, batch: Batch) -> None:
        if batch.values.ndim != 3 or batch.values.shape[-1] != PIXELS:
            raise ValueError(
                f"values must have shape (B, T, {PIXELS}), found {tuple(batch.values.shape)}"
            )
        if batch.observed is not None:
            raise ValueError(
                "a FrameVAE is of whole frames, found ones with missing features: leave them out"
            )


def encoder_sha256(model: FrameVAE) -> str:
    """Return one SHA-256, in hexadecimal digits, of the weights of encoder and decoder.

    It says whether latents are those of this model: names, shapes and values as float32 are in it,
    whatever the device and the type the model has been moved to. A learned scale is not.

    Example:
        >>> model, other = FrameVAE(width=1), FrameVAE(width=1)
        >>> before = encoder_sha256(model)
        >>> encoder_sha256(model.double()) == before, encoder_sha256(other) == before
        (True, False)
    """
    digest = hashlib.sha256()
    for part in ("encoder", "decoder"):
        for name, weight in getattr(model, part).state_dict().items():
            digest.update(f"{part}.{name} {tuple(weight.shape)}\n".encode())
            digest.update(weight.float().cpu().numpy().astype("<f4").tobytes())
    return digest.hexdigest()


def _divergence(mu: Tensor, logvar: Tensor) -> Tensor:  # (N, Z), (N, Z) -> (N,)
    """Return KL(q || N(0, I)) in nats."""
    return 0.5 * (mu.square() + logvar.exp() - 1 - logvar).sum(dim=1)
