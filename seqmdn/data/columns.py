"""Which columns of a store a model learns, which it is given, and which is added to them."""

from __future__ import annotations

__all__ = ["Columns"]

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from seqmdn.data.batch import Batch
from seqmdn.data.layout import Array
from seqmdn.data.store import Store


class Columns:
    r"""Hands some columns of a store's values over to the context of their own frame.

    With given columns g and the others y, a model of the batches has the density
    :math:`\prod_t p(y_t \mid y_{<t}, g_{\le t}, x_{\le t})`: of y given g, not of both. That is
    the way to leave a feature that has no density, such as a bit that says where a stroke ends, to
    someone else: the likelihood is then a conditional one, and is to be called that.

    With ``mark_end``, a column is added behind the others: 1 in the last frame of a sequence, 0
    before it. A model that learns this bit, too, has a density of whole sequences, their lengths
    included, and its draws end by themselves.

    Args:
        store: The store.
        given: Names of columns of its values.
        mark_end: Whether the end of a sequence is a column of its own.

    Raises:
        ValueError: If a name is not one of the store's, or twice there, if nothing is left to
            learn, or if features of the store may be missing.
    """

    def __init__(self, store: Store, given: Sequence[str] = (), mark_end: bool = False) -> None:
        unknown = [name for name in given if name not in store.names]
        if unknown or len(set(given)) != len(given):
            raise ValueError(
                f"{store.path}: expected given columns to be of {store.names}, each once, found "
                f"{list(given)}"
            )
        if len(given) == store.features:
            raise ValueError(
                f"{store.path}: expected a column that is left to learn, found all of them given: "
                f"{list(given)}"
            )
        if given and store.missing:
            raise ValueError(
                f"{store.path}: expected no given columns where features may be missing, found "
                f"{list(given)}: prepare a store that has them as context"
            )
        if mark_end and store.missing:
            raise ValueError(
                f"{store.path}: expected no mark of the end where features may be missing: set "
                "mark_end to false"
            )
        self.mark_end = mark_end
        self.given = [store.names.index(name) for name in given]
        self.learned = [i for i in range(store.features) if i not in self.given]

    def split(
        self, values: Array, context: Array | None
    ) -> tuple[Array, Array | None]:  # (T, stored), (T, X) -> (T, D), (T, X + given)
        """Gives the columns to learn, and the context with the given ones behind it."""
        if not self.given:
            return values, context
        known = values[:, self.given]
        if context is not None:
            known = np.concatenate([context, known], axis=1)
        return values[:, self.learned], known

    def with_end(self, values: Array, ends: bool) -> Array:  # (T, D) -> (T, D + 1)
        """Gives the frames with the mark behind them; ``ends`` says whether their sequence does."""
        mark = np.zeros((len(values), 1), np.float32)
        mark[-1] = ends
        return np.concatenate([values, mark], axis=1)

    def join(self, batch: Batch) -> Batch:
        """Gives a batch as the store has it: the given columns back in their places, no mark.

        Drawn sequences are given the columns that they were drawn under.
        """
        if self.mark_end:
            batch = batch._replace(values=batch.values[..., :-1])
        if not self.given:
            return batch
        if batch.context is None:
            raise ValueError(
                f"expected a batch with {len(self.given)} given columns in its context, found "
                "none: draw it under the context of a real one"
            )
        split = batch.context.shape[-1] - len(self.given)
        shape = (*batch.values.shape[:-1], len(self.given) + len(self.learned))
        values: Tensor = torch.empty(shape).to(batch.values)
        values[..., self.learned] = batch.values
        values[..., self.given] = batch.context[..., split:].to(values)
        return batch._replace(values=values, context=batch.context[..., :split] if split else None)
