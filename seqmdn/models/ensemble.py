"""Several models trained side by side, whose densities are averaged."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from seqmdn.backbones import Backbone
from seqmdn.data import Batch, Transform
from seqmdn.distributions import average
from seqmdn.models.exact import ExactModel
from seqmdn.models.frames import Seen, State
from seqmdn.models.model import DensityModel
from seqmdn.models.regression import MDN

__all__ = ["Ensemble"]


class Ensemble(ExactModel):
    r"""The mean of the densities of M models that differ in their random beginnings.

    .. math:: p(y_t | y_{<t}, x_{\le t}) = \frac1M \sum_m p_m(y_t | y_{<t}, x_{\le t})

    One exact density, of single frames: of mixtures of K components it is a mixture of MK, with all
    that a mixture can do (:func:`seqmdn.distributions.average`). Members are trained at once and
    know nothing of each other: the loss is the mean of theirs, and not that of the averaged
    density. Where they disagree, the average is wider than each of them.

    Args:
        features: Number of features D of a frame.
        context: Number of context features X, 0 for none.
        model: Makes a member from (features, context): an :class:`MDN`, a :class:`SequenceModel`,
            or any other that knows the density of a frame.
        members: Their number M.

    Raises:
        ValueError: If there is no member, or a member knows no density of single frames.

    References:
        Simple and Scalable Predictive Uncertainty Estimation using Deep Ensembles
        (Lakshminarayanan, Pritzel, Blundell, 2017).

    Example:
        >>> model = Ensemble(features=2, context=3, members=4)
        >>> rows = Batch(torch.randn(9, 1, 2), torch.ones(9).long(), context=torch.randn(9, 1, 3))
        >>> model.initialise(rows.values[:, 0], rows.context[:, 0])
        >>> model.distributions(rows)[0]
        Mixture(components=20, rank=0, batch_shape=(9, 1), event_shape=(2,))
    """

    def __init__(
        self,
        features: int,
        context: int = 0,
        model: Callable[[int, int], DensityModel] = MDN,
        members: int = 5,
    ) -> None:
        DensityModel.__init__(self)  # what else a frame model has is that of its members
        if members < 1:
            raise ValueError(f"members must be at least 1, found {members}")
        made = [model(features, context) for _ in range(members)]
        for each in made:
            if not isinstance(each, ExactModel):
                raise ValueError(
                    f"expected members that know the density of single frames, found a "
                    f"{type(each).__name__}: use an MDN or a SequenceModel"
                )
        self.members = nn.ModuleList(made)
        self.features = features
        self.context = context
        self.missing = self._first.missing

    @property
    def transform(self) -> Transform:  # type: ignore[override]  # read only
        """The transform of the frames, of which every member has an equal one."""
        return self._first.transform

    @property
    def backbone(self) -> Backbone:  # type: ignore[override]
        """The first member's, which says what all of them ask of the data."""
        return self._first.backbone

    @property
    def start(self) -> Tensor:  # type: ignore[override]
        """The first member's: drawing asks where the model is."""
        return self._first.start

    @property
    def head(self) -> Any:  # type: ignore[override]
        """What makes the averaged density from the h of all members, beside each other."""
        return self._density

    def initialise(self, values: Tensor, context: Tensor | None = None) -> None:
        for member in self._each():
            member.initialise(values, context)

    def loss(self, batch: Batch) -> Tensor:
        """Return the mean of the members' losses, in nats a frame."""
        return torch.stack([member.loss(batch) for member in self._each()]).mean()

    def advance(
        self,
        previous: Tensor | None,
        context: Tensor | None = None,
        state: State | None = None,
        batch_size: int = 1,
        observed: Tensor | None = None,
    ) -> tuple[Tensor, State]:
        """Go one step on with every member; h and the state are theirs, one behind the other."""
        steps = [
            member.advance(previous, context, own, batch_size, observed)
            for member, own in zip(self._each(), self._split(state), strict=True)
        ]
        return torch.cat([h for h, _ in steps], dim=-1), _joined(own for _, own in steps)

    def told(self, frame: Tensor, state: State, rows: Tensor) -> State:
        pairs = zip(self._each(), self._split(state), strict=True)
        return _joined(member.told(frame, own or (), rows) for member, own in pairs)

    def begin(self, text: Tensor | None) -> State | None:
        if text is None:
            return None
        return _joined(member.begin(text) or () for member in self._each())

    def ended(self, frame: Tensor, state: State) -> Tensor | None:
        return self._first.ended(frame, self._split(state)[0] or ())

    def _predict(self, batch: Batch) -> tuple[Any, Seen]:
        found = [member._predict(batch) for member in self._each()]
        return average([density for density, _ in found]), found[0][1]

    @property
    def _first(self) -> ExactModel:
        return self._each()[0]

    def _each(self) -> list[ExactModel]:
        return [member for member in self.members if isinstance(member, ExactModel)]

    def _density(self, h: Tensor) -> Distribution:  # (*batch, M H)
        parts = h.chunk(len(self.members), dim=-1)
        return average([m.head(part) for m, part in zip(self._each(), parts, strict=True)])

    def _split(self, state: State | None) -> list[State | None]:
        """Return the state of each member."""
        members = len(self.members)
        if state is None:
            return [None] * members
        size = len(state) // members
        return [state[size * m : size * (m + 1)] for m in range(members)]


def _joined(states: Iterable[State]) -> State:
    return tuple(part for state in states for part in state)
