"""Models that go over a sequence frame by frame, and can therefore be drawn from."""

from abc import abstractmethod
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from seqmdn.backbones import Backbone
from seqmdn.data import Batch, Transform
from seqmdn.models.model import DensityModel

__all__ = ["FrameModel", "Seen", "State"]

State = tuple[Tensor, ...]


class Seen(NamedTuple):
    """A batch as a model sees it, padding replaced by what every transform accepts.

    Attributes:
        z: Frames in the transform's units ``(B, T, D)``.
        ladj: Log-determinant of the transform at each of them ``(B, T)``.
        previous: The frame before each, the start frame before the first ``(B, T, D)``.
        context: Of each frame ``(B, T, X)``, or None.
        observed: Which features were observed, boolean ``(B, T, D)``, or None where all were.
    """

    z: Tensor
    ladj: Tensor
    previous: Tensor
    context: Tensor | None
    observed: Tensor | None


class FrameModel(DensityModel):
    r"""What sees the frames before and the context, and says how the next frame is distributed.

    A frame is drawn from ``head(h)``, with h of :meth:`advance`. Before the first frame a model
    sees a learned start frame. All values that go in and all densities that come out are in the
    data's own units: the reversible transform inside adds its log-determinant.

    Args:
        features: Number of features D of a frame.
        context: Number of context features X that are known at each step, 0 for none.
        transform: Makes the reversible transform of the frames from their number of features.
        missing: Whether features of frames may be missing.

    Attributes:
        backbone: What runs over time.
        head: Makes a frame's distribution, *in the transform's units*, from h.
        start: The frame that is seen before the first one ``(D,)``.
    """

    backbone: Backbone
    head: nn.Module
    start: Tensor

    def __init__(
        self,
        features: int,
        context: int,
        transform: Callable[[int], Transform],
        missing: bool = False,
    ) -> None:
        super().__init__()
        self.features = features
        self.context = context
        self.transform = transform(features)
        self.missing = missing

    @abstractmethod
    def advance(
        self,
        previous: Tensor | None,
        context: Tensor | None = None,
        state: State | None = None,
        batch_size: int = 1,
        observed: Tensor | None = None,
    ) -> tuple[Tensor, State]:
        """Go one step on and return what the head sees.

        Args:
            previous: The frame before ``(B, D)`` in the transform's units, None before the first
                frame.
            context: Context of this step ``(B, X)``, where the model has one.
            state: State after the step before, None before the first.
            batch_size: Number of sequences B, where previous is None.
            observed: Which features of the frame before were observed, boolean ``(B, D)``, where
                the model was made for missing ones; those that were not must be 0. None is all.

        Returns:
            h ``(B, H)`` and the state.
        """

    def told(self, frame: Tensor, state: State, rows: Tensor) -> State:
        """Return the state after the frame of this step was not drawn from it but is a real one.

        Args:
            frame: Frames ``(B, D)`` in the transform's units.
            state: Of :meth:`advance` in this step.
            rows: Which of the frames are real, boolean ``(B,)``.
        """
        return state

    def initialise(self, values: Tensor, context: Tensor | None = None) -> None:
        """Fit the transform and place the head's components, before training.

        Args:
            values: Training frames ``(N, D)`` in the data's units, NaN where a feature is missing.
            context: The context of each ``(N, X)``; most models take it as it is.

        Raises:
            ValueError: If features are missing and the model was not made for that.
        """
        observed = ~values.isnan()
        if not self.missing and not observed.all():
            raise ValueError(_NOT_MISSING.format(f"{int((~observed).sum())} NaN in the frames"))
        self.transform.fit(values, observed)
        place = getattr(self.head, "initialise", None)
        if place is not None:
            with torch.no_grad():
                place(_filled(self.transform.call_and_ladj(values, observed)[0], observed))

    def begin(self, text: Tensor | None) -> State | None:
        """Return the state before the first step, None where the backbone makes it by itself.

        Args:
            text: What each sequence says, code points ``(B, U)`` padded with 0, or None.

        Raises:
            ValueError: If the backbone reads no text, or knows other characters.
        """
        return None if text is None else self.backbone.begin(text)

    def ended(self, frame: Tensor, state: State) -> Tensor | None:
        """Say which sequences end with a frame, None where nothing says it.

        A frame says it by itself where the head has a bit for that; otherwise a text is at its end.

        Args:
            frame: Frames ``(B, D)`` just drawn, in the data's units.
            state: The state of the step that they were drawn in.

        Returns:
            Boolean ``(B,)``.
        """
        last = getattr(self.head, "last", None)
        ended: Tensor | None = None if last is None else last(frame)
        return self.backbone.finished(state) if ended is None else ended

    def see(self, batch: Batch) -> Seen:
        """Return the frames of a batch and what stands before each of them.

        Raises:
            ValueError: If the frames or the context do not fit, or features are missing and the
                model was not made for that.
        """
        self._check(batch)
        # Padding may hold anything, NaN included, and must reach neither a value nor a gradient:
        # the first frame takes its place, being one that every transform accepts.
        present = batch.present().unsqueeze(-1)
        values = batch.values.where(present, batch.values[:, :1])
        context = None if batch.context is None else batch.context.where(present, 0)
        observed = batch.observed
        if observed is not None:
            observed = observed.where(present, observed[:, :1])
        z, ladj = self.transform.call_and_ladj(values, observed)
        previous = torch.cat((self.start.expand(len(z), 1, -1), z[:, :-1]), dim=1)
        return Seen(z, ladj, previous, context, observed)

    def _beside(self, inputs: list[Tensor], context: Tensor | None) -> Tensor:
        """Put the context, where the model has one, beside other inputs of the backbone."""
        if self.context:
            if context is None or context.shape[-1] != self.context:
                found = "none" if context is None else f"shape {tuple(context.shape)}"
                raise ValueError(
                    f"the model needs a context of {self.context} features, found {found}"
                )
            inputs = [*inputs, context]
        return torch.cat(inputs, dim=-1) if len(inputs) > 1 else inputs[0]

    def _check(self, batch: Batch) -> None:
        if batch.values.ndim != 3 or batch.values.shape[-1] != self.features:
            raise ValueError(
                f"values must have shape (B, T, {self.features}), found {tuple(batch.values.shape)}"
            )
        expected = (*batch.values.shape[:2], self.context)
        if self.context and batch.context is not None and batch.context.shape != expected:
            raise ValueError(
                f"context must have shape {expected}, found {tuple(batch.context.shape)}"
            )
        if batch.observed is None:
            return
        self._check_missing("observed in a batch")
        if batch.observed.dtype != torch.bool or batch.observed.shape != batch.values.shape:
            raise ValueError(
                f"observed must be boolean of shape {tuple(batch.values.shape)}, found "
                f"{batch.observed.dtype} of shape {tuple(batch.observed.shape)}"
            )

    def _check_missing(self, found: str) -> None:
        if not self.missing:
            raise ValueError(_NOT_MISSING.format(found))


def _filled(z: Tensor, observed: Tensor) -> Tensor:  # (N, D)
    """Fill what is missing with what was observed of the same feature, over and over.

    A head is placed on whole frames; a constant in the gaps would be a cluster of its own.
    """
    columns = []
    for column, seen in zip(z.unbind(1), observed.unbind(1), strict=True):
        known = column[seen]
        if 0 < len(known) < len(column):
            column = column.clone()
            gaps = int((~seen).sum())
            column[~seen] = known.repeat(-(-gaps // len(known)))[:gaps]
        columns.append(column)
    return torch.stack(columns, dim=1)


_NOT_MISSING = (
    "the model was made for frames without missing features, found {}: make it with missing=True"
    " (--model.missing true), or leave out the frames"
)
