"""What the numbers say: warnings where something is wrong, and only there."""

import dataclasses
import math
from typing import Any

import pytest

from seqmdn.report.words import of_components, of_coverage, of_uniformity, verdicts
from seqmdn.runs import Diagnostics


@pytest.mark.parametrize(
    ("share", "error", "warning", "said"),
    [
        (0.85, 0.01, True, "Too sure of itself: 90 % intervals hold 85.0 ± 1.0 %"),
        (0.95, 0.01, True, "Not sure enough"),
        (0.89, 0.01, False, "As sure as it should be"),
        (0.889, 0.001, False, "Nearly as sure"),
        (0.85, None, True, "Too sure of itself: 90 % intervals hold 85.0 %"),
    ],
)
def test_coverage(share: float, error: float | None, warning: bool, said: str) -> None:
    intervals = [
        {"level": 0.5, "central": 0.1, "central_stderr": 0.1},
        {"level": 0.9, "central": share, "central_stderr": error},
    ]
    found = of_coverage({"intervals": intervals})
    assert found[0] is warning and found[1].startswith(said)


@pytest.mark.parametrize(
    ("p", "distance", "warning", "said"),
    [
        (0.3, 0.2, False, "Calibration is not rejected (p = 0.3): of 1,000 values"),
        (0.01, 0.1, True, "Calibration is rejected (p = 0.01): the largest deviation is 10.0 %"),
        (1e-9, 0.019, False, "Calibration is rejected (p < 0.0001), but"),
    ],
)
def test_uniformity(p: float, distance: float, warning: bool, said: str) -> None:
    test = {"of": "pit", "values": 1000, "distance": distance, "p_value": p}
    found = of_uniformity({"uniformity": test, "names": ["x"]})
    assert found[0] is warning and found[1].startswith(said)


def test_components() -> None:
    def said(**found: Any) -> tuple[bool, str]:
        return of_components(found)

    assert said(dead=2, of=8, effective=5.0)[1].startswith("2 of 8 components are dead: each")
    assert said(dead=0, of=8, effective=5.04) == (
        False,
        "All 8 components are used, as many as 5.0 equal ones.",
    )
    assert said(dead=0, of=1, effective=1.0)[0] is False


def test_what_a_reader_should_know_first(found: Diagnostics) -> None:
    steps = [10, 20, 30, 40]
    for values, said in (
        ([4.0, 3.0, 2.0, 1.0], "The last validation was the best one"),
        ([1.0, 3.0, 2.0, 4.0], "The best validation was at step 10 of 40"),
        ([4.0, 1.0, 0.5, 4.0], None),
    ):
        changed = dataclasses.replace(found, curves={"nll": (steps, values)})
        words = " ".join(words for _, words in verdicts(changed))
        assert ("validation" in words) is (said is not None)
        assert said is None or said in words
    broken = dataclasses.replace(found, per_sequence=[1.0, math.nan, math.inf], density=None)
    assert verdicts(broken)[0] == (
        True,
        "2 sequences have no finite NLL: their mean is none either.",
    )
