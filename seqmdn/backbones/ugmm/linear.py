"""The layer of neurons that are one-dimensional mixtures."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from seqmdn import linalg
from seqmdn.backbones.ugmm.reduction import plain_log_density, reduced_log_density

__all__ = ["UGMMLinear"]


class UGMMLinear(nn.Module):
    r"""Neurons that are mixtures of one-dimensional Gaussians, a component for each input.

    .. math:: y_j = \log \sum_k \pi_{jk} N(x_k; \mu_{jk}, \sigma_{jk}^2), \quad
        \pi_j = \text{softmax}(l_j), \quad \sigma_{jk} = e^{s_{jk}} + \text{floor}

    A drop-in for ``nn.Linear(in_features, out_features)`` with three numbers a connection in place
    of one. A neuron is no density of the vector x: :math:`\int e^{y_j} dx` is infinite for two
    inputs or more, as each component looks at one of them. It is a soft "one of these inputs is
    where I expect it".

    **Tied means.** :math:`\mu_{jk} = m_k + s_j`: an input's centre, which all neurons share,
    shifted by each neuron's own number. A mean that followed the input itself, :math:`x_k + s`,
    would cancel in :math:`x_k - \mu_{jk}` and leave a neuron that does not depend on x.

    **Dropout** removes each component of each neuron with probability p in training, the same ones
    for all rows of a call, before the softmax, so that the rest are renormalised: an expected
    density is not kept, as the logarithm has none. Of a neuron that would lose all components, a
    uniformly drawn one stays; that happens with probability :math:`p^{\text{in\_features}}`. A call
    draws ``out_features * in_features`` numbers from torch's generator and keeps one boolean each.

    **Start.** Weights are equal, means standard normal, as inputs in units of their standard
    deviation are, and scales are 1, so that a component covers its neighbours: nothing is decided
    before training, and no scale is near 0, where one step could leave an input 1e4 scales away.

    Time and memory are those of :func:`seqmdn.backbones.ugmm.reduction.reduced_log_density`: the
    batch's own size and the parameters', no tensor of (batch, out, in).

    Args:
        in_features: Inputs, one component each.
        out_features: Neurons.
        dropout: p, in [0, 1).
        tied_means: Whether means are :math:`m_k + s_j`.
        floor: Lower bound of :math:`\sigma`, 0 or more; it enters every term.
        scale: :math:`\sigma` at the start, above the floor.
        device: Of the parameters.
        dtype: Of the parameters.

    Raises:
        ValueError: If a size is below 1, dropout is outside [0, 1), floor or scale make no sense,
            or an input does not fit or is not finite (which rows and inputs is said; looking costs
            one sum over x).
        RuntimeError: If a second derivative is asked for: `plain` has it.

    References:
        uGMM-NN: Univariate Gaussian Mixture Model Neural Network (Ali, 2025),
        https://arxiv.org/abs/2509.07569

    Example:
        >>> layer = UGMMLinear(3, 5, dropout=0.5)
        >>> layer
        UGMMLinear(in_features=3, out_features=5, dropout=0.5)
        >>> layer(torch.zeros(7, 2, 3)).shape
        torch.Size([7, 2, 5])
        >>> sum(p.numel() for p in layer.parameters()) == 3 * 15
        True
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        dropout: float = 0.0,
        tied_means: bool = False,
        floor: float = 1e-3,
        scale: float = 1.0,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        for name, size in {"in_features": in_features, "out_features": out_features}.items():
            if size < 1:
                raise ValueError(f"{name} must be at least 1, found {size}")
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout must lie in [0, 1), found {dropout}")
        if not 0 <= floor < scale:
            raise ValueError(
                f"expected 0 <= floor < scale, found a floor of {floor} and a scale of {scale}"
            )
        self.in_features = in_features
        self.out_features = out_features
        self.dropout = dropout
        self.tied_means = tied_means
        self.floor = floor
        self.scale = scale

        def empty(*shape: int) -> nn.Parameter:
            return nn.Parameter(torch.empty(shape, device=device, dtype=dtype))

        self.logits = empty(out_features, in_features)
        if tied_means:
            self.centre = empty(in_features)
            self.shift = empty(out_features)
        else:
            self.mean = empty(out_features, in_features)
        self.log_scale = empty(out_features, in_features)
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Draw the means anew, and set all weights and scales to those of the start."""
        nn.init.zeros_(self.logits)
        if self.tied_means:
            nn.init.zeros_(self.centre)
            nn.init.normal_(self.shift)
        else:
            nn.init.normal_(self.mean)
        nn.init.constant_(self.log_scale, math.log(self.scale - self.floor))

    def means(self) -> Tensor:  # (out, in)
        r"""Return :math:`\mu`, also where it is tied."""
        if self.tied_means:
            return self.centre + self.shift.unsqueeze(-1)
        return self.mean

    def scales(self) -> Tensor:  # (out, in)
        r"""Return :math:`\sigma`."""
        return linalg.widen(self.log_scale).exp() + self.floor

    def forward(self, x: Tensor) -> Tensor:  # (*batch, in) -> (*batch, out)
        """Return the log-density of each neuron, in float32 or wider even under autocast."""
        return self.drawn()(x)

    def drawn(self) -> Callable[[Tensor], Tensor]:
        """Draw the components that stay, and return the layer with these, a function of x.

        What forward does, for several calls: of the steps of a sequence, say, which then share what
        is derived from the parameters.
        """
        parts = self._parts(self._kept())

        def layer(x: Tensor) -> Tensor:
            self._check(x)
            y: Tensor = reduced_log_density(x, *parts)
            return y

        return layer

    def plain(self, x: Tensor) -> Tensor:  # (*batch, in) -> (*batch, out)
        """Return what `forward` does, by plain operations, which have second derivatives."""
        self._check(x)
        y: Tensor = plain_log_density(x, *self._parts(self._kept()))
        return y

    def responses(self, x: Tensor) -> Tensor:  # (*batch, in) -> (out, in)
        r"""Return each component's share of its neuron, a mean over rows: what it responds to.

        .. math:: \frac1N \sum_n r_{njk}, \quad r_{njk} = \pi_{jk} N(x_{nk}; \mu_{jk},
            \sigma_{jk}^2) / e^{y_{nj}}

        The shares of a neuron sum to 1. They are the gradient of the mean output in the logarithms
        of the components' weights, so that no tensor of (batch, out, in) is made. Without dropout.
        """
        self._check(x)
        mean, inverse_scale, coefficient = (part.detach() for part in self._parts(None))
        coefficient.requires_grad_()
        with torch.enable_grad():
            y = reduced_log_density(x.detach().flatten(0, -2), mean, inverse_scale, coefficient)
            (shares,) = torch.autograd.grad(y.mean(0).sum(), coefficient)
        return shares

    def extra_repr(self) -> str:
        said = f"in_features={self.in_features}, out_features={self.out_features}"
        said += f", dropout={self.dropout}" if self.dropout else ""
        return said + (", tied_means=True" if self.tied_means else "")

    def _kept(self) -> Tensor | None:
        """Draw which components stay, boolean (out, in)."""
        if not (self.training and self.dropout):
            return None
        drawn = torch.rand_like(self.logits, dtype=torch.float32)
        # The largest of a neuron's numbers always stays, and is anyone's where all are below p.
        return drawn >= drawn.amax(dim=-1, keepdim=True).clamp(max=self.dropout)

    def _parts(self, kept: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """Return means, inverse scales and log-coefficients, (out, in) each."""
        logits, scale = linalg.widen(self.logits), self.scales()
        if kept is not None:
            logits = logits.masked_fill(~kept, -torch.inf)
        coefficient = logits.log_softmax(dim=-1) - scale.log() - 0.5 * math.log(2 * math.pi)
        return self.means(), scale.reciprocal(), coefficient

    def _check(self, x: Tensor) -> None:
        if x.ndim == 0 or x.shape[-1] != self.in_features:
            raise ValueError(f"x must have shape (..., {self.in_features}), found {tuple(x.shape)}")
        if torch.compiler.is_exporting():  # a graph can refuse nothing
            return
        # A sum is finite where all of its terms are, but for an overflow, which is looked into.
        if not bool(torch.isfinite(x.detach().sum())):
            wrong = ~torch.isfinite(x.detach().reshape(-1, self.in_features))
            if bool(wrong.any()):
                raise ValueError(
                    f"x must be finite, found NaN or infinity in {_few(wrong.any(1))} of the rows"
                    f" and {_few(wrong.any(0))} of the inputs: look for them in the data or a"
                    " diverged layer below"
                )

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        if f"{prefix}mu" in state_dict and f"{prefix}mean" not in state_dict:
            raise ValueError(
                f"expected the entries logits, mean and log_scale of {prefix or 'the layer'}, found"
                " mu, std and k, the published form of uGMM-NN: convert it by"
                " seqmdn.models.ugmm.convert_published"
            )
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)


def _few(wrong: Tensor, count: int = 5) -> str:
    """Name the first places where a mask is True."""
    places = wrong.nonzero()[:, 0].tolist()
    more = f" and {len(places) - count} more" if len(places) > count else ""
    return f"{', '.join(map(str, places[:count]))}{more}"
