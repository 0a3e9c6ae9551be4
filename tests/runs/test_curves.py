"""What a run has logged."""

import csv
import os
from pathlib import Path

import pytest

from seqmdn.runs import evaluate, learning_curve, loss_curve


def test_the_curve_is_that_of_the_logs(small_run: Path) -> None:
    with (small_run / "logs" / "version_0" / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    logged = [(int(float(r["step"])), float(r["val/nll"])) for r in rows if r["val/nll"]]
    steps, values = learning_curve(small_run)
    assert list(zip(steps, values, strict=True)) == logged and steps == [4, 8, 12]
    assert evaluate(small_run / "checkpoints" / "last.ckpt", "valid")["nll"] == pytest.approx(
        values[-1], rel=1e-6
    )


def test_a_curve_is_of_all_parts_the_later_ones_first(tmp_path: Path) -> None:
    parts = {"version_9": "4,1.0,\n6,,0.5\n8,2.0,\n", "version_10": "8,3.0,\n12,4.0,\n"}
    for time, (name, rows) in enumerate(parts.items()):
        path = tmp_path / "logs" / name / "metrics.csv"
        path.parent.mkdir(parents=True)
        path.write_text(f"step,val/nll,train/loss\n{rows}")
        os.utime(path, (time, time))
    assert learning_curve(tmp_path) == ([4, 8, 12], [1.0, 3.0, 4.0])
    assert loss_curve(tmp_path) == ([6], [0.5])
