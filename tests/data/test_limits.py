"""What a store says no model goes below: of its own rows or points, and of nothing else."""

from pathlib import Path

import numpy as np

from seqmdn.data import GivenPoints, Store, StoreWriter
from seqmdn.data.limits import stated_limit


def write(path: Path, frames: int, **said: float | str) -> Store:
    with StoreWriter(path, ["x"], "a", "m", attributes=said) as writer:
        writer.append(np.arange(float(frames))[:, None], "test")
    return Store(path)


def test_it_is_of_rows_or_of_points_by_one_rule(tmp_path: Path) -> None:
    rule = GivenPoints(1, 3)
    rows = write(tmp_path / "a.h5", 1, limit_test=1.5)
    assert stated_limit(rows, "test", None, "frame") == 1.5
    assert stated_limit(rows, "valid", None, "frame") is None
    assert stated_limit(rows, "test", rule, "frame") is None
    tasks = write(tmp_path / "b.h5", 5, limit_test=2, limit_points=str(rule))
    assert stated_limit(tasks, "test", rule, "frame") == 2.0
    assert stated_limit(tasks, "test", GivenPoints(1, 4), "frame") is None
    assert stated_limit(tasks, "test", rule, "sequence") is None
    assert stated_limit(tasks, "test", None, "frame") is None, "of more than one frame"
