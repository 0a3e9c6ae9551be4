"""The trainings of a cross-validation, and what they are worth."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seqmdn.comparison import Task, add_folds, fold_tasks, plan, reuse, summarise
from seqmdn.comparison.reuse import signature
from seqmdn.configuration import ConfigurationError, fit_parser
from tests.comparison.runs import runs_of
from tests.small import write_recipe, write_store


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recipe")
    return write_recipe(folder / "recipe", write_store(folder / "walks.h5"))


def test_a_fold_is_the_same_training_on_other_rows(recipe: Path, tmp_path: Path) -> None:
    tasks = plan(recipe, ["rmdn"], 2, tmp_path, ["--trainer.max_steps", "7"])
    found = fold_tasks(tasks, 2)
    assert list(found) == tasks
    names = [fold.out.name for own in found.values() for fold in own]
    assert names == [f"rmdn-{seed}-fold{k}of2" for seed in (0, 1) for k in (1, 2)]
    assert len({fold.name for own in found.values() for fold in own}) == 4
    for task, own in found.items():
        for number, fold in enumerate(own):
            config = fold.config
            kept = dict(config.data.init_args.pop("fold").items())
            assert kept == {"number": number, "of": 2, "seed": 0}
            whole = task.config
            assert whole.data.init_args.pop("fold") is None
            assert signature(config) == signature(whole)
    # What is said beforehand is what `seqmdn fit` will understand.
    fold = found[tasks[1]][1]
    assert signature(fold.config) == signature(fit_parser().parse_args([*fold.arguments]))
    assert reuse([fold], tmp_path) == [fold]


@pytest.mark.parametrize(
    ("folds", "words", "message"),
    [
        (1, [], "expected --folds of 2 or more, found 1"),
        (31, [], "found 30 sequences of training and validation"),
        (2, ["--data.fold", '{"number": 0, "of": 2}'], "found data.fold in rmdn: leave it away"),
    ],
)
def test_what_cannot_be_cut_is_refused(
    recipe: Path, tmp_path: Path, folds: int, words: list[str], message: str
) -> None:
    tasks = plan(recipe, ["rmdn"], 1, tmp_path, words)
    with pytest.raises(ValueError, match=message) as caught:
        fold_tasks(tasks, folds)
    assert isinstance(caught.value, ConfigurationError) == (folds < 31)


def test_every_sequence_counts_once_and_pairs_are_paired() -> None:
    result, metrics = folded(a=[[1.0, 2.0], [6.0]], b=[[2.0, 2.0], [5.0]])
    add_folds(result, metrics, [])
    entries = result["models"]
    assert [entries[name]["cross_validation"] for name in "ab"] == [3.0, 3.0]
    spread = np.std([1.0, 2.0, 6.0], ddof=1) / np.sqrt(3)
    assert entries["a"]["cross_validation_stderr"] == pytest.approx(spread)
    pair = result["paired_cross_validation"]["b - a"]
    assert pair["delta"] == 0 and pair["stderr"] == pytest.approx(1 / np.sqrt(3))
    assert result["cross_validation"] == {"folds": 2, "seed": 0, "sequences": 3}


def test_several_seeds_are_averaged() -> None:
    result, metrics = folded(a=[[1.0], [2.0]])
    (first,) = metrics
    more = [found | {"nll_per_sequence": [7.0]} for found in metrics[first]]
    add_folds(result, metrics | {replace(first, seed=1): more}, [])
    assert result["models"]["a"]["cross_validation"] == (1.5 + 7) / 2


@pytest.mark.parametrize("other", [{"split": "valid"}, {"dataset": {"sha256": "1"}}])
def test_folds_that_were_scored_on_something_else_are_refused(other: dict[str, Any]) -> None:
    result, metrics = folded(a=[[1.0], [2.0]])
    (first,) = metrics
    metrics[first][1] |= other
    with pytest.raises(ValueError, match="fold 2 of a, seed 0 was last scored on"):
        add_folds(result, metrics, [])


def folded(**folds: list[list[float]]) -> tuple[dict[str, Any], dict[Task, list[dict[str, Any]]]]:
    """A result of some models, and what their folds say."""
    runs = runs_of(**dict.fromkeys(folds, 0.0))
    result = summarise(Path("recipe"), runs, "", pairs=[])
    metrics = {
        task: [dict(found) | {"nll_per_sequence": values} for values in folds[task.model]]
        for task, found in runs.items()
    }
    return result, metrics
