"""The command ``seqmdn``: which command was meant, and how it ends."""

import logging
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import NoReturn

import seqmdn
from seqmdn.cli.compare import compare_command
from seqmdn.cli.encode import encode_command
from seqmdn.cli.evaluate import evaluate_command
from seqmdn.cli.export import export_command
from seqmdn.cli.fit import fit_command
from seqmdn.cli.report import report_command
from seqmdn.cli.sample import sample_command
from seqmdn.configuration import ConfigurationError
from seqmdn.processes import first_process
from seqmdn.runs import Interrupted

__all__ = ["main"]

HELP = """usage: seqmdn COMMAND ...

  compare RECIPE      train the models of a recipe under one budget and put them into one table
  fit -c FILE ...     train one model
  evaluate RUN        score a trained model on a split
  report RUN          write a page that says whether a trained model can be believed
  sample RUN          draw sequences from a trained model
  encode RUN          write what a trained autoencoder sees of a store of frames
  export RUN          write a trained model as ONNX or safetensors, for use elsewhere

`seqmdn COMMAND --help` says more. --debug shows where in the code an error arose."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command; exit with status 0, 1 (error), 2 (usage) or 130 (Ctrl-C)."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    words = [word for word in words if word != "--debug"]
    commands: dict[str, Callable[[list[str]], None]] = {
        "compare": compare_command,
        "fit": fit_command,
        "evaluate": evaluate_command,
        "report": report_command,
        "sample": sample_command,
        "encode": encode_command,
        "export": export_command,
    }
    if words[:1] in ([], ["--help"], ["-h"]):
        print(HELP)
        return
    if words[0] == "--version":
        print(seqmdn.__version__)
        return
    if words[0] not in commands:
        _end(f"there is no command {words[0]!r}\n{HELP}", 2)
    _quieten()
    try:
        commands[words[0]](words[1:])
    except (Interrupted, FloatingPointError) as error:
        if debug:
            raise
        # All processes of a training end by these at once, and the first one speaks for them. An
        # error of another one would have it killed before it can.
        if not first_process():
            return
        _end(_words_of(error), 130 if isinstance(error, Interrupted) else 1)
    except KeyboardInterrupt:
        if debug:
            raise
        _end("interrupted", 130)
    except Exception as error:
        if debug:
            raise
        status = 2 if isinstance(error, ConfigurationError) else 1
        _end(_words_of(error), status)


def _quieten() -> None:
    """Keep the libraries' advertisements and advice to developers from the user's screen."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for category in (UserWarning, FutureWarning):
        warnings.filterwarnings("ignore", category=category, module="lightning")
    # A warning of ours is a sentence to a user: where in the code it arose says nothing.
    warnings.formatwarning = lambda message, *_: f"seqmdn: {message}\n"


def _words_of(error: BaseException) -> str:
    """Say what went wrong; the operating system's errors know a file but not what to do."""
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"{error.filename}: {error.strerror.lower()}: choose another file or folder"
    return f"{error}" or type(error).__name__


def _end(message: str, status: int) -> NoReturn:
    print(f"seqmdn: {message}", file=sys.stderr)
    sys.exit(status)
