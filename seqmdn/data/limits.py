"""What a store says that no model can be expected to go below."""

from __future__ import annotations

__all__ = ["stated_limit"]

from typing import Literal

from seqmdn.data.points import GivenPoints
from seqmdn.data.store import Store


def stated_limit(
    store: Store, split: str, points: GivenPoints | None, per: Literal["frame", "sequence"]
) -> float | None:
    """Gives what the density that a store's rows were drawn from reaches on a split, in nats.

    A store of rows says it of each row (attributes ``limit_train``, ``limit_valid``,
    ``limit_test``), one of tasks of each point that is asked for by the rule that its attribute
    ``limit_points`` names. None where it says nothing, or it is asked of something else.

    Args:
        store: The store.
        split: Whose limit.
        points: The rule by which points are asked for, None where every frame counts.
        per: What scores are of.

    Example:
        >>> import tempfile
        >>> from seqmdn.data import StoreWriter
        >>> said = {"limit_test": 1.5}
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with StoreWriter(f"{folder}/a.h5", ["x"], "a", "m", attributes=said) as writer:
        ...         writer.append([[0.0]], "test")
        ...     store = Store(f"{folder}/a.h5")
        ...     stated_limit(store, "test", None, "frame")
        1.5
    """
    if points is None:
        known = store.lengths.max() <= 1
    else:
        known = per == "frame" and store.attributes.get("limit_points") == str(points)
    limit = store.attributes.get(f"limit_{split}") if known else None
    return None if limit is None else float(limit)
