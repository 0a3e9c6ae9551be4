"""Several flows as one."""

from collections.abc import Callable

from torch import nn

from seqmdn.flows.flow import Flow, require_sizes

__all__ = ["Sequential"]


class Sequential(Flow):
    r"""Applies flows one after the other, :math:`f = f_n \circ \dots \circ f_1`.

    Each part is a flow of its own, ours or any zuko ``LazyTransform``, named by its class path in
    a configuration. With parts of ours it begins as the identity; those of zuko begin where zuko
    begins them. All parts see the whole context; :class:`seqmdn.flows.Conditioned` gives one of
    them less, or none.

    Args:
        features: Number of features D.
        context: Number of context features H, 0 for none.
        flows: Makes each part from (features, context), the one that y meets first at the front.

    Raises:
        ValueError: If there is no part, and what the parts raise.

    Example:
        >>> import torch
        >>> from seqmdn.flows import AffineCoupling, LULinear
        >>> flow = Sequential(4, 0, [AffineCoupling, LULinear, AffineCoupling])
        >>> y = torch.randn(10, 4)
        >>> z, ladj = flow().call_and_ladj(y)
        >>> torch.equal(z, y), ladj.shape
        (True, torch.Size([10]))
    """

    def __init__(
        self, features: int, context: int, flows: list[Callable[[int, int], nn.Module]]
    ) -> None:
        require_sizes(context, features=features)
        if not flows:
            raise ValueError("a sequence of flows needs at least one, found none")
        super().__init__(features, context, [])
        self.transforms.extend(make(features, context) for make in flows)
