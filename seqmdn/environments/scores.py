"""Episodes in many processes, and what they score."""

from __future__ import annotations

__all__ = ["Player", "summary"]

import multiprocessing
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any, Self

import numpy as np

Play = Callable[[Any, int], Any]


class Player:
    """Plays episodes in processes that are there until it is closed.

    Each process makes what it plays with once, and computes with one thread, so that a score
    depends on the job and the seed alone: not on how many processes there are, nor on which of them
    it falls to.

    Args:
        make: Called once in each process; returns what plays: (job, seed) -> score, or several. It
            must be a function of a module, or a partial of one.
        workers: Number of processes.

    Raises:
        RuntimeError: What is raised in a process, with its own words.

    Example:
        >>> with Player(_Echo, workers=1) as player:
        ...     list(player.play([2.0, 3.0], seeds=[5, 7]))
        [10.0, 21.0]
    """

    def __init__(self, make: Callable[[], Play], workers: int) -> None:
        if workers < 1:
            raise ValueError(f"expected 1 worker or more, found {workers}")
        # A fork would copy threads' locks, and what an environment has open.
        context = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(workers, context, initializer=_begin, initargs=(make,))

    def play(self, jobs: Iterable[Any], seeds: Iterable[int]) -> Iterator[Any]:
        """Give the score of each job with its seed, in their order."""
        return self._pool.map(_play, jobs, seeds)

    def close(self) -> None:
        """End the processes."""
        self._pool.shutdown(cancel_futures=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def summary(scores: Sequence[float]) -> dict[str, Any]:
    """Give mean, standard deviation and standard error of episodes' scores.

    Example:
        >>> summary([1.0, 3.0])
        {'mean': 2.0, 'std': 1.414..., 'stderr': 1.0, 'episodes': 2, 'scores': [1.0, 3.0]}
    """
    deviation = float(np.std(scores, ddof=1)) if len(scores) > 1 else 0.0
    return {
        "mean": float(np.mean(scores)),
        "std": deviation,
        "stderr": deviation / len(scores) ** 0.5,
        "episodes": len(scores),
        "scores": list(scores),
    }


_playing: Play | None = None


def _begin(make: Callable[[], Play]) -> None:
    global _playing
    import torch  # not before: whoever plays at random does without it

    torch.set_num_threads(1)
    _playing = make()


def _play(job: Any, seed: int) -> Any:
    assert _playing is not None
    return _playing(job, seed)


class _Echo:
    def __call__(self, job: float, seed: int) -> float:
        return job * seed
