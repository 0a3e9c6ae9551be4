"""Turns the rows of a store into a draw of the y that a model learns."""

from __future__ import annotations

__all__ = ["GaussianLatents", "Noise", "UniformDequantise"]

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


class Noise(ABC):
    """Draws the model's y, (T, D), from stored rows, (T, stored)."""

    def features(self, stored: int) -> int:
        """Gives the number D of features of y for rows of ``stored`` columns."""
        return stored

    def names(self, stored: Sequence[str]) -> list[str]:
        """Names the features of y, given the names of the stored columns."""
        return list(stored)

    def observed(self, stored: NDArray[np.bool_]) -> NDArray[np.bool_]:  # (T, stored) -> (T, D)
        """Says which features of y were observed, given which columns of the stored rows were."""
        return stored

    @abstractmethod
    def draw(self, values: Array, rng: np.random.Generator) -> Array:  # (T, stored) -> (T, D)
        """Draws y given the stored rows; all randomness comes from ``rng``."""

    def undo(self, drawn: Array) -> Array:  # (..., D)
        """Gives what a store would hold of y; where the noise cannot be told from it, y itself."""
        return drawn

    def entropy(self, values: Array) -> NDArray[np.float64] | None:  # (T, stored) -> (T,)
        """Gives the entropy of each frame's draw in nats where it is a floor worth naming, else
        None.

        No model reaches a mean NLL below the mean entropy of the noise.
        """
        return None


class UniformDequantise(Noise):
    r"""Spreads each level over the cell above it, or around it: :math:`y = x + w u`, :math:`u \sim
    U(0, 1)`, or :math:`U(-\tfrac12, \tfrac12)` where the cell is centred.

    Values whose sum matters, such as the offsets of a pen, want centred cells: the sum of many
    others drifts by half a cell each. Rounding a draw to its level takes the noise away again.

    The bits of the levels follow from the density of y: :math:`-\log_2 P(x) \le -\log_2 p(y) -
    \log_2 w` a feature, on average over u. Every y lies strictly inside its cell in float32, so
    that a logit with these borders never meets one of them: u is drawn from the midpoints of
    :math:`2^{15}` equal parts, which is exact for levels below 256 times w, and beyond that a sum
    that float32 rounds to a border is moved to the next number inside.

    Args:
        width: w, the distance between two levels.
        centred: Whether a level is the middle of its cell rather than its lower border.
        columns: How many of the first columns are levels; what stands behind them, such as bits,
            stays as it is. All of them where None.

    Raises:
        ValueError: If the width is not positive, columns is below 1, or (on drawing) if float32 has
            no number between a level and the next.

    References:
        A note on the evaluation of generative models (Theis, van den Oord, Bethge, 2016).

    Example:
        >>> levels = np.full((1000, 2), 16, np.float32)
        >>> y = UniformDequantise().draw(levels, np.random.default_rng(0))
        >>> bool((y > 16).all() and (y < 17).all())
        True
        >>> round(float(y.mean()), 1)
        16.5
        >>> y = UniformDequantise(centred=True).draw(levels, np.random.default_rng(0))
        >>> bool((y.round() == levels).all())
        True
    """

    def __init__(
        self, width: float = 1.0, centred: bool = False, columns: int | None = None
    ) -> None:
        if not 0 < width < np.inf:
            raise ValueError(f"UniformDequantise expected a positive finite width, found {width}")
        if columns is not None and columns < 1:
            raise ValueError(f"UniformDequantise expected 1 column or more, found {columns}")
        self.columns = columns
        self.width = width
        self.centred = centred

    def draw(self, values: Array, rng: np.random.Generator) -> Array:
        if self.columns is not None:
            levels, rest = values[:, : self.columns], values[:, self.columns :]
            return np.concatenate([self._spread(levels, rng), rest], axis=1)
        return self._spread(values, rng)

    def _spread(self, values: Array, rng: np.random.Generator) -> Array:
        border = np.asarray(values, np.float64) - (0.5 * self.width if self.centred else 0.0)
        # In place: a long store is read in less time than fresh memory for each step would take.
        spread = rng.integers(0, _CELLS, size=values.shape) + 0.5
        spread *= self.width / _CELLS
        spread += border
        y = spread.astype(np.float32)
        low = border.astype(np.float32)
        border += self.width
        high = border.astype(np.float32)
        inside = (low < y) & (y < high)
        # Neighbours of borders are slow to find, and hardly any y was rounded to a border.
        if not inside.all():
            rounded = ~inside
            low, high = low[rounded], high[rounded]
            above, below = np.nextafter(low, high), np.nextafter(high, low)
            if not (above < high).all():
                raise ValueError(
                    f"UniformDequantise expected levels of distance {self.width} that float32 can "
                    f"tell apart, found a level of {np.abs(values).max():g}: rescale the stored "
                    "values"
                )
            y[rounded] = np.clip(y[rounded], above, below)
        return y

    def undo(self, drawn: Array) -> Array:
        """Gives the level in whose cell each y lies."""
        cells = np.asarray(drawn, np.float64) / self.width
        levels = (np.round(cells) if self.centred else np.floor(cells)) * self.width
        if self.columns is not None:
            levels[..., self.columns :] = drawn[..., self.columns :]
        return levels.astype(np.float32)

    def __repr__(self) -> str:
        columns = "" if self.columns is None else f", columns={self.columns}"
        return f"UniformDequantise(width={self.width}, centred={self.centred}{columns})"


