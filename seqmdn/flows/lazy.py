"""A flow of the library's own, named in a configuration."""

from importlib import import_module
from typing import Any

from torch import Tensor
from torch.distributions import Transform
from zuko.lazy import LazyTransform

from seqmdn.flows.flow import Flow, require_sizes

__all__ = ["Lazy"]


class Lazy(Flow):
    r"""Makes any zuko ``LazyTransform`` from its class path and its options.

    In Python such a transform needs no wrapper; in a configuration it does, since not all of its
    own arguments can be written there. It begins where zuko begins it, which is no identity.

    To import a module is to run it, and a configuration or a checkpoint may be a stranger's: a path
    that does not lead into zuko is refused before anything is imported.

    Args:
        features: Number of features D.
        context: Number of context features H, 0 for none.
        path: Where the class is, as in ``zuko.flows.MaskedAutoregressiveTransform``.
        options: Its arguments besides features and context, plain values.

    Raises:
        ValueError: If the path does not lead into zuko, there is no such class, it is no
            ``LazyTransform``, or the options are not its own.

    Example:
        >>> import torch
        >>> flow = Lazy(3, 2, "zuko.flows.MaskedAutoregressiveTransform", {"passes": 2})
        >>> flow(torch.zeros(7, 2))(torch.randn(7, 3)).shape
        torch.Size([7, 3])
    """

    def __init__(
        self, features: int, context: int, path: str, options: dict[str, Any] | None = None
    ) -> None:
        require_sizes(context, features=features)
        super().__init__(features, context, [])
        package, *others = path.split(".")
        if package != "zuko" or not others or not all(part.isidentifier() for part in others):
            raise ValueError(
                f"expected a class of zuko's, as zuko.flows.MaskedAutoregressiveTransform, found "
                f"{path!r}, which was not imported: for a flow of your own, derive a class from "
                "seqmdn.flows.Flow and name it by its class_path"
            )
        module, _, name = path.rpartition(".")
        try:
            found = getattr(import_module(module), name)
        except (ImportError, AttributeError, ValueError) as error:
            raise ValueError(f"there is no class {path!r}: {error}") from error
        if not (isinstance(found, type) and issubclass(found, LazyTransform)):
            raise ValueError(f"{path} is no LazyTransform of zuko's")
        try:
            self.transforms.append(found(features, context, **options or {}))
        except TypeError as error:
            raise ValueError(f"{path} does not take these options: {error}") from error

    def _transform(self, context: Tensor | None) -> Transform:
        return self.transforms[0](context)
