"""What ran, in words, and which likelihoods are bounds."""

from pathlib import Path
from typing import Any

import pytest

from seqmdn.runs import load_run
from seqmdn.runs.description import describe_likelihood, describe_run
from tests.small import metrics


def test_what_ran_is_written_as_a_person_would(small_run: Path) -> None:
    run, scored = load_run(small_run), metrics(small_run)
    found = describe_run(run, scored, small_run, "test")
    assert found["run"] == "run" and found["model"] == "SequenceModel"
    assert found["backbone"].startswith("LSTMBackbone(hidden=8, ")
    assert found["head"].startswith("MixtureHead(components=2, ")
    assert found["features"] == ["x0", "x1"] and found["noise"] == "UniformDequantise"
    assert found["scored"] == "sequences" and found["split"] == "test"
    for name in ("params", "seconds", "steps", "seed", "dataset", "device", "versions"):
        assert found[name] == scored[name]


@pytest.mark.parametrize(
    ("noise", "more", "bound"),
    [
        (True, {}, "levels are spread by uniform noise"),
        (False, {}, None),
        (False, {"bound": True, "bound_is": "of 4 draws"}, "of 4 draws"),
        (True, {"bound": True, "bound_is": "x"}, "x; levels are spread by uniform noise"),
    ],
)
def test_a_bound_says_what_makes_it_one(
    small_run: Path, noise: bool, more: dict[str, Any], bound: str | None
) -> None:
    run = load_run(small_run)
    if not noise:
        run.data.noise = None
    other = {"nll": 2.0, "stderr": 0.5, "bits_per_dim": 1.0, "nll_per_sequence": [2.0]}
    scored = {**metrics(small_run), "bounds": {"b": other}, "stderr": float("nan"), **more}
    found = describe_likelihood(run, scored)
    assert found["bound"] == bound and ("bits_per_dim" in found) is noise
    assert found["bounds"] == {"b": {"nll": 2.0, "stderr": 0.5}} and found["parts"] == {}
    assert found["nll"] == scored["nll"] and found["stderr"] is None