class GaussianLatents(Noise):
    r"""Draws :math:`y \sim N(\mu, e^{\log\sigma^2})` from rows :math:`[\mu, \log\sigma^2]` of an
    encoder, beside the reward and the end of a world model's frame.

    The entropy of a frame is :math:`\tfrac12 \sum_d (\log 2\pi e + \log\sigma_d^2)`: the part of a
    model's NLL that nothing can take away.

    With ``latents``, a store's rows may also be :math:`[\mu, \log\sigma^2, r, e]`, of which
    :math:`[y, r + w u, e]` is drawn, :math:`u \sim U(-\tfrac12, \tfrac12)`: rewards that are steps
    of a scale have no density, so each is spread over a cell of width w around it, and the entropy
    has :math:`+ \log w`. The end is a bit and stays as it is. The latents are drawn first: they are
    the same whether rewards stand behind them or not.

    Args:
        latents: Number L of latents, where a reward and an end may stand behind their 2 L columns.
            All columns are those of latents where None.
        reward: w, the width of a reward's cell. None leaves rewards as they are, for those that are
            continuous; what nothing can take away has no number then.

    Raises:
        ValueError: If a size or a width is out of range, or the rows do not fit.

    References:
        World Models (Ha, Schmidhuber, 2018).

    Example:
        >>> rows = np.array([[3.0, 0.0]], np.float32)
        >>> GaussianLatents().features(2), GaussianLatents().entropy(rows).round(4).tolist()
        (1, [1.4189])
        >>> noise = GaussianLatents(latents=1, reward=0.5)
        >>> rows = np.array([[3.0, 0.0, 2.0, 1.0]], np.float32)
        >>> noise.features(4), noise.entropy(rows).round(4).tolist()  # 1.4189 - log 2
        (3, [0.7258])
    """

    def __init__(self, latents: int | None = None, reward: float | None = None) -> None:
        if latents is not None and latents < 1:
            raise ValueError(f"GaussianLatents expected 1 latent or more, found {latents}")
        if reward is not None and latents is None:
            raise ValueError(
                "GaussianLatents expected the number of latents beside the width of a reward's "
                "cell: without it, all columns are latents"
            )
        self.latents = latents
        self.reward = reward
        self.cells = None if reward is None else UniformDequantise(reward, centred=True, columns=1)

    def features(self, stored: int) -> int:
        latents = self._latents(stored)
        return stored - latents

    def names(self, stored: Sequence[str]) -> list[str]:
        latents = self._latents(len(stored))
        return [*stored[:latents], *stored[2 * latents :]]

    def observed(self, stored: NDArray[np.bool_]) -> NDArray[np.bool_]:
        latents = self._latents(stored.shape[-1])
        seen = stored[..., :latents] & stored[..., latents : 2 * latents]
        return np.concatenate([seen, stored[..., 2 * latents :]], axis=-1)

    def draw(self, values: Array, rng: np.random.Generator) -> Array:
        latents = self._latents(values.shape[-1])
        scale = np.exp(0.5 * values[..., latents : 2 * latents])
        normal = rng.standard_normal(scale.shape, dtype=np.float32)
        z = (values[..., :latents] + scale * normal).astype(np.float32, copy=False)
        rest = values[..., 2 * latents :]
        if not rest.shape[-1]:
            return z
        if self.cells is not None:
            rest = self.cells.draw(rest, rng)
        return np.concatenate([z, rest], axis=-1)

    def entropy(self, values: Array) -> NDArray[np.float64] | None:
        latents = self._latents(values.shape[-1])
        logvar = values[..., latents : 2 * latents].astype(np.float64)
        entropy: NDArray[np.float64] = 0.5 * (np.log(2 * np.pi * np.e) + logvar).sum(-1)
        if values.shape[-1] == 2 * latents:
            return entropy
        return None if self.reward is None else entropy + np.log(self.reward)

    def __repr__(self) -> str:
        if self.latents is None:
            return "GaussianLatents()"
        return f"GaussianLatents(latents={self.latents}, reward={self.reward})"

    def _latents(self, stored: int) -> int:
        """Gives the number L of latents in rows of this many columns."""
        if self.latents is not None:
            if stored not in (2 * self.latents, 2 * self.latents + 2):
                raise ValueError(
                    f"GaussianLatents(latents={self.latents}) expected {2 * self.latents} columns "
                    "[mu, logvar], or two more with reward and end behind them, found "
                    f"{stored}: say how many latents this store has"
                )
            return self.latents
        if stored < 2 or stored % 2:
            raise ValueError(
                "GaussianLatents expected rows [mu, logvar] with as many columns of one as of the "
                f"other, found {stored} columns: choose the noise that fits this store"
            )
        return stored // 2


_CELLS = 2**15  # with 8 bits before the point, level plus midpoint fill float32's 24
