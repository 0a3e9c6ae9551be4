"""Histograms, shares below quantiles and one test of all features, NaN left out."""

import math

import pytest
import torch

from seqmdn.metrics.reliability import (
    PROBABILITIES,
    joint_test,
    reliability,
    transform_tests,
    uniform_histogram,
)


def test_what_is_missing_counts_nowhere() -> None:
    u = torch.rand(500, 3)
    gaps = torch.rand(500, 3) < 0.4
    gaps[:, 2] = True
    holed = u.masked_fill(gaps, math.nan)
    found = reliability(holed)
    for i, q in enumerate(PROBABILITIES):
        expected = (u[~gaps[:, 0], 0] <= q).double().mean().item()
        assert found["share"][i][0] == pytest.approx(expected)
        assert found["share"][i][2] is None
    assert uniform_histogram(holed[:, 0])["values"] == int((~gaps[:, 0]).sum())
    assert sum(uniform_histogram(holed[:, 1])["counts"]) == int((~gaps[:, 1]).sum())
    assert transform_tests(holed)[2] is None
    assert joint_test(holed, None)["p_value"] > 0.001
    assert joint_test(holed, holed[:, :2])["values"] == int((~gaps[:, :2]).sum())


def test_all_features_are_rejected_no_more_often_than_one() -> None:
    rejected = []
    for _ in range(200):
        u = torch.rand(100, 1).expand(100, 8)  # as dependent as they can be
        rejected.append(joint_test(u, None)["p_value"] < 0.05)
    assert sum(rejected) <= 0.05 * 200 + 5
    u = torch.rand(2000, 8)
    u[:, 5] = u[:, 5] ** 1.3
    assert joint_test(u, None)["p_value"] < 1e-6


def test_the_band_holds_all_shares_at_once() -> None:
    found = reliability(torch.rand(200, 2000))  # as many runs of one feature
    gaps = torch.tensor(found["share"]) - torch.tensor(found["probabilities"]).unsqueeze(-1)
    outside = (gaps.abs().amax(0) > found["band"]).double().mean().item()
    # The band is one for all probabilities, of which these are a few.
    assert 0.005 < outside < 0.05 + 3 * math.sqrt(0.05 / 2000)
