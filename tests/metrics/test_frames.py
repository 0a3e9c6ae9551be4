"""Means over frames: weights, errors, masks, and what does not depend on how the data come."""

import math
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from seqmdn.metrics.frames import FrameMean, counted_frames, observed_mean
from tests.metrics import processes
from tests.metrics.known import mixture

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("columns", [None, 2])
def test_every_frame_weighs_the_same_and_sequences_make_the_error(columns: int | None) -> None:
    lengths = torch.tensor([4, 1, 7, 3, 7])
    mask = torch.arange(7) < lengths.unsqueeze(1)
    score = torch.randn(5, 7, columns or 1) + torch.arange(5).view(5, 1, 1)
    score = score if columns else score.squeeze(-1)
    metric = FrameMean(columns)
    padded = score.clone()
    padded[~mask] = math.nan
    metric.update(padded, mask)
    counted = [score[i, :n].double().numpy() for i, n in enumerate(lengths)]
    mean = np.concatenate(counted).mean(0)
    np.testing.assert_allclose(metric.compute(), mean, rtol=1e-5)
    np.testing.assert_allclose(metric.values(), [c.mean(0) for c in counted], rtol=1e-5)
    residuals = np.stack([(c - mean).sum(0) for c in counted])
    expected = np.sqrt(5 / 4 * (residuals**2).sum(0)) / int(lengths.sum())
    np.testing.assert_allclose(metric.stderr(), expected, rtol=1e-4)


def test_the_error_is_that_of_the_means_where_lengths_are_equal_and_right_where_not() -> None:
    metric = FrameMean()
    score = torch.randn(50, 8) + torch.randn(50, 1)
    metric.update(score)
    expected = score.mean(1).std() / math.sqrt(50)
    assert metric.stderr().item() == pytest.approx(expected.item(), rel=1e-5)
    # Frames that share their sequence's level, 400 data sets of 30 sequences of 1 to 9 frames.
    means, errors = [], []
    for _ in range(400):
        mask = torch.arange(9) < torch.randint(1, 10, (30, 1))
        metric.reset()
        metric.update(torch.randn(30, 9) + 2 * torch.randn(30, 1), mask)
        means.append(metric.compute())
        errors.append(metric.stderr())
    error = torch.stack(errors).square().mean().sqrt().item()
    assert error == pytest.approx(torch.stack(means).std().item(), rel=0.12)


def test_a_frame_alone_and_more_dimensions_of_time() -> None:
    metric, other = FrameMean(), FrameMean()
    metric.update(torch.tensor([1.0, 4.0]))
    assert metric.values().tolist() == [1, 4] and metric.compute() == 2.5
    score, mask = torch.randn(2, 3, 4), torch.rand(2, 3, 4) < 0.7
    metric.reset()
    metric.update(score, mask)
    other.update(score.flatten(1), mask.flatten(1))
    assert torch.equal(metric.values(), other.values())


def test_a_nan_stays_and_no_graph_is_held() -> None:
    metric = FrameMean()
    metric.update(torch.tensor([[1.0, math.nan], [1.0, 1.0]], requires_grad=True))
    assert metric.compute().isnan() and not metric.values().requires_grad
    assert metric.values().isnan().tolist() == [True, False]
    metric.reset()
    metric.update(torch.ones(1, 3))
    assert metric.stderr().isnan()


def test_scores_that_do_not_fit_are_refused() -> None:
    metric = FrameMean(3)
    for wrong, found in ((torch.zeros(2, 4), "(2, 4)"), (torch.zeros(3), "(3,)")):
        with pytest.raises(ValueError, match=re.escape(f"(B, *time, 3); found {found}.")):
            metric.update(wrong)
    with pytest.raises(ValueError, match=re.escape("mask (2, 4), one a frame; found torch.bool")):
        metric.update(torch.zeros(2, 4, 3), torch.ones(2, 3, dtype=torch.bool))
    with pytest.raises(ValueError, match=r"found torch\.float32"):
        metric.update(torch.zeros(2, 4, 3), torch.ones(2, 4))
    with pytest.raises(ValueError, match="found none in sequence 1"):
        metric.update(torch.zeros(2, 1, 3), torch.tensor([[True], [False]]))
    with pytest.raises(ValueError, match="call update before"):
        metric.stderr()


def test_frames_that_do_not_count_are_replaced_by_one_that_does() -> None:
    density = mixture(2, 3)
    value, mask = density.sample(), torch.tensor([[False, True, True], [True, False, True]])
    padded = value.masked_fill(~mask.unsqueeze(-1), math.nan)
    found, same, observed = counted_frames(density, padded, mask)
    assert observed is None and torch.equal(same, mask) and torch.equal(found[mask], value[mask])
    assert (found[~mask] == value[0, 1]).all()


