"""``seqmdn report``: a page that says whether a trained model can be believed."""

import shlex
from contextlib import ExitStack
from pathlib import Path

from seqmdn.cli.words import bars, command_parser
from seqmdn.report import write_report
from seqmdn.runs import diagnose

__all__ = ["report_command"]


def report_command(words: list[str]) -> None:
    """Diagnose a run and write the page."""
    parser = command_parser(
        "report",
        "Write one page, with nothing loaded from elsewhere, that says whether a trained model can "
        "be believed: likelihood, scores and errors, calibration, intervals and regions, "
        "sharpness, components, the worst-scored sequences and learning curves; the numbers also "
        "as JSON.",
    )
    parser.add_argument("run", type=Path, help="a run's folder, or a checkpoint file")
    parser.add_argument("--split", choices=["train", "valid", "test"], default="test")
    parser.add_argument("--data", type=Path, help="another store than the one it was trained on")
    parser.add_argument("--out", type=Path, help="FILE.html, RUN/report.html by default")
    parser.add_argument(
        "--pictures", action="store_true", help="also write the pictures as PNG, beside the page"
    )
    parser.add_argument("--draws", type=int, default=200, help="draws a frame, at least 39")
    parser.add_argument(
        "--frames",
        type=int,
        help="frames to look at, of sequences chosen at random; 10,000 by default, fewer of wide "
        "frames; the likelihood is of all",
    )
    parser.add_argument("--seed", type=int, default=0, help="of that choice and of the draws")
    options = parser.parse_args(words)
    if options.out is None and not options.run.is_dir():
        raise ValueError(
            f"{options.run} is no folder of a run to write the report into: name a file by --out"
        )
    out = options.run / "report.html" if options.out is None else options.out
    if out.suffix.lower() not in (".html", ".htm"):
        raise ValueError(f"--out must end in .html; found {out.name!r}")
    progress = bars()
    bar = progress.add_task("sequences", total=None, nll="")
    with ExitStack() as stack:

        def looked(done: int, total: int) -> None:
            if not progress.live.is_started:
                stack.enter_context(progress)
            progress.update(bar, completed=done, total=total)

        found = diagnose(
            options.run,
            options.split,
            options.data,
            options.draws,
            options.frames,
            options.seed,
            looked,
        )
    command = shlex.join(["seqmdn", "report", *words])
    page, *others = write_report(found, out, command, options.pictures)
    print(f"{page}, {page.stat().st_size / 1024:,.0f} KiB; beside it {others[0].name}", end="")
    print(f" and {len(others) - 1} pictures" if options.pictures else "")
