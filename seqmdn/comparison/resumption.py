"""Whether a comparison can go on with what is there of it."""

from collections.abc import Sequence

from seqmdn.comparison.tasks import Task
from seqmdn.configuration import fit_parser

__all__ = ["check_resumable"]


def check_resumable(tasks: Sequence[Task]) -> None:
    """Raise ValueError unless what is there already was begun under the same configuration."""
    for task in tasks:
        begun = task.out / "config.yaml"
        if not begun.exists():
            continue
        wanted = fit_parser().parse_args(list(task.arguments))
        found = fit_parser().parse_args(["-c", str(begun)])
        for key, value in wanted.items():
            if key != "config" and found.get(key) != value:
                raise ValueError(
                    f"{task.out} was begun under another configuration: expected {key} {value}, "
                    f"found {found.get(key)}; repeat its options, or choose another --out"
                )
