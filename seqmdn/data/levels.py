"""Whole levels on a scale from -1 to 1, for densities that are probabilities of levels."""

from __future__ import annotations

__all__ = ["Levels"]

import torch
from torch import Tensor

from seqmdn.data.transforms import Transform


class Levels(Transform):
    r"""Puts the levels 0 to L - 1 on a scale: :math:`z = 2 x / (L - 1) - 1`.

    A level by another name is as probable as before, so that :math:`\log |\det| = 0`: what is
    learned of z is no density but the probability of a level
    (:class:`seqmdn.heads.DiscretisedMixtureHead`). ``inverse`` gives whole levels.

    Args:
        features: D.
        levels: L.

    Raises:
        ValueError: If there are fewer than 2 levels, or a value is none of them.

    Example:
        >>> import torch
        >>> levels = Levels(3)
        >>> z, ladj = levels.call_and_ladj(torch.tensor([0.0, 51.0, 255.0]))
        >>> z, ladj, levels.inverse(z)
        (tensor([-1.0000, -0.6000,  1.0000]), tensor(0.), tensor([  0.,  51., 255.]))
    """

    def __init__(self, features: int, levels: int = 256) -> None:
        super().__init__()
        if levels < 2:
            raise ValueError(f"Levels expected 2 levels or more, found {levels}")
        self.features = features
        self.levels = levels

    def call_and_ladj(self, y: Tensor, observed: Tensor | None = None) -> tuple[Tensor, Tensor]:
        if observed is not None:
            y = y.where(observed, 0)
        right = (y == y.round()) & (y >= 0) & (y < self.levels)
        # A graph can refuse nothing: what is no level has a probability that means nothing there.
        if not torch.compiler.is_exporting() and not right.all():
            raise ValueError(
                f"Levels expected whole numbers from 0 to {self.levels - 1}, found "
                f"{y[~right][0].item():g} ({int((~right).sum())} such values): levels have "
                "probabilities and want no noise (--data.noise null); scaled values are no levels"
            )
        z = 2 * y / (self.levels - 1) - 1
        return (z if observed is None else z.where(observed, 0)), y.new_zeros(y.shape[:-1])

    def inverse(self, z: Tensor) -> Tensor:
        return ((z + 1) * (0.5 * (self.levels - 1))).round().clamp(0, self.levels - 1)

    def ladj(self) -> None:
        """Gives None: a probability has no unit that could be another one."""

    def extra_repr(self) -> str:
        return f"features={self.features}, levels={self.levels}"
