"""The options of ``seqmdn compare``."""

import argparse
from pathlib import Path

from seqmdn.cli.words import command_parser

__all__ = ["compare_parser"]

_DESCRIPTION = """Train the models of a recipe under one budget and put them into one table.
Options that are not listed go to every `seqmdn fit`, such as --trainer.max_steps 500.

With --sweep, each model is trained once for every combination of values. Keys are those of `seqmdn
fit`, as short as they are clear: head.components, optimizer.lr, trainer.max_steps. A key that only
some models have is left out for the others. head.rank sets head.covariance as well, 0 a diagonal
one and other ranks lowrank, unless head.covariance is swept itself. Every finished run in --out
that has the same settings is used again, whatever grid or comparison trained it.

What to choose a number of components by stands side by side: for models whose densities are exact,
the test NLL, BIC (-2 log L + P log N in nats, of all training frames at the kept weights), and with
--folds the NLL of cross-validation; a line warns of components that died or sit on each other."""

_BUDGET = """what all models have alike. steps: those of the recipe. seconds: of training, without
validation and scoring; the time of a step of each model is measured by turns before the first
training and decides its number of steps, so that schedules end and results can be had again.
params: --width of each model is chosen so that its parameters agree to 1 %%"""

_FOLDS = """for --sweep, also cross-validation: the sequences of training and validation are cut
anew into F parts, always the same, and each cell is trained F times more without one of them and
scored on it; what stops a training is a share of the others as large as that of the validation
split. The test split is left alone"""


def compare_parser() -> argparse.ArgumentParser:
    """Return the parser of what a comparison is; all other options are those of a training."""
    parser = command_parser("compare", _DESCRIPTION)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "recipe", type=Path, help="a recipe's folder, such as recipes/pixels/digits"
    )
    parser.add_argument(
        "--models",
        nargs="+",
        help="names of the recipe's models, paths of other YAML files; all of the recipe's by "
        "default",
    )
    parser.add_argument(
        "--seeds", type=int, default=1, help="runs a model; of several, also what they are together"
    )
    parser.add_argument("--out", type=Path, help="results/TASK/DATASET by default")
    parser.add_argument("--jobs", type=int, help="trainings at a time; one a core without a GPU")
    parser.add_argument("--resume", action="store_true", help="keep what was finished before")
    parser.add_argument(
        "--scores", action="store_true", help="also CRPS, energy score and calibration of each run"
    )
    parser.add_argument(
        "--adapt",
        type=float,
        metavar="RATE",
        help="also the likelihood of each run while it adapts to each sequence, as in evaluate",
    )
    parser.add_argument(
        "--dequantise",
        type=int,
        metavar="DRAWS",
        help="of levels, also a tighter bound on their probability, as in evaluate",
    )
    parser.add_argument(
        "--budget", choices=["steps", "seconds", "params"], default="steps", help=_BUDGET
    )
    parser.add_argument(
        "--seconds", type=float, help="for --budget seconds; as the first model takes by default"
    )
    parser.add_argument(
        "--params", type=int, help="for --budget params; as the first model has by default"
    )
    parser.add_argument("--width", metavar="KEY", help="for --budget params; backbone.hidden")
    parser.add_argument(
        "--sweep", nargs="+", metavar="KEY=VALUE,...", help="a grid, such as head.components=1,5"
    )
    parser.add_argument("--folds", type=int, metavar="F", help=_FOLDS)
    parser.add_argument(
        "--possible",
        action="store_true",
        help="leave out models that cannot be, such as a rank above the number of features",
    )
    return parser