def test_frames_that_do_not_fit_are_refused() -> None:
    density, value = mixture(2, 3), torch.zeros(2, 3, 3).double()
    with pytest.raises(ValueError, match=re.escape("(2, 3, 3); found (2, 3)")):
        counted_frames(density, value[..., 0], None)
    with pytest.raises(ValueError, match="found none"):
        counted_frames(density, value, torch.zeros(2, 3, dtype=torch.bool))
    value[1, 2, 0] = math.nan
    with pytest.raises(
        ValueError, match=re.escape("NaN; found one in frame (1, 2), feature 0 (1 in")
    ):
        counted_frames(density, value, None)
    observed = ~value.isnan()
    for wrong, found in ((observed.float(), "torch.float32"), (observed[..., 0], "(2, 3)")):
        with pytest.raises(ValueError, match=rf"observed boolean \(2, 3, 3\).*{re.escape(found)}"):
            counted_frames(density, value, None, wrong)
    with pytest.raises(ValueError, match="say by observed which"):
        counted_frames(density, value, None, torch.ones_like(observed))


def test_what_was_not_observed_is_nan_and_no_frame_counts_by_it() -> None:
    density = mixture(2, 3)
    value, mask = density.sample(), torch.tensor([[True, True, True], [True, False, True]])
    observed = torch.rand(2, 3, 3) < 0.5
    found, same, seen = counted_frames(density, value, mask, observed)
    assert torch.equal(same, mask) and torch.equal(seen[mask], observed[mask])
    assert torch.equal(seen[1, 1], observed[0, 0]), "what does not count is the first that does"
    assert torch.equal(found.isnan(), ~seen)
    torch.testing.assert_close(found[mask][seen[mask]], value[mask][observed[mask]])


def test_weights_are_those_of_copies() -> None:
    weights = torch.tensor([[1, 2, 0], [3, 1, 1], [0, 0, 0]])
    score = torch.randn(3, 3)
    weighted, copies = FrameMean(), FrameMean()
    weighted.update(score.where(weights > 0, math.nan), weight=weights / 2)
    for row, times in zip(score[:2], weights[:2], strict=True):
        copies.update(row.repeat_interleave(times).unsqueeze(0))
    torch.testing.assert_close(weighted.compute(), copies.compute())
    torch.testing.assert_close(weighted.stderr(), copies.stderr())
    torch.testing.assert_close(weighted.values()[:2], copies.values())
    assert weighted.values()[2].isnan(), "a sequence of no weight has no mean"
    with pytest.raises(ValueError, match=re.escape("weight (3, 3), one a frame; found (3,)")):
        weighted.update(score, weight=torch.ones(3))


def test_the_mean_of_what_was_observed() -> None:
    score, observed = torch.randn(6, 4, 5, 2), torch.rand(6, 4, 5) < 0.5
    observed[0, 0] = False
    found, share = observed_mean(score.where(observed.unsqueeze(-1), math.nan), observed)
    assert found.shape == (6, 4, 2) and (found[0, 0] == 0).all() and share[0, 0] == 0
    for i, t in ((1, 2), (3, 1), (5, 3)):
        torch.testing.assert_close(found[i, t], score[i, t][observed[i, t]].mean(0))
        assert share[i, t] * 5 == observed[i, t].sum()
    mean = FrameMean(2)
    mean.update(found, weight=share)
    torch.testing.assert_close(mean.compute(), score[observed].mean(0))
    whole, none = observed_mean(score, None)
    assert none is None and torch.equal(whole, score.mean(-2))


def test_many_small_batches_and_two_processes_are_as_good_as_one(tmp_path: Path) -> None:
    whole, pieces = processes.metrics(), processes.metrics()
    processes.feed(whole, [slice(0, 13)])
    processes.feed(pieces, [slice(0, 1), slice(1, 8), slice(8, 13)])
    expected = processes.results(whole)
    _assert_same(processes.results(pieces), expected, order=True)
    command = [sys.executable, "-m", "tests.metrics.processes", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, timeout=300)
    for rank in range(2):
        found = torch.load(tmp_path / f"{rank}.pt", weights_only=True)
        _assert_same(found, expected, order=False)


def _assert_same(
    found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor], order: bool
) -> None:
    """Compare; the sequences of two processes come one process after the other."""
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        other = found[name]
        if name.endswith("values") and not order:
            assert not torch.equal(other, value), "the processes did not share the work"
            other, value = other.sort(0).values, value.sort(0).values
        torch.testing.assert_close(
            other, value, rtol=1e-5, atol=1e-6, equal_nan=True, msg=lambda m, n=name: n + m
        )
