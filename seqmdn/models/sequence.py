"""The recurrent mixture density network: previous frames in, density of the next frame out."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from seqmdn.backbones import Backbone, LSTMBackbone
from seqmdn.data import Batch, Standardise, Transform
from seqmdn.heads import MixtureHead
from seqmdn.models.exact import ExactModel
from seqmdn.models.frames import Seen, State

__all__ = ["SequenceModel"]


class SequenceModel(ExactModel):
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
        super().__init__(features, context, transform, missing)
        if truncate is not None and truncate < 1:
            raise ValueError(f"truncate must be at least 1 step, found {truncate}")
        self.truncate = truncate
        self.backbone = backbone(features + (features if missing else 0) + context)
        self.head = head(features, self.backbone.features)
        self.start = nn.Parameter(torch.zeros(features))

    def advance(
        self,
        previous: Tensor | None,
        context: Tensor | None = None,
        state: State | None = None,
        batch_size: int = 1,
        observed: Tensor | None = None,
    ) -> tuple[Tensor, State]:
        if previous is None:
            previous = self.start.expand(batch_size, -1)
        if observed is not None:
            self._check_missing("observed in a step")
        inputs = self._inputs(
            previous.unsqueeze(1),
            None if context is None else context.unsqueeze(1),
            None if observed is None else observed.unsqueeze(1),
        )
        h, state = self.backbone(inputs, state)
        return h.squeeze(1), state

    def _predict(self, batch: Batch) -> tuple[Any, Seen]:
        """Return the densities of a batch's frames, and the batch as the model sees it."""
        seen = self.see(batch)
        before = seen.observed
        if before is not None:
            before = torch.cat((torch.ones_like(before[:, :1]), before[:, :-1]), dim=1)
        inputs = self._inputs(seen.previous, seen.context, before)
        return self.head(self._run(inputs, self.begin(batch.text))), seen

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
        return self._beside(parts, context)
