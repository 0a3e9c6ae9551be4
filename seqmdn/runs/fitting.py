"""A training, from its configuration to its scores."""

import errno
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from jsonargparse import Namespace
from lightning.pytorch import Trainer, seed_everything
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger

from seqmdn.checkpoints import (
    FORMAT,
    LAST,
    AtomicCheckpointIO,
    KeptCheckpoint,
    has_checkpoint,
    load_weights,
    read_checkpoint,
    read_newest,
)
from seqmdn.configuration import fit_parser
from seqmdn.data import SPLITS, SequenceDataModule
from seqmdn.files import remove_partial, save_json, save_text
from seqmdn.models import DensityModel
from seqmdn.precision import precision_options
from seqmdn.processes import check_started, first_on_node, first_process, of_first
from seqmdn.provenance import note_revision
from seqmdn.runs.run import Run, checkpoint_of, load_run
from seqmdn.runs.scoring import score
from seqmdn.sharding import sharded_options
from seqmdn.training import DensityModule, ReportProgress, StopOnInterrupt, ValidateAtEnd
from seqmdn.transfer import check_same_data, check_same_origin, origin_of, take_over

__all__ = ["Interrupted", "Report", "fit"]

Report = Callable[[int, int, float | None], None]

# What a folder can be written no more for; any other error keeps its own words.
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS}


class Interrupted(KeyboardInterrupt):
    """Ctrl-C was pressed and the state of the run is safe on disk."""


def fit(
    config: Namespace,
    out: Path,
    resume: bool = False,
    report: Report | None = None,
    command: str | None = None,
) -> Run:
    """Train the model that a configuration describes, then score it on the test split.

    Where the trainer has several processes, all of them come through here, and share the training
    and the scoring; the first one writes the files.

    Args:
        config: What :func:`fit_parser` made of files and options.
        out: The run's folder, made if missing.
        resume: Go on from the newest checkpoint in the folder or, if that is damaged, from the one
            before it.
        report: Called with (step, steps, last validation NLL) while training.
        command: What was typed, for the record.

    Returns:
        The run, with the weights of the lowest validation NLL.

    Raises:
        FileExistsError: If ``resume`` is not set and the folder holds a run, or what the run would
            overwrite.
        FileNotFoundError: If ``resume`` is set and the folder holds no checkpoint.
        ValueError: If more processes were started than the trainer knows of; if ``resume`` is set
            and the checkpoints are damaged, of another model or of another store; if the
            configuration names a run to begin with (``--from``) that was trained on other data, or
            whose density is not that of the model with its weights.
        OSError: If the folder cannot be written, or no more of it; the message names the checkpoint
            that is left.
        Interrupted: After Ctrl-C, once a checkpoint is written.
    """
    first = first_process()
    kept = out / "checkpoints"
    if has_checkpoint(kept) and not resume and first:
        raise FileExistsError(
            f"{out} holds a run already: go on with it by `seqmdn fit --resume {out}`, "
            "or choose another --out"
        )
    if not resume and first:
        _check_unused(out, config)
    newest, begun = read_newest(kept) if resume else (kept / LAST, None)
    parser = fit_parser()
    made = parser.instantiate(config)
    data: SequenceDataModule = made.data
    data.seed = config.seed
    _prepare(data)
    data.setup("fit")
    for split in SPLITS:
        data.describe(split)  # which refuses an empty one: before the training, not after it
    seed_everything(config.seed, workers=True, verbose=False)
    model = made.model(data.features, data.context)
    written = parser.dump(config, skip_unset=False)
    plain = yaml.safe_load(written)
    description = {
        "format": FORMAT,
        "model": plain["model"],
        "data": plain["data"],
        "features": data.features,
        "context": data.context,
        "unit": data.unit,
        "dataset": data.describe("train"),
        "seed": config.seed,
        "parameters": sum(p.numel() for p in model.parameters() if p.requires_grad),
    }
    # Before anything is written: a folder that cannot be used stays as it is.
    source = config.get("from")
    if begun is not None:
        load_weights(model, begun, newest)
        before, now = begun["seqmdn"]["dataset"]["sha256"], description["dataset"]["sha256"]
        if before != now:
            raise ValueError(
                f"{out} was begun on another store than {data.path} is now: expected sha256 "
                f"{before[:12]}, found {now[:12]}; bring that store back, or train on this one in "
                "another --out"
            )
        description |= check_same_origin(begun["seqmdn"], source)
    elif source is not None:
        description |= _begin_with(Path(source), model, data)
    else:
        model.initialise(*data.sample())
    module = DensityModule(
        model, **vars(made.training), per=data.per, seed=config.seed, description=description
    )
    with _written(out):
        if first:
            out.mkdir(parents=True, exist_ok=True)
            for folder in (out, kept):
                remove_partial(folder)
            save_text(out / "config.yaml", written)
            note_revision(out)
            # From here on the scores of a run that goes on are those of another model.
            (out / "metrics.json").unlink(missing_ok=True)

        stop = StopOnInterrupt(kept / LAST)
        best = KeptCheckpoint(kept, "best", monitor="val/nll")
        last = KeptCheckpoint(kept, Path(LAST).stem)
        table = CSVLogger(out, name="logs")
        options, plugins = precision_options(sharded_options(vars(made.trainer)))
        trainer = Trainer(
            **{
                **options,
                "callbacks": [
                    *(made.trainer.callbacks or []),
                    ValidateAtEnd(),
                    stop,
                    best,
                    last,
                ]
                + ([ReportProgress(report)] if report else []),
            },
            default_root_dir=out,
            logger=[table, TensorBoardLogger(out, name="logs", version=table.version)],
            plugins=[AtomicCheckpointIO(), *plugins],
            enable_progress_bar=False,
        )
        check_started(trainer.world_size)
        try:
            with stop:
                trainer.fit(
                    module, datamodule=data, ckpt_path=newest if resume else None, weights_only=True
                )
        except SystemExit as end:  # what Lightning makes of a KeyboardInterrupt
            raise KeyboardInterrupt from end
        if stop.interrupted:
            raise Interrupted(f"stopped at step {trainer.global_step}")
        # Where the name is that of the time, processes may have read other clocks.
        out = of_first(out)
        run = load_run(out)
        metrics = score(run, "test", frames=out / "frames.npz", command=command)
        if first:
            whole = {"seconds": module.seconds} | module.nonfinite.summary()
            save_json(out / "metrics.json", metrics | whole)
    return run


