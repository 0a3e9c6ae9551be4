"""What a comparison holds equal: steps, seconds of training, or parameters."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jsonargparse import Namespace

from seqmdn.comparison.checks import parameters
from seqmdn.comparison.keys import resolve, settable
from seqmdn.comparison.reuse import signature
from seqmdn.comparison.tasks import Task, first_tasks
from seqmdn.comparison.timing import clock_of, step_seconds
from seqmdn.configuration import ConfigurationError, fit_parser
from seqmdn.data import SequenceDataModule
from seqmdn.files import save_json
from seqmdn.reading import read_json

__all__ = ["Budget", "equal_params", "equal_seconds", "equal_steps", "fitting_width"]

_TOLERANCE = 0.01


@dataclass(frozen=True)
class Budget:
    """What is held equal, and what each model is given for that.

    Attributes:
        words: Options of ``seqmdn fit`` for each model, by its name in the comparison.
        record: The entry ``budget`` of ``compare.json``: ``held`` and the figures.
    """

    words: dict[str, tuple[str, ...]]
    record: dict[str, Any]


def equal_steps(tasks: Sequence[Task]) -> Budget:
    """Give every model the steps of the recipe, which is what configurations say by themselves."""
    steps = {task.model: task.config.trainer.max_steps for task in tasks}
    alike = len(set(steps.values())) == 1
    return Budget(
        {}, {"held": "steps", "steps": tasks[0].config.trainer.max_steps if alike else steps}
    )


def equal_seconds(
    tasks: Sequence[Task], out: Path, threads: int, seconds: float | None = None
) -> Budget:
    """Give every model as many steps as fit into the same seconds of training.

    The time of a step of each model is measured before the first training, all models by turns, and
    fixes its number of steps. So the learning-rate schedule knows where it ends, two trainings with
    one seed are the same, and a busy machine takes no steps from anybody. Validation and scoring
    are not counted. What was measured is kept in ``budget.json``, and used again for as long as a
    model's configuration is the same.

    Args:
        tasks: The trainings as they would be with equal steps, the model that sets the measure
            first.
        out: The comparison's folder.
        threads: Threads of each training; with one, seconds are the processor's
            (:mod:`seqmdn.comparison.timing`).
        seconds: The seconds of each training; those of the first model's own steps by default.

    Raises:
        ConfigurationError: If seconds are not positive, do not suffice for a step, or are not given
            where the first model has no number of steps, or trainings have epochs to end at.
    """
    configs = {name: task.config for name, task in first_tasks(tasks).items()}
    if seconds is not None and not (seconds > 0 and math.isfinite(seconds)):
        raise ConfigurationError(f"expected --seconds above 0, found {seconds}")
    for name, config in configs.items():
        if config.trainer.max_epochs not in (None, -1) or config.trainer.max_time is not None:
            raise ConfigurationError(
                f"{name} ends by trainer.max_epochs or trainer.max_time, and by --budget seconds: "
                "set both to null"
            )
    own = next(iter(configs.values())).trainer.max_steps
    if seconds is None and own < 1:
        raise ConfigurationError(
            "expected --seconds N, or trainer.max_steps of the first model, whose time then is "
            "the measure; found neither"
        )
    path = out / "budget.json"
    clock = clock_of(threads)
    kept = read_json(path, dict) if path.exists() else {}
    if kept.get("clock") != clock:
        kept = {}
    known: dict[str, float] = dict(kept.get("seconds_per_step", {}))
    keys = {
        name: signature(config, but=("seed", "trainer.max_steps"))
        for name, config in configs.items()
    }
    missing = {name: configs[name] for name, key in keys.items() if key not in known}
    if missing:
        known |= {keys[name]: each for name, each in step_seconds(missing, threads).items()}
        save_json(path, {"clock": clock, "seconds_per_step": known})
    cost = {name: known[key] for name, key in keys.items()}
    first = next(iter(cost.values()))
    steps = {name: round(own * first / each) for name, each in cost.items()}
    if seconds is None:
        seconds = own * first
    else:
        steps = {name: int(seconds / each) for name, each in cost.items()}
    for name, count in steps.items():
        if count < 1:
            raise ConfigurationError(
                f"{seconds:.3g} s do not suffice for a step of {name}, which takes "
                f"{cost[name]:.3g} s: give more --seconds"
            )
    return Budget(
        {name: (f"--trainer.max_steps={count}",) for name, count in steps.items()},
        {
            "held": "seconds",
            "seconds": seconds,
            "clock": clock,
            "threads": threads,
            "seconds_per_step": cost,
            "steps": steps,
        },
    )


def equal_params(
    tasks: Sequence[Task], params: int | None = None, width: str = "backbone.hidden"
) -> Budget:
    """Choose the width of every model so that all have the same number of parameters, to 1 %.

    Args:
        tasks: The trainings as configured, the model that sets the measure first.
        params: The number of parameters; that of the first model as configured by default.
        width: The key that is chosen, a whole number that parameters grow with.

    Raises:
        ConfigurationError: If a model has no such key, or no width gives that number within 1 %.
    """
    if params is not None and params < 1:
        raise ConfigurationError(f"expected --params of 1 or more, found {params}")
    words: dict[str, tuple[str, ...]] = {}
    widths: dict[str, int] = {}
    counts: dict[str, int] = {}
    for task in first_tasks(tasks).values():
        key, full, own, count = _counter(task, width)
        if params is None:
            params, chosen = count(own), own
        else:
            chosen = fitting_width(count, params, own, f"{key} of {task.model}")
        widths[task.model], counts[task.model] = chosen, count(chosen)
        words[task.model] = (f"--{full}={chosen}",)
    record = {"held": "params", "params": params, "key": key, "widths": widths, "counts": counts}
    return Budget(words, record)


def fitting_width(count: Callable[[int], int], target: int, start: int, name: str = "width") -> int:
    """Return the whole number whose count is nearest to a target, and within 1 % of it.

    Args:
        count: The number of parameters of a width; it grows with the width.
        target: The number wanted.
        start: A width to begin at, 1 or more.
        name: What the width is called in a message.

    Raises:
        ConfigurationError: If there is none; the message names the counts nearest to the target.

    Example:
        >>> fitting_width(lambda width: 4 * width * width, target=40_000, start=8)
        100
    """
    low, high = 0, max(1, start)
    while count(high) < target:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        if count(middle) < target:
            low = middle
        else:
            high = middle
    found = {width: count(width) for width in (low, high) if width}
    best = min(found, key=lambda width: abs(found[width] - target))
    if abs(found[best] - target) > _TOLERANCE * target:
        near = ", ".join(f"{width} gives {each:,}" for width, each in found.items())
        raise ConfigurationError(
            f"no {name} gives {target:,} parameters within 1 %: {near}; ask for one of these by "
            "--params, or choose another key by --width"
        )
    return best


def _counter(task: Task, width: str) -> tuple[str, str, int, Callable[[int], int]]:
    """Give a width's key, short and full, its value as configured, and parameters as a function."""
    config = task.config
    known = settable(config)
    key = resolve(width, known)
    full = known[key]
    own = config.get(full)
    if not isinstance(own, int) or isinstance(own, bool):
        raise ConfigurationError(
            f"expected a whole number to choose, found {key} of {task.model}: {own!r}"
        )
    data: SequenceDataModule = fit_parser().instantiate(Namespace(data=config.data)).data
    data.prepare_data()
    data.setup("fit")
    features, context = data.features, data.context
    data.store.close()

    def count(value: int) -> int:
        config.update(value, full)
        return parameters(config, features, context)

    return key, full, own, count
