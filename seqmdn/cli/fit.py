"""``seqmdn fit``: train one model."""

import shlex
import time
from pathlib import Path

from seqmdn.cli.words import say, telling, value_of
from seqmdn.configuration import ConfigurationError, fit_parser
from seqmdn.processes import first_process
from seqmdn.reading import read_json
from seqmdn.runs import Interrupted, fit

__all__ = ["fit_command"]


def fit_command(words: list[str]) -> None:
    """Train one model, or go on with a run."""
    command = shlex.join(["seqmdn", "fit", *words])
    parser = fit_parser()
    parser.add_argument("--out", type=Path, help="the run's folder, runs/DATE-TIME by default")
    parser.add_argument("--resume", type=Path, metavar="RUN", help="go on with this run")
    parser.add_argument("--progress", choices=["bar", "lines", "json"], help="how to tell it")
    resumed = value_of(words, "--resume")
    if resumed is not None:
        settings = Path(resumed) / "config.yaml"
        if not settings.is_file():
            raise FileNotFoundError(f"{resumed} holds no run to go on with: expected {settings}")
        # The run's own configuration comes first, so that options can change it: a larger budget,
        # say.
        words = ["-c", str(settings), *words]
    config = parser.parse_args(words)
    out, resume, progress = (config.pop(name) for name in ("out", "resume", "progress"))
    if resume and out and out.resolve() != resume.resolve():
        raise ConfigurationError(
            f"expected --resume without --out, since a run goes on in its own folder {resume}, "
            f"found --out {out}: leave --out away, or copy the run there and resume the copy"
        )
    out = resume or out or Path("runs") / time.strftime("%Y%m%d-%H%M%S")
    try:
        with telling(progress) as report:
            fit(config, out, resume is not None, report, command)
    except Interrupted as stop:
        raise Interrupted(f"{stop}; go on by: seqmdn fit --resume {out}") from None
    if progress != "json" and first_process():
        say(read_json(out / "metrics.json", dict), out)
