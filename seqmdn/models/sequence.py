"""The recurrent mixture density network: previous frames in, density of the next frame out."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from seqmdn.backbones import Backbone, LSTMBackbone
from seqmdn.data import Batch, Standardise, Transform
from seqmdn.heads import MixtureHead
from seqmdn.models.model import DensityModel

__all__ = ["SequenceModel"]

State = tuple[Tensor, ...]


class SequenceModel(DensityModel):
    r"""The exact density of a continuous sequence, frame by frame.

    .. math:: \log p(y_{1:T} | x_{1:T}) = \sum_t \log p(y_t | y_{<t}, x_{\le t})

    At step t the backbone sees frame t - 1 and the context of step t; before the first frame it
    sees a learned start frame. All values that go in and all densities that come out are in the
    data's own units: the reversible transform inside adds its log-determinant.

    With a :class:`MixtureHead` this is an RMDN, with a :class:`FlowMixtureHead` an FRMDN. With a
    backbone that reads a text c, such as Graves' network for handwriting, it is the density
    :math:`\log p(y_{1:T} | c, x_{1:T})` of what is written, given what it says.

    Args:
        features: Number of features D of a frame.
        context: Number of context features X that are known at each step, 0 for none.
        backbone: Makes the backbone from its number of inputs.
        head: Makes the head from (features, context).
        transform: Makes the reversible transform of the frames from their number of features.
        missing: Whether features of frames may be missing. What was observed is what is scored: its
            exact marginal density, 0 for a frame of which nothing was. The backbone sees 0 (of the
            transform's units) for a missing feature, and D more inputs that say which were
            observed.
        truncate: Steps after which the gradient is cut: it flows back to the last multiple of them,
            while the state goes on. None lets it flow to the beginning.

    Raises:
        ValueError: If a batch's frames, contexts or texts do not fit, or features are missing and
            the model was not made for that.

    References:
        Generating Sequences With Recurrent Neural Networks (Graves, 2013).
        FRMDN: Flow-based Recurrent Mixture Density Network (Razavi, Hosseini, Behzad, 2020),
        arXiv:2008.02144.

    Example:
        >>> from functools import partial
        >>> model = SequenceModel(features=2, backbone=partial(LSTMBackbone, hidden=16))
        >>> batch = Batch(values=torch.randn(3, 10, 2), lengths=torch.tensor([10, 7, 2]))
        >>> model.log_prob(batch).shape, model.loss(batch).shape
        (torch.Size([3]), torch.Size([]))
    """

    def __init__(
        self,
        features: int,
        context: int = 0,
        backbone: Callable[[int], Backbone] = LSTMBackbone,
        head: Callable[[int, int], nn.Module] = MixtureHead,
        transform: Callable[[int], Transform] = Standardise,
        missing: bool = False,
        truncate: int | None = None,
    ) -> None:
        super().__init__()
        if truncate is not None and truncate < 1:
            raise ValueError(f"truncate must be at least 1 step, found {truncate}")
        self.features = features
        self.context = context
        self.transform = transform(features)
        self.missing = missing
        self.truncate = truncate
        self.backbone = backbone(features + (features if missing else 0) + context)
        self.head = head(features, self.backbone.features)
        self.start = nn.Parameter(torch.zeros(features))

    def initialise(self, values: Tensor) -> None:
        """Fit the transform and place the head's components, before training.

        Args:
            values: Training frames ``(N, D)`` in the data's units, NaN where a feature is missing.

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

    def frame_log_prob(self, batch: Batch) -> Tensor:
        """Return the log-density of every frame given the frames before it, in nats.

        Args:
            batch: B sequences of at most T frames.

        Returns:
            ``(B, T)``, 0 at frames that do not count (padding and burn-in).
        """
        density, z, ladj, observed = self._predict(batch)
        log_prob = density.log_prob(z) if observed is None else density.log_prob(z, observed)
        return (log_prob + ladj).where(batch.mask(), 0)

    def distributions(self, batch: Batch) -> tuple[Distribution, Tensor]:
        """Return the density of every frame given the real ones before it.

        Args:
            batch: B sequences of at most T frames.

        Returns:
            The distribution, of batch shape ``(B, T)`` and *in the transform's units*, and the mask
            ``(B, T)`` of the frames that count. ``Flowed(distribution, model.transform)`` is in the
            data's own units.
        """
        return self._predict(batch)[0], batch.mask()

    def log_prob(self, batch: Batch) -> Tensor:
        """Return each sequence's log-density ``(B,)`` in nats, a sum over the frames that count."""
        return self.frame_log_prob(batch).sum(dim=1)

    def loss(self, batch: Batch) -> Tensor:
        """Return the negative log-likelihood in nats a frame, a mean over all that count."""
        return -self.frame_log_prob(batch).sum() / batch.frames().sum()

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

    def step(
        self,
        previous: Tensor | None,
        context: Tensor | None = None,
        state: State | None = None,
        batch_size: int = 1,
        observed: Tensor | None = None,
    ) -> tuple[Distribution, State]:
        """Go one step on and return the density of the next frame, *in the transform's units*.

        Args:
            previous: The frame before ``(B, D)`` in the transform's units, None before the first
                frame.
            context: Context of this step ``(B, X)``, where the model has one.
            state: State of the backbone after the step before, None before the first.
            batch_size: Number of sequences B, where previous is None.
            observed: Which features of the frame before were observed, boolean ``(B, D)``, where
                the model was made for missing ones; those that were not must be 0. None is all.

        Returns:
            The distribution (batch shape ``(B,)``) and the state.
        """
        h, state = self.advance(previous, context, state, batch_size, observed)
        return self.head(h), state

    def advance(
        self,
        previous: Tensor | None,
        context: Tensor | None = None,
        state: State | None = None,
        batch_size: int = 1,
        observed: Tensor | None = None,
    ) -> tuple[Tensor, State]:
        """Go one step on as :meth:`step` does, and return what the head sees: h ``(B, H)``."""
        if previous is None:
            previous = self.start.expand(batch_size, -1)
        if observed is not None and not self.missing:
            raise ValueError(_NOT_MISSING.format("observed in a step"))
        inputs = self._inputs(
            previous.unsqueeze(1),
            None if context is None else context.unsqueeze(1),
            None if observed is None else observed.unsqueeze(1),
        )
        h, state = self.backbone(inputs, state)
        return h.squeeze(1), state

    def _predict(self, batch: Batch) -> tuple[Any, Tensor, Tensor, Tensor | None]:
        """Return densities, frames z (B, T, D), log-determinants (B, T) and what was observed."""
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
        seen = None
        if observed is not None:
            seen = torch.cat((torch.ones_like(observed[:, :1]), observed[:, :-1]), dim=1)
        h = self._run(self._inputs(previous, context, seen), self.begin(batch.text))
        return self.head(h), z, ladj, observed

    def _run(self, inputs: Tensor, state: State | None) -> Tensor:
        """Run the backbone over inputs (B, T, X), in pieces where the gradient is truncated."""
        if self.truncate is None or not torch.is_grad_enabled():
            return self.backbone(inputs, state)[0]
        outputs = []
        for piece in inputs.split(self.truncate, dim=1):
            h, state = self.backbone(piece, state)
            state = tuple(part.detach() for part in state)
            outputs.append(h)
        return torch.cat(outputs, dim=1)

    def _inputs(
        self, previous: Tensor, context: Tensor | None, seen: Tensor | None = None
    ) -> Tensor:
        parts = [previous]
        if self.missing:
            parts.append(torch.ones_like(previous) if seen is None else seen.to(previous))
        if self.context:
            if context is None or context.shape[-1] != self.context:
                found = "none" if context is None else f"shape {tuple(context.shape)}"
                raise ValueError(
                    f"the model needs a context of {self.context} features, found {found}"
                )
            parts.append(context)
        return torch.cat(parts, dim=-1) if len(parts) > 1 else previous

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
        if not self.missing:
            raise ValueError(_NOT_MISSING.format("observed in a batch"))
        if batch.observed.dtype != torch.bool or batch.observed.shape != batch.values.shape:
            raise ValueError(
                f"observed must be boolean of shape {tuple(batch.values.shape)}, found "
                f"{batch.observed.dtype} of shape {tuple(batch.observed.shape)}"
            )


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
