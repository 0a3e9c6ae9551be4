"""``seqmdn evaluate``: score a trained model."""

import shlex
from contextlib import ExitStack
from pathlib import Path

from seqmdn.cli.words import bars, command_parser, say
from seqmdn.plotting import calibration_figure
from seqmdn.plotting import check_ending as check_picture
from seqmdn.processes import first_process, joined
from seqmdn.runs import evaluate

__all__ = ["evaluate_command"]


def evaluate_command(words: list[str]) -> None:
    """Score a run on a split, and draw its calibration."""
    parser = command_parser("evaluate", "Score a trained model and rewrite the run's metrics.json.")
    parser.add_argument("run", type=Path, help="a run's folder, or a checkpoint file")
    parser.add_argument("--split", choices=["train", "valid", "test"], default="test")
    parser.add_argument("--data", type=Path, help="another store than the one it was trained on")
    parser.add_argument(
        "--scores", action="store_true", help="also CRPS, energy score and calibration"
    )
    parser.add_argument("--draws", type=int, default=200, help="draws a frame for those scores")
    parser.add_argument(
        "--out", type=Path, help="FILE.png or .svg, a picture of the calibration; implies --scores"
    )
    parser.add_argument(
        "--adapt",
        type=float,
        metavar="RATE",
        help="also the likelihood while Adam adapts the weights to each sequence at this rate, "
        "frame by frame, each scored before it is learnt from; exact, and slow",
    )
    parser.add_argument(
        "--dequantise",
        type=int,
        metavar="DRAWS",
        help="of levels, also a tighter bound on their probability, from draws of their noise",
    )
    options = parser.parse_args(words)
    if options.out is not None:
        check_picture(options.out)
    draws = options.draws if options.scores or options.out is not None else None
    progress = bars()
    bar = progress.add_task("adapting", total=None, nll="")
    with ExitStack() as stack:

        def scored(done: int, total: int) -> None:
            if done == 1:
                stack.enter_context(progress)
            progress.update(bar, completed=done, total=total)

        stack.enter_context(joined())
        metrics = evaluate(
            options.run,
            options.split,
            options.data,
            draws,
            options.adapt,
            scored if first_process() else None,
            options.dequantise,
            shlex.join(["seqmdn", "evaluate", *words]),
        )
    if not first_process():
        return
    if options.out is not None:
        name = options.run.resolve().name
        calibration_figure(options.out, {name: metrics["calibration"]})
    say(metrics, options.run)
