"""Whether a comparison can go on with what is there of it."""

from collections.abc import Sequence
from pathlib import Path

from jsonargparse import Namespace

from seqmdn.checkpoints import has_checkpoint, read_checkpoint, read_newest
from seqmdn.comparison.tasks import Task
from seqmdn.configuration import fit_parser
from seqmdn.data import SequenceDataModule
from seqmdn.provenance import git_revision, revision_of
from seqmdn.reading import read_json_value

__all__ = ["check_resumable", "revision_warning"]


def check_resumable(tasks: Sequence[Task]) -> None:
    """Raise ValueError unless what is there was begun under the same configuration and data.

    A run says of which store it was trained in its checkpoint, and on which it was scored in its
    ``metrics.json``. Both must be the store as it is now.

    Raises:
        FileNotFoundError: If a run that has begun is there, but its store is not.
        ValueError: If a configuration or a store is another one now, or a checkpoint is damaged.
    """
    stores: dict[Path, str] = {}
    for task in tasks:
        begun = task.out / "config.yaml"
        if not begun.exists():
            continue
        wanted = task.config
        found = fit_parser().parse_args(["-c", str(begun)])
        for key, value in wanted.items():
            if key != "config" and found.get(key) != value:
                raise ValueError(
                    f"{task.out} was begun under another configuration: expected {key} {value}, "
                    f"found {found.get(key)}; repeat its options, or choose another --out"
                )
        _check_store(task, wanted, stores)


def revision_warning(out: Path, tasks: Sequence[Task] = ()) -> str | None:
    """Say so if finished runs are of another revision of the code, in a line.

    A run's folder names the revision that trained it, ``compare.json`` that which compared the runs
    of before such notes. Code that is no clone names none.
    """
    now = git_revision()
    finished = [task.out for task in tasks if (task.out / "metrics.json").exists()]
    noted = [revision_of(run) for run in finished]
    path = out / "compare.json"
    if path.exists() and not any(noted):
        noted.append(read_json_value(path, "versions").get("git"))
    others = sorted({each for each in noted if each not in (None, now)}, key=str)
    if now is None or not others:
        return None
    return (
        f"the finished runs in {out} are of revision {', '.join(map(str, others))} of the code, "
        f"those to come of {now}: choose another --out for one table of one revision"
    )


def _check_store(task: Task, wanted: Namespace, stores: dict[Path, str]) -> None:
    """Compare the SHA-256 that a run has recorded of its store with that of the store now."""
    recorded = {}
    metrics = task.out / "metrics.json"
    # A finished run is scored with its best checkpoint, another one goes on from its last.
    kept = task.out / "checkpoints"
    if metrics.exists() and (kept / "best.ckpt").exists():
        trained = read_checkpoint(kept / "best.ckpt")
        recorded["trained"] = trained["seqmdn"]["dataset"]["sha256"]
    elif not metrics.exists() and has_checkpoint(kept):
        recorded["trained"] = read_newest(kept)[1]["seqmdn"]["dataset"]["sha256"]
    if metrics.exists():
        recorded["scored"] = read_json_value(metrics, "dataset", "sha256")
    if not recorded:  # it begins again
        return
    data: SequenceDataModule = fit_parser().instantiate(wanted).data
    if data.path not in stores:
        data.prepare_data()
        data.setup("test")
        stores[data.path] = data.store.sha256
        data.store.close()
    now = stores[data.path]
    for what, before in recorded.items():
        if before != now:
            raise ValueError(
                f"{task.out} was {what} on another store than {data.path} is now: expected sha256 "
                f"{before[:12]}, found {now[:12]}; bring that store back, or choose another --out"
            )
