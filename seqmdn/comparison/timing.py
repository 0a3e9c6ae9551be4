"""What a training step and a drawn frame cost, measured by turns in one run.

Models take turns, so that whatever else the machine does meets all of them alike. With one thread
on a CPU the processor's own clock is read, which stands still while others have the core; with
several threads, or on a GPU, that clock says little and the clock on the wall is read.
"""

import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any, Literal

import torch
from jsonargparse import Namespace
from lightning.pytorch import Callback, Trainer
from torch import Tensor

from seqmdn.comparison.tasks import Task, first_tasks
from seqmdn.configuration import fit_parser
from seqmdn.data import SequenceDataModule
from seqmdn.files import save_json
from seqmdn.precision import precision_options
from seqmdn.reading import read_json
from seqmdn.runs import draw, load_run
from seqmdn.training import DensityModule

__all__ = ["clock_of", "of_one_measurement", "step_seconds", "time_drawing"]

Clock = Literal["processor", "wall"]

_ROUNDS = 5
_WARM, _STEPS = 3, 12  # steps of a round, those that are not counted first
_SEQUENCES, _FRAMES = 16, 50


def clock_of(threads: int) -> Clock:
    """Say which clock a training with so many threads is measured by."""
    return "processor" if threads == 1 and not torch.cuda.is_available() else "wall"


def step_seconds(
    configs: Mapping[str, Namespace], threads: int, rounds: int = _ROUNDS
) -> dict[str, float]:
    """Measure what a training step of each model costs, in seconds.

    A step is all that a training repeats: reading a batch, its loss and gradients, clipping and the
    optimiser's step. Validation and scoring are no part of it. Each round is the start of a
    training, a dozen steps after a few that are not counted; the figure is the median of the
    rounds' means.

    Args:
        configs: What :func:`seqmdn.configuration.fit_parser` made of each model.
        threads: Threads that each training will have.
        rounds: Number of rounds R.

    Returns:
        Seconds a step of each model.
    """
    made = {name: _Training(config) for name, config in configs.items()}
    found: dict[str, list[float]] = {name: [] for name in made}
    with _threads(threads):
        for _ in range(rounds):
            for name, training in made.items():
                found[name].append(training.run(clock_of(threads)))
    return {name: statistics.median(each) for name, each in found.items()}


def time_drawing(tasks: Sequence[Task], rounds: int = _ROUNDS) -> None:
    """Measure what drawing costs, and put it into ``metrics.json`` of each model's first run.

    Under ``draw``: ``seconds`` to draw one frame of 16 sequences at once, the median of the rounds,
    with one thread of a CPU, and what it was measured with. Where all runs have figures of one
    measurement they are kept.

    Args:
        tasks: The finished trainings.
        rounds: Number of rounds.
    """
    firsts = first_tasks(tasks)
    paths = {name: task.out / "metrics.json" for name, task in firsts.items()}
    metrics = {name: read_json(path, dict) for name, path in paths.items()}
    timed = [each.get("draw") for each in metrics.values()]
    if None not in timed and of_one_measurement(timed):
        return
    runs = {name: load_run(task.out) for name, task in firsts.items()}
    found: dict[str, list[float]] = {name: [] for name in runs}
    with _threads(1):
        for turn in range(rounds + 1):
            for name, run in runs.items():
                # No longer than the longest of the sequences whose context they are drawn under.
                store = run.data.store
                used = store.indices("test")[:_SEQUENCES]
                length = min(_FRAMES, int(store.lengths[used].max()))
                begun = time.process_time()
                # Frames that run away, which is said behind the last of them, take as long.
                with suppress(FloatingPointError):
                    draw(run, _SEQUENCES, length, stop=_never)
                if turn:  # the first one warms up
                    found[name].append((time.process_time() - begun) / length)
    measured = datetime.now(UTC).isoformat()
    for name, each in found.items():
        content = {
            "seconds": statistics.median(each),
            "unit": "s/frame",
            "sequences": _SEQUENCES,
            "frames": length,
            "rounds": rounds,
            "clock": "processor",
            "measured": measured,
        }
        save_json(paths[name], metrics[name] | {"draw": content})


def _never(frames: Tensor) -> Tensor:
    """Say of no frame that it is the last: all models draw as many."""
    return torch.zeros(len(frames), dtype=torch.bool, device=frames.device)


def of_one_measurement(timed: Iterable[Mapping[str, Any] | None]) -> bool:
    """Say whether what was timed can be compared: all by turns in one run, or none at all.

    Args:
        timed: The entry ``draw`` of the ``metrics.json`` of each model, None where there is none.

    Example:
        >>> once, later = {"measured": "09:00"}, {"measured": "09:30"}
        >>> of_one_measurement([once, once]), of_one_measurement([once, later])
        (True, False)
        >>> of_one_measurement([once, None]), of_one_measurement([None, None])
        (False, True)
    """
    return len({None if each is None else each["measured"] for each in timed}) == 1


class _Training:
    """The start of a training, as often as it is asked for."""

    def __init__(self, config: Namespace) -> None:
        made = fit_parser().instantiate(config)
        self.options, plugins = precision_options(vars(made.trainer))
        self.plugins: list[Any] = list(plugins)
        self.data: SequenceDataModule = made.data
        self.data.prepare_data()
        self.data.setup("fit")
        self.model = made.model(self.data.features, self.data.context)
        self.model.initialise(*self.data.sample())
        self.training = vars(made.training)

    def run(self, clock: Clock) -> float:
        """Train a few steps and return the seconds of one."""
        timer = _Timer(clock)
        trainer = Trainer(
            **{
                **self.options,
                "max_steps": _WARM + _STEPS,
                "max_epochs": -1,
                "limit_val_batches": 0,
                "callbacks": [*(self.options.get("callbacks") or []), timer],
                "enable_checkpointing": False,
            },
            logger=False,
            plugins=self.plugins,
            enable_progress_bar=False,
        )
        if trainer.world_size > 1:
            raise ValueError(
                f"expected a training of one process to measure its steps, found "
                f"{trainer.world_size}: set --trainer.devices 1, or hold steps equal (--budget "
                "steps)"
            )
        module = DensityModule(self.model, **self.training, per=self.data.per)
        trainer.fit(module, datamodule=self.data)
        return (timer.ended - timer.begun) / _STEPS


class _Timer(Callback):
    def __init__(self, clock: Clock) -> None:
        self.now: Callable[[], float] = (
            time.process_time if clock == "processor" else time.perf_counter
        )
        self.begun = self.ended = 0.0

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        if trainer.global_step in (_WARM, _WARM + _STEPS):
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            if trainer.global_step == _WARM:
                self.begun = self.now()
            else:
                self.ended = self.now()


@contextmanager
def _threads(count: int) -> Any:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
