"""Reversible maps of the data that know their log-determinant."""

from __future__ import annotations

__all__ = ["Chain", "Identity", "Logit", "Standardise", "Transform"]

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self, cast

import torch
from torch import Tensor, nn


class Transform(nn.Module, ABC):
    r"""Maps data y to z = f(y), one to one, so that densities of z become densities of y.

    .. math:: \log p_y(y) = \log p_z(f(y)) + \log \left| \det \partial f / \partial y \right|

    What ``fit`` learns lies in buffers: it is saved, loaded and moved with the model and never
    trained.

    Where features of a frame may be missing, the map goes feature by feature, and ``observed``, a
    boolean tensor of the frames' shape, says which are there. The others are not read and may be
    anything, NaN included; their z is 0 and their slope is not counted.
    """

    def fit(self, values: Tensor, observed: Tensor | None = None) -> Self:  # (N, D)
        """Adapts the map to training frames, to what was observed of them, and returns it."""
        return self

    @abstractmethod
    def call_and_ladj(
        self, y: Tensor, observed: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:  # (*batch, D) -> same, (*batch,)
        r"""Gives z = f(y) and :math:`\log |\det \partial f / \partial y|`."""

    @abstractmethod
    def inverse(self, z: Tensor) -> Tensor:  # (*batch, D)
        """Gives the y that f maps to z."""

    def ladj(self) -> float | None:
        r"""Gives :math:`\log |\det \partial f / \partial y|` where it is the same everywhere.

        By that much a log-density differs between the data's units and those of z.
        """
        return None

    @property
    def inv(self) -> Callable[[Tensor], Tensor]:
        """The inverse under the name that torch's transforms use."""
        return self.inverse

    def forward(self, y: Tensor) -> Tensor:  # (*batch, D)
        """Gives z = f(y)."""
        return self.call_and_ladj(y)[0]


class Identity(Transform):
    """Leaves the data as they are.

    Args:
        features: D, from which every transform is made; here it does not matter.

    Example:
        >>> Identity().call_and_ladj(torch.ones(3, 2))[1].tolist()
        [0.0, 0.0, 0.0]
    """

    def __init__(self, features: int | None = None) -> None:
        super().__init__()

    def call_and_ladj(self, y: Tensor, observed: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return (y if observed is None else y.where(observed, 0)), y.new_zeros(y.shape[:-1])

    def inverse(self, z: Tensor) -> Tensor:
        return z

    def ladj(self) -> float:
        return 0.0


class Standardise(Transform):
    r"""Gives each feature, or all of them together, mean 0 and standard deviation 1.

    .. math:: z = (y - \mu) / \sigma, \qquad \log |\det| = -\sum_d \log \sigma_d

    The mean and the (population) standard deviation are those of the observed values, computed in
    float64. A feature that is constant over the frames it was fitted on has no scale of its own:
    its :math:`\sigma` is 1. One that was never observed has the mean 0, too.

    Features that measure one thing, such as the samples of a waveform cut into frames, are better
    ``shared``: one :math:`\mu` and one :math:`\sigma` over all values of all features, so that
    :math:`\log |\det| = -D \log \sigma`, and what goes on at one place of the frame looks the same
    at every other.

    Args:
        features: D.
        shared: Whether all features have one mean and one standard deviation.

    Raises:
        ValueError: If ``fit`` is given values that are not finite or not of shape (N, D).

    Example:
        >>> standardise = Standardise(2).fit(torch.tensor([[0.0, 5.0], [4.0, 5.0]]))
        >>> z, ladj = standardise.call_and_ladj(torch.tensor([6.0, 5.0]))
        >>> z.tolist(), round(ladj.item(), 4)
        ([2.0, 0.0], -0.6931)
        >>> shared = Standardise(2, shared=True).fit(torch.tensor([[0.0, 4.0], [4.0, 0.0]]))
        >>> shared(torch.tensor([6.0, 0.0])).tolist()
        [2.0, -1.0]
    """

    mean: Tensor  # (D,)
    std: Tensor  # (D,)

    def __init__(self, features: int, shared: bool = False) -> None:
        super().__init__()
        self.shared = shared
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("std", torch.ones(features))

    def fit(self, values: Tensor, observed: Tensor | None = None) -> Self:
        observed = _check_frames(self, values, len(self.mean), observed)
        if self.shared:
            values, observed = values.reshape(-1, 1), observed.reshape(-1, 1)
        values = values.detach().to(torch.float64).where(observed, 0)
        count = observed.sum(0).clamp(min=1)  # (D,)
        mean = values.sum(0) / count
        residual = (values - mean).where(observed, 0)
        std = (residual.square().sum(0) / count).sqrt()
        # The mean of equal numbers may differ from them by rounding, hence the comparison of the
        # numbers themselves.
        low = values.where(observed, torch.inf).amin(0)
        high = values.where(observed, -torch.inf).amax(0)
        constant = (low >= high) | (std < torch.finfo(self.std.dtype).tiny)
        self.mean.copy_(mean)
        self.std.copy_(torch.where(constant, torch.ones_like(std), std))
        return self

    def call_and_ladj(self, y: Tensor, observed: Tensor | None = None) -> tuple[Tensor, Tensor]:
        if observed is None:
            return (y - self.mean) / self.std, -self.std.log().sum().expand(y.shape[:-1])
        z = (y.where(observed, self.mean) - self.mean) / self.std
        return z, -self.std.log().where(observed, 0).sum(-1)

    def inverse(self, z: Tensor) -> Tensor:
        return self.mean + self.std * z

    def ladj(self) -> float:
        return -float(self.std.double().log().sum())

    def extra_repr(self) -> str:
        return f"features={len(self.mean)}, shared={self.shared}"


class Logit(Transform):
    r"""Maps the open interval (low, high) of each feature to the real line, then standardises the
    result.

    .. math:: s = \log(y - \text{low}) - \log(\text{high} - y), \qquad
              \log \frac{ds}{dy} = \log(\text{high} - \text{low}) - \log(y - \text{low}) -
              \log(\text{high} - y)

    A density of z is then a density on the interval alone and wastes nothing outside it. Both terms
    are taken in log space and stay exact up to the last number before a border. ``inverse`` never
    returns a
    border: where the y of a z rounds to one, it returns the next number inside.

    Args:
        features: D.
        low: Lower border, one for all features or one for each.
        high: Upper border, likewise.

    Raises:
        ValueError: If low is not below high, or a value to map is not inside the interval.

    Example:
        >>> logit = Logit(1, low=0, high=17)
        >>> z, ladj = logit.call_and_ladj(torch.tensor([[8.5]]))
        >>> z.item(), round(ladj.item(), 4)  # the slope in the middle is 4 / 17
        (0.0, -1.4469)
    """

    low: Tensor  # (D,)
    high: Tensor  # (D,)
    first: Tensor  # (D,)
    last: Tensor  # (D,)

    def __init__(
        self, features: int, low: float | Sequence[float] = 0.0, high: float | Sequence[float] = 1.0
    ) -> None:
        super().__init__()
        for name, border in (("low", low), ("high", high)):
            tensor = torch.as_tensor(border, dtype=torch.get_default_dtype())
            if tensor.shape not in ((), (features,)) or not tensor.isfinite().all():
                raise ValueError(
                    f"Logit expected {name} to be one finite number or {features} of them, found "
                    f"{border}"
                )
            self.register_buffer(name, tensor.expand(features).clone())
        if not (self.low < self.high).all():
            raise ValueError(f"Logit expected low below high, found low {low} and high {high}")
        # The first and the last number between the borders, in the borders' precision.
        for name, tensor in zip(("first", "last"), _ends(self.low, self.high), strict=True):
            self.register_buffer(name, tensor, persistent=False)
        self.standardise = Standardise(features)

    def fit(self, values: Tensor, observed: Tensor | None = None) -> Self:
        observed = _check_frames(self, values, len(self.low), observed)
        # The standard deviation of the logits needs more digits than they themselves have near a
        # border.
        logits, _ = self._logit(values.detach().to(torch.float64), observed)
        self.standardise.fit(logits, observed)
        return self

    def call_and_ladj(self, y: Tensor, observed: Tensor | None = None) -> tuple[Tensor, Tensor]:
        s, ladj = self._logit(y, observed)
        z, scale = self.standardise.call_and_ladj(s, observed)
        return z, ladj + scale

    def inverse(self, z: Tensor) -> Tensor:
        s = self.standardise.inverse(z)
        width = self.high - self.low
        y = torch.where(
            s < 0, self.low + width * torch.sigmoid(s), self.high - width * torch.sigmoid(-s)
        )
        if torch.compiler.is_exporting():  # ONNX knows no next number, but these
            return y.clamp(self.first, self.last)
        return y.clamp(*_ends(self.low.to(y.dtype), self.high.to(y.dtype)))

    def _load_from_state_dict(self, state_dict: Mapping[str, Any], prefix: str, *rest: Any) -> None:
        super()._load_from_state_dict(state_dict, prefix, *rest)
        self.first, self.last = _ends(self.low, self.high)  # a checkpoint brings its own borders

    def extra_repr(self) -> str:
        return f"features={len(self.low)}, low={_short(self.low)}, high={_short(self.high)}"

    def _logit(
        self, y: Tensor, observed: Tensor | None
    ) -> tuple[Tensor, Tensor]:  # (*batch, D) -> same, (*batch,)
        if observed is not None:
            y = y.where(observed, 0.5 * (self.low + self.high).to(y.dtype))
        inside = (y > self.low) & (y < self.high)
        # A graph can refuse nothing: beyond a border the logarithm is NaN there.
        if not torch.compiler.is_exporting() and not inside.all():
            self._refuse(y, inside)
        above, below = (y - self.low).log(), (self.high - y).log()
        slope = (self.high - self.low).log() - above - below
        return above - below, (slope if observed is None else slope.where(observed, 0)).sum(-1)

    def _refuse(self, y: Tensor, inside: Tensor) -> None:
        *frame, feature = (~inside).nonzero()[0].tolist()
        where = f"frame {frame[0] if len(frame) == 1 else tuple(frame)}, " if frame else ""
        raise ValueError(
            f"Logit expected values strictly inside ({self.low[feature].item():g}, "
            f"{self.high[feature].item():g}), found {y[(*frame, feature)].item():.9g} at "
            f"{where}feature {feature} ({int((~inside).sum())} such values): widen the borders, "
            "or dequantise levels that lie on one"
        )


class Chain(Transform):
    """Applies several maps one after the other, the first one to the data.

    ``fit`` fits each of them to what the ones before it make of the frames.

    Args:
        transforms: The maps in the order in which the data meet them; none at all is the identity.

    Example:
        >>> chain = Chain([Logit(1, 0, 1), Standardise(1)])
        >>> chain.inverse(chain(torch.tensor([[0.25]]))).item()
        0.25
    """

    def __init__(self, transforms: Sequence[Transform]) -> None:
        super().__init__()
        self.transforms = nn.ModuleList(transforms)

    def fit(self, values: Tensor, observed: Tensor | None = None) -> Self:
        for transform in self._maps():
            values, _ = transform.fit(values, observed).call_and_ladj(values, observed)
        return self

    def call_and_ladj(self, y: Tensor, observed: Tensor | None = None) -> tuple[Tensor, Tensor]:
        total = y.new_zeros(y.shape[:-1])
        y = y if observed is None else y.where(observed, 0)
        for transform in self._maps():
            y, ladj = transform.call_and_ladj(y, observed)
            total = total + ladj
        return y, total

    def inverse(self, z: Tensor) -> Tensor:
        for transform in reversed(self._maps()):
            z = transform.inverse(z)
        return z

    def ladj(self) -> float | None:
        parts = [each.ladj() for each in self._maps()]
        known = [part for part in parts if part is not None]
        return sum(known) if len(known) == len(parts) else None

    def _maps(self) -> list[Transform]:
        return cast(list[Transform], list(self.transforms))


def _check_frames(
    transform: Transform, values: Tensor, features: int, observed: Tensor | None
) -> Tensor:
    """Gives what was observed, (N, D), or raises ValueError if the frames do not fit."""
    name = type(transform).__name__
    if values.dim() != 2 or values.shape[1] != features or not len(values):
        raise ValueError(
            f"{name}.fit expected frames of shape (N, {features}), found {tuple(values.shape)}"
        )
    if observed is None:
        observed = torch.ones_like(values, dtype=torch.bool)
    if observed.dtype != torch.bool or observed.shape != values.shape:
        raise ValueError(
            f"{name}.fit expected observed to be boolean of shape {tuple(values.shape)}, found "
            f"{observed.dtype} of shape {tuple(observed.shape)}"
        )
    finite = values.isfinite() | ~observed
    if not finite.all():
        frame, feature = (~finite).nonzero()[0].tolist()
        raise ValueError(
            f"{name}.fit expected finite values, found {values[frame, feature].item()} at frame "
            f"{frame}, feature {feature}: mend the data"
        )
    return observed


def _ends(low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:  # (D,), (D,) -> (D,), (D,)
    return torch.nextafter(low, high), torch.nextafter(high, low)


def _short(border: Tensor) -> str:
    numbers = border.unique().tolist()
    return f"{numbers[0]:g}" if len(numbers) == 1 else "(...)"
