"""Cross-validation of a grid: more trainings, and what they found on the rows held out."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from jsonargparse import Namespace

from seqmdn.comparison.pairs import paired, standard_error
from seqmdn.comparison.tasks import Task
from seqmdn.configuration import ConfigurationError, fit_parser
from seqmdn.data import SequenceDataModule

__all__ = ["FOLD_SEED", "add_folds", "fold_tasks"]

#: Decides the parts of every cross-validation: cells and seeds have the same ones.
FOLD_SEED = 0


def fold_tasks(tasks: Sequence[Task], folds: int) -> dict[Task, list[Task]]:
    """Return the F trainings more that each training of a grid is cross-validated by.

    Each is the same training on other rows (:class:`seqmdn.data.Fold`): of the same seed, with as
    many steps.

    Args:
        tasks: The trainings of a grid, each to its own folder.
        folds: F, at least 2.

    Raises:
        ConfigurationError: If there are too few folds, or a training is of a fold already.
        ValueError: If there are too few sequences for so many.
    """
    if folds < 2:
        raise ConfigurationError(f"expected --folds of 2 or more, found {folds}")
    found = {}
    for task in tasks:
        config = task.config
        if config.data.init_args.get("fold") is not None:
            raise ConfigurationError(
                f"expected whole data to cut into --folds, found data.fold in {task.model}: leave "
                "it away"
            )
        found[task] = [_fold(task, config, number, folds) for number in range(folds)]
    _check_data(next(iter(found.values()))[0])
    return found


def add_folds(
    result: dict[str, Any],
    metrics: Mapping[Task, Sequence[Mapping[str, Any]]],
    pairs: Sequence[tuple[str, str]],
) -> None:
    r"""Add to a sweep what its folds have found.

    Each model gets ``cross_validation``, the mean NLL of all sequences, each scored by the training
    that it was held out of, in the sweep's unit, and ``cross_validation_stderr``, over sequences
    and seeds. That takes sequences as independent, which those of overlapping trainings are not
    quite: it is somewhat too small. ``paired_cross_validation`` are the paired differences of all
    models to the best one, and of ``pairs``. ``cross_validation`` beside the models says how it was
    done.

    Args:
        result: What ``sweep.json`` holds.
        metrics: Of each training, the ``metrics.json`` of its folds in their order.
        pairs: Names of what else to pair.

    Raises:
        ValueError: If a fold was scored on something else than what it held out.
    """
    values: dict[str, list[np.ndarray]] = {}
    for task, folds in metrics.items():
        for number, found in enumerate(folds):
            if (
                found["split"] != "test"
                or found["dataset"]["sha256"] != result["dataset"]["sha256"]
            ):
                raise ValueError(
                    f"fold {number + 1} of {task.name} was last scored on the split "
                    f"{found['split']!r} or on another store: score it again by `seqmdn evaluate`"
                )
        scored = np.concatenate([np.array(found["nll_per_sequence"]) for found in folds])
        values.setdefault(task.model, []).append(scored)
    stacked = {name: np.stack(each) for name, each in values.items()}  # (seeds, sequences)
    for name, each in stacked.items():
        result["models"][name] |= {
            "cross_validation": float(each.mean()),
            "cross_validation_stderr": standard_error(each),
        }
    best = min(stacked, key=lambda name: float(stacked[name].mean()))
    pairs = [*((name, best) for name in stacked if name != best), *pairs]
    result["paired_cross_validation"] = {
        f"{b} - {a}": paired(stacked[b], stacked[a]) for b, a in pairs
    }
    result["cross_validation"] = {
        "folds": len(next(iter(metrics.values()))),
        "seed": FOLD_SEED,
        "sequences": next(iter(stacked.values())).shape[1],
    }


def _check_data(task: Task) -> None:
    """Cut the data once, so that what cannot be cut is refused before any training."""
    data: SequenceDataModule = fit_parser().instantiate(Namespace(data=task.config.data)).data
    data.prepare_data()
    data.setup("fit")
    data.store.close()


def _fold(task: Task, config: Namespace, number: int, folds: int) -> Task:
    fold = {"number": number, "of": folds, "seed": FOLD_SEED}
    parsed = config.clone()
    parsed["data.init_args.fold"] = Namespace(**fold)
    return replace(
        task,
        model=f"{task.model}, fold {number + 1} of {folds}",
        arguments=(*task.arguments, "--data.fold", json.dumps(fold)),
        out=task.out.with_name(f"{task.out.name}-fold{number + 1}of{folds}"),
        parsed=parsed,
    )
