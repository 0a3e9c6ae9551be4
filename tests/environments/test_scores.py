"""Episodes in processes: the same scores whatever their number, and errors with their own words."""

from functools import partial

import numpy as np
import pytest

from seqmdn.environments import Player, summary


class Walk:
    """Plays a walk whose length is the job; its steps follow from the seed."""

    def __init__(self, start: float) -> None:
        self.start = start

    def __call__(self, job: int, seed: int) -> float:
        if job < 0:
            raise ValueError(f"expected a walk of 0 steps or more, found {job}")
        return self.start + float(np.random.default_rng(seed).standard_normal(job).sum())


def test_scores_are_in_order_and_do_not_depend_on_the_processes() -> None:
    jobs, seeds = list(range(12)), list(range(20, 32))
    expected = [Walk(2.0)(job, seed) for job, seed in zip(jobs, seeds, strict=True)]
    with Player(partial(Walk, 2.0), workers=2) as player:
        assert list(player.play(jobs, seeds)) == expected
        assert list(player.play(jobs[:3], seeds[:3])) == expected[:3]
        with pytest.raises(ValueError, match="expected a walk of 0 steps or more, found -1"):
            list(player.play([-1], [0]))


def test_no_processes_are_refused() -> None:
    with pytest.raises(ValueError, match="expected 1 worker or more"):
        Player(partial(Walk, 0.0), workers=0)


def test_a_summary_is_of_episodes() -> None:
    found = summary([1.0, 2.0, 6.0])
    assert found["mean"] == 3.0 and found["episodes"] == 3
    assert found["std"] == pytest.approx(np.std([1, 2, 6], ddof=1))
    assert found["stderr"] == pytest.approx(found["std"] / np.sqrt(3))
    assert summary([4.0])["stderr"] == 0.0
