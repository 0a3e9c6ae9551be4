"""What integral transforms say of a density, as plain values: histograms, reliability, one test."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from seqmdn.metrics.uniformity import critical_distance, histogram_band, kolmogorov_smirnov

__all__ = ["PROBABILITIES", "joint_test", "reliability", "transform_tests", "uniform_histogram"]

PROBABILITIES = (0.01, 0.05, *(round(0.1 * i, 1) for i in range(1, 10)), 0.95, 0.99)
_BINS = 20


def uniform_histogram(u: Tensor, bins: int = _BINS) -> dict[str, Any]:
    """Returns the counts of transforms (N,), NaN left out, and the band of all bins by chance.

    Example:
        >>> uniform_histogram(torch.tensor([0.1, 0.2, 0.9, torch.nan]), bins=2)
        {'counts': [2, 1], 'band': [0, 3], 'values': 3}
    """
    u = u[~u.isnan()]
    place = (u * bins).long().clamp(max=bins - 1)
    band = histogram_band(len(u), bins) if len(u) else (0, 0)
    counts = torch.bincount(place, minlength=bins).tolist()
    return {"counts": counts, "band": list(band), "values": len(u)}


def transform_tests(u: Tensor) -> list[tuple[float, float] | None]:
    """Returns distance and p-value of each feature's transforms (N, D), None where there are none.

    Example:
        >>> transform_tests(torch.tensor([[0.5, torch.nan]]))[1] is None
        True
    """
    columns = [column[~column.isnan()] for column in u.unbind(1)]
    tests = [kolmogorov_smirnov(column) if len(column) else None for column in columns]
    return [None if test is None else (float(test[0]), float(test[1])) for test in tests]


def joint_test(u: Tensor, rosenblatt: Tensor | None) -> dict[str, Any]:
    r"""Returns one test of uniformity of all features.

    Under the true density each feature's transforms are independent from frame to frame, and
    Rosenblatt transforms also from feature to feature: of those, all values make one test. Where
    only the features' own are known, the smallest p-value counts times the number of features
    (Bonferroni), which allows for any dependence.

    Args:
        u: each feature's own transforms, (N, D), NaN where missing.
        rosenblatt: (N, D), None where they are not known.

    Returns:
        ``of``, ``"pit"`` or ``"rosenblatt"``; ``values``, of the test; ``distance`` and
        ``p_value``.

    Example:
        >>> found = joint_test(torch.full((50, 1), 0.5), None)
        >>> found["of"], found["values"], found["distance"], found["p_value"] < 1e-9
        ('pit', 50, 0.5, True)
    """
    if rosenblatt is not None and u.shape[1] > 1:
        values = rosenblatt[~rosenblatt.isnan()]
        distance, p = kolmogorov_smirnov(values)
        return _test("rosenblatt", len(values), float(distance), float(p))
    tests = [test for test in transform_tests(u) if test is not None]
    least = min(1.0, len(tests) * min(p for _, p in tests))
    return _test("pit", int((~u.isnan()).sum(0).max()), max(d for d, _ in tests), least)


def reliability(u: Tensor) -> dict[str, Any]:
    """Returns how many values lie below each feature's quantiles.

    Args:
        u: transforms (N, D), NaN where missing.

    Returns:
        ``probabilities`` of the quantiles, the ``share`` of values below each, a list of D numbers
        a probability, and ``band``: how far all shares of one calibrated feature together stay from
        their probabilities in 95 of 100 cases, of the feature with the fewest values.

    Example:
        >>> found = reliability(torch.linspace(0, 1, 1001).unsqueeze(1))
        >>> found["probabilities"][5], round(found["share"][5][0], 2), round(found["band"], 3)
        (0.4, 0.4, 0.043)
    """
    seen = ~u.isnan()
    count = seen.sum(0)
    shares = [(u <= q).sum(0).double() / count for q in PROBABILITIES]
    known = count[count > 0]
    return {
        "probabilities": list(PROBABILITIES),
        "share": [
            [None if math.isnan(each) else each for each in share.tolist()] for share in shares
        ],
        "band": critical_distance(int(known.min())) if len(known) else 1.0,
    }


def _test(of: str, values: int, distance: float, p_value: float) -> dict[str, Any]:
    return {"of": of, "values": values, "distance": distance, "p_value": p_value}