@contextmanager
def _written(out: Path) -> Iterator[None]:
    """Say of a run that can be written no more what is left of it."""
    try:
        yield
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        try:
            newest, content = read_newest(out / "checkpoints")
            left = (
                f"{newest.name} of step {content['seqmdn']['steps']} is whole, make room and go on "
                f"by: seqmdn fit --resume {out}"
            )
        except (OSError, ValueError):
            left = "there is no checkpoint yet: make room and begin again, or choose another --out"
        reason = (error.strerror or str(error)).lower()
        raise OSError(f"{out}: {reason}; {left}") from error


def _prepare(data: SequenceDataModule) -> None:
    """Write the store where it is missing, once on each machine."""
    if first_on_node():
        data.prepare_data()
    # Whoever started the processes ends all of them if the first one fails.
    while data.prepare is not None and not data.path.exists():
        time.sleep(0.2)


def _begin_with(source: Path, model: DensityModel, data: SequenceDataModule) -> dict[str, Any]:
    """Give a model the weights of a run; return what tells in a description where it began."""
    # First of all: data of another size would be refused for that.
    check_same_data(read_checkpoint(checkpoint_of(source))["seqmdn"], data, source)
    run = load_run(source, data.path)
    take_over(model, run.model, data, source)
    return origin_of(source, run.checkpoint, run.description)


def _check_unused(out: Path, config: Namespace) -> None:
    """Raise FileExistsError if a run that begins in ``out`` would overwrite what is not its own.

    A run that stopped before its first checkpoint may begin again: it leaves a ``config.yaml``.
    """
    given = [Path(str(file)).resolve() for file in config.get("config") or []]
    if (out / "config.yaml").resolve() in given:
        found = "config.yaml, which this run is told by -c to read"
    elif (out / "metrics.json").exists():
        found = "metrics.json, but no checkpoint"
    else:
        return
    raise FileExistsError(
        f"{out} holds {found}, and a run would overwrite it: choose another --out, or move the file"
    )
