"""What a pen does next: where it goes, and whether a stroke and the whole drawing end there."""

from collections.abc import Callable

from torch import Tensor, nn

from seqmdn.heads.joint import JointHead
from seqmdn.heads.mixture import MixtureHead

__all__ = ["StrokeHead"]


class StrokeHead(JointHead):
    r"""Any head for the offsets of a pen, beside bits that end strokes and sequences.

    .. math:: p(\Delta x, \Delta y, b | h) = p(\Delta x, \Delta y | h) \prod_e P(b_e | b_{<e}, h)

    With 20 components of full covariance in two dimensions, which is D + UU^T of rank 1, this is
    the density of Graves' handwriting network. The bits are those behind the offsets in a frame:
    one says that the stroke ends here, a second one (``mark_end`` of the data) that all does.

    Args:
        features: Number of features D of a frame: the offsets and at least one bit.
        context: Number of features H of h.
        offsets: Makes the head of the offsets from (C, H).
        columns: Number C of offsets.

    Raises:
        ValueError: If there is no bit behind the offsets, and what the head of the offsets raises.

    References:
        Generating Sequences With Recurrent Neural Networks (Graves, 2013).
        A Neural Representation of Sketch Drawings (Ha, Eck, 2018), for an end of the drawing that
        is learnt.

    Example:
        >>> import torch
        >>> head = StrokeHead(features=4, context=16)
        >>> distribution = head(torch.zeros(5, 10, 16))
        >>> distribution.batch_shape, distribution.sample()[0, 0, 2:].shape
        (torch.Size([5, 10]), torch.Size([2]))
    """

    def __init__(
        self,
        features: int,
        context: int,
        offsets: Callable[[int, int], nn.Module] = MixtureHead,
        columns: int = 2,
    ) -> None:
        super().__init__(features, context, columns, offsets)

    @property
    def offsets(self) -> nn.Module:
        """The head of the offsets."""
        return self.continuous

    def last(self, frame: Tensor) -> Tensor | None:
        """Say which frames ``(..., D)`` end their sequence, None where a bit ends strokes only."""
        return super().last(frame) if self.features - self.columns > 1 else None
