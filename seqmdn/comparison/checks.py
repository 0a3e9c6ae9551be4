"""What is looked at before any training starts: one data set for all, and models that can be."""

from collections.abc import Mapping, Sequence
from typing import Any

from jsonargparse import Namespace

from seqmdn.comparison.tasks import Task
from seqmdn.configuration import fit_parser
from seqmdn.data import SPLITS, SequenceDataModule
from seqmdn.models import DensityModel, FrameModel

__all__ = ["check_tasks", "difference", "parameters", "possible"]


def check_tasks(tasks: Sequence[Task]) -> dict[str, int]:
    """Build the model of every cell once, and look whether all are scored on the same numbers.

    Args:
        tasks: The trainings to come.

    Returns:
        The number of parameters of each model, by its name in the comparison.

    Raises:
        FileNotFoundError: If a store is not there.
        ValueError: If stores, splits, noise or units differ, the message naming the hash that
            does, or if models cannot be, the message naming each with its reason.
    """
    sizes, wrong = _checked(tasks)
    if wrong:
        raise _refusal(sizes, wrong)
    return sizes


def possible(tasks: Sequence[Task]) -> tuple[list[Task], dict[str, str]]:
    """Leave out the cells of a grid whose model cannot be, such as a rank above the features.

    Returns:
        The tasks of the others, and of each model left out the reason.

    Raises:
        FileNotFoundError: If a store is not there.
        ValueError: If stores, splits, noise or units differ, or if no model can be.
    """
    sizes, wrong = _checked(tasks)
    if not sizes:
        raise _refusal(sizes, wrong)
    return [task for task in tasks if task.model in sizes], wrong


def _refusal(sizes: Mapping[str, int], wrong: Mapping[str, str]) -> ValueError:
    reasons = "; ".join(f"{name}: {reason}" for name, reason in wrong.items())
    total = len(wrong) + len(sizes)
    return ValueError(f"{len(wrong)} of {total} models cannot be, nothing was trained: {reasons}")


def _checked(tasks: Sequence[Task]) -> tuple[dict[str, int], dict[str, str]]:
    """Return the parameters of the models that can be, and the reasons of those that cannot."""
    sizes: dict[str, int] = {}
    wrong: dict[str, str] = {}
    modules: dict[str, SequenceDataModule] = {}
    first: tuple[str, dict[str, Any]] | None = None
    for task in tasks:
        if task.model in sizes or task.model in wrong:
            continue
        config = task.config
        data = _data(config, modules)
        found = _scored_on(config, data)
        if first is None:
            first = task.model, found
        elif (words := difference(first[1], found)) is not None:
            raise ValueError(
                f"{task.model} would be scored on other data than {first[0]}: {words}; models are "
                "compared on the same numbers only: give them one store, noise and unit"
            )
        try:
            model = _built(config, data.features, data.context)
            if not isinstance(model, FrameModel):
                raise ValueError(
                    f"a {type(model).__name__} draws no sequences to show beside real ones: train "
                    "it by seqmdn fit"
                )
            sizes[task.model] = _trainable(model)
        except ValueError as error:
            wrong[task.model] = f"{error}"
    for data in modules.values():
        data.store.close()
    return sizes, wrong


def parameters(config: Namespace, features: int, context: int) -> int:
    """Count the trainable numbers of the model that a configuration describes.

    Args:
        config: What :func:`seqmdn.configuration.fit_parser` made.
        features: Number of features D of a frame.
        context: Number of features X of the context.

    Raises:
        ValueError: If there is no such model.
    """
    return _trainable(_built(config, features, context))


def difference(expected: Mapping[str, Any], found: Mapping[str, Any]) -> str | None:
    """Name the first thing that differs, hashes cut to twelve digits; None if nothing does.

    Example:
        >>> difference({"sha256": "0123456789abcdef"}, {"sha256": "fedcba9876543210"})
        'expected sha256 0123456789ab, found fedcba987654'
    """
    for key in ("sha256", *sorted({*expected, *found} - {"sha256"})):
        one, other = expected.get(key), found.get(key)
        if one != other:
            cut = slice(12) if key == "sha256" else slice(None)
            return f"expected {key} {str(one)[cut]}, found {str(other)[cut]}"
    return None


def _data(config: Namespace, modules: dict[str, SequenceDataModule]) -> SequenceDataModule:
    """Set up the data of a configuration, or give those of an equal one."""
    name = repr(config.data)
    if name not in modules:
        data: SequenceDataModule = fit_parser().instantiate(Namespace(data=config.data)).data
        data.prepare_data()
        data.setup("fit")
        modules[name] = data
    return modules[name]


def _scored_on(config: Namespace, data: SequenceDataModule) -> dict[str, Any]:
    """Say what decides a score: the store's hash, the sizes of its splits, noise and unit."""
    described = {split: data.describe(split) for split in SPLITS}
    sizes = {
        f"{split} {key}": each[key]
        for split, each in described.items()
        for key in ("sequences", "frames")
    }
    options = vars(config.data.get("init_args", Namespace()))
    noise = options.get("noise")
    shown = noise.as_dict() if isinstance(noise, Namespace) else noise
    return {"sha256": described["test"]["sha256"], "noise": shown, "unit": data.unit, **sizes}


def _built(config: Namespace, features: int, context: int) -> DensityModel:
    part = Namespace(data=config.data, model=config.model)
    model: DensityModel = fit_parser().instantiate(part).model(features, context)
    return model


def _trainable(model: DensityModel) -> int:
    return sum(each.numel() for each in model.parameters() if each.requires_grad)
