"""Evolution of a controller's parameters, which goes on where it stopped."""

from __future__ import annotations

__all__ = ["Evolution"]

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seqmdn.environments.missing import import_world
from seqmdn.files import save_json
from seqmdn.reading import read_json

FORMAT = 1


class Evolution:
    """CMA-ES on parameters, with its whole course in a JSON file.

    The file holds what each generation scored and nothing else: the random numbers come from a
    generator of their own, so that telling the scores again leads to the same parameters, bit by
    bit on one machine. Nothing in it is ever executed.

    Args:
        path: The file; where it is there, the evolution goes on from it.
        size: Number of parameters N.
        population: Candidates P of a generation.
        sigma: Standard deviation of the first generation's parameters around 0.
        seed: Seed of the candidates.

    Attributes:
        scores: What each generation so far has scored, ``(generations, P)``.

    Raises:
        ImportError: If the package ``cma`` is missing.
        ValueError: If the file is another evolution's, or damaged; if scores do not fit.

    References:
        Completely Derandomized Self-Adaptation in Evolution Strategies (Hansen, Ostermeier, 2001),
        by the package ``cma``.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "evolution.json"
        ...     evolution = Evolution(path, size=3, population=8, sigma=1.0)
        ...     for _ in range(30):
        ...         candidates = evolution.ask()
        ...         evolution.tell(-((candidates - 2) ** 2).sum(1))  # highest at (2, 2, 2)
        ...     again = Evolution(path, size=3, population=8, sigma=1.0)
        ...     bool((again.mean == evolution.mean).all()), again.mean.round(1).tolist()
        (True, [2.0, 2.0, 2.0])
    """

    def __init__(
        self, path: Path, size: int, population: int = 64, sigma: float = 0.1, seed: int = 0
    ) -> None:
        cma = import_world("cma")
        if size < 2 or population < 2 or not 0 < sigma < np.inf:
            raise ValueError(
                "expected at least 2 parameters, at least 2 candidates and a positive sigma, found "
                f"{size}, {population} and {sigma}"
            )
        self.path = path
        self.settings = {"size": size, "population": population, "sigma": sigma, "seed": seed}
        numbers = np.random.default_rng(seed)
        options = {
            "popsize": population,
            "randn": lambda *shape: numbers.standard_normal(shape),
            "seed": np.nan,  # which leaves numpy's global generator alone
            "verbose": -9,
            "verb_log": 0,
        }
        self._strategy: Any = cma.CMAEvolutionStrategy(np.zeros(size), sigma, options)
        self._asked: Any = None
        self.scores: list[list[float]] = []
        if path.exists():
            for scores in _read(path, self.settings):
                self.ask()
                self._tell(scores)

    @property
    def generation(self) -> int:
        """The number of generations that have been scored."""
        return len(self.scores)

    @property
    def mean(self) -> NDArray[np.float64]:  # (N,)
        """The middle of the distribution that the next generation is drawn from."""
        return np.array(self._strategy.mean)

    def ask(self) -> NDArray[np.float64]:  # (P, N)
        """Gives the candidates of this generation, the same ones until they are told."""
        if self._asked is None:
            self._asked = self._strategy.ask()
        return np.array(self._asked)

    def tell(self, scores: ArrayLike) -> None:  # (P,)
        """Takes the candidates' scores, higher is better, and writes them down."""
        self._tell([float(score) for score in np.asarray(scores, np.float64).ravel()])
        save_json(self.path, {"format": FORMAT, **self.settings, "scores": self.scores})

    def _tell(self, scores: list[float]) -> None:
        if len(scores) != self.settings["population"] or not np.isfinite(scores).all():
            raise ValueError(
                f"expected {self.settings['population']} finite scores, found {scores}"
            )
        self.ask()
        self._strategy.tell(self._asked, [-score for score in scores])
        self._asked = None
        self.scores.append(scores)


def _read(path: Path, settings: dict[str, Any]) -> list[list[float]]:
    remedy = "give these settings, or begin anew with another file"
    try:
        content = read_json(path, dict)
        found = {key: content[key] for key in ("format", *settings)}
        scores: list[list[float]] = content["scores"]
        whole = isinstance(scores, list) and all(isinstance(row, list) for row in scores)
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path}: expected the scores of an evolution, found something else ({error}): "
            "begin anew with another file"
        ) from error
    expected = {"format": FORMAT, **settings}
    if found != expected or not whole:
        raise ValueError(f"{path}: expected an evolution of {expected}, found {found}: {remedy}")
    return scores
