"""What a run is made of: configuration files and options, checked before anything starts."""

import difflib
import inspect
import re
from collections.abc import Callable, Iterable
from importlib import import_module
from typing import NoReturn

from jsonargparse import ArgumentParser
from lightning.pytorch import Trainer

from seqmdn.data import SequenceDataModule
from seqmdn.models import DensityModel
from seqmdn.training import DensityModule

__all__ = ["ConfigurationError", "fit_parser", "model_parser"]


class ConfigurationError(ValueError):
    """An option or a key of a configuration file is misspelt, missing or of the wrong kind."""


class _Parser(ArgumentParser):
    """Says what is wrong in a line, instead of a page of usage."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        if not self.exit_on_error:  # a parser inside of another one, which tries several types
            super().error(message, ex)
        raise ConfigurationError(_explain(message, self._option_string_actions)) from ex


def fit_parser() -> ArgumentParser:
    """Return the parser of a run's configuration: files merged in order, then the command line.

    Raises:
        ConfigurationError: On parsing, if something is misspelt, missing or of the wrong kind.

    Example:
        >>> fit_parser().parse_args(["--trainer.max_stepz", "3"])
        Traceback (most recent call last):
        ...
        seqmdn.configuration.ConfigurationError: there is no option --trainer.max_stepz:
        did you mean --trainer.max_steps?
    """
    parser = _Parser(
        prog="seqmdn fit",
        description="Train one model. Later files and options override earlier ones.",
    )
    parser.add_argument("-c", "--config", action="config", help="a YAML file; may be given again")
    parser.add_argument("--seed", type=int, default=0, help="seed of weights, batches and noise")
    _add_data_and_model(parser)
    parser.add_class_arguments(
        DensityModule,
        "training",
        skip={"model", "per", "seed", "description"},
        instantiate=False,
    )
    parser.add_class_arguments(
        Trainer,
        "trainer",
        skip={"logger", "plugins", "default_root_dir", "enable_progress_bar"},
        instantiate=False,
    )
    parser.set_defaults(
        {
            "trainer.enable_model_summary": False,
            "trainer.num_sanity_val_steps": 0,
            "trainer.use_distributed_sampler": False,
            "trainer.check_val_every_n_epoch": None,
        }
    )
    return parser


def model_parser() -> ArgumentParser:
    """Return the parser of what a checkpoint says of its data and its model."""
    parser = _Parser(prog="a checkpoint")
    _add_data_and_model(parser)
    return parser


def _add_data_and_model(parser: ArgumentParser) -> None:
    parser.add_argument("--data", type=SequenceDataModule, required=True, help="the data set")
    # The sizes are those of the data, so a configuration names all of the model but its sizes.
    parser.add_argument(
        "--model", type=Callable[[int, int], DensityModel], required=True, help="the model"
    )


def _explain(message: str, options: Iterable[str]) -> str:
    """Say what a person must change: which key, what was expected, what was found."""
    if found := re.search(r"unrecognized arguments: (--?[\w.]+)", message):
        return f"there is no option {found[1]}{_meant(found[1], options)}"
    names = [option.removeprefix("--") for option in options]
    if found := re.search(r"Group '([\w.]+)' does not accept option '([\w.]+)'", message):
        key = f"{found[1]}.{found[2]}"
        return f"there is no key {key!r}{_meant(key, names)}"
    if found := re.search(r"Option '([\w.]+)' is not accepted", message):
        # The class that was asked stands among the named arguments that follow.
        if classes := re.search(r"class_path='([\w.]+)'", message[found.end() :]):
            owner = classes[1]
            return f"{owner} has no option {found[1]!r}{_meant(found[1], _arguments_of(owner))}"
        return f"there is no key {found[1]!r}{_meant(found[1], names)}"
    # Nested types nest their complaints: the keys lead to what was wrong, which stands innermost.
    keys = ".".join(re.findall(r'Parser key "([\w.]+)"', message))
    if missing := re.search(
        r"module '[\w.]+' has no attribute '\w+'|No module named '\S+'", message
    ):
        return f"{keys}: {missing[0]}"
    complaint, _, values = message.partition(". Got value: ")
    lines = [line.strip() for line in complaint.splitlines() if "Parser key" not in line]
    words = "; ".join(lines) or complaint.rpartition("callable class: ")[2]
    if literal := re.search(r"typing\.Literal\[(.*)\]", words):
        words = f"expected one of {literal[1]}"
    value = values.split(". Got value: ")[0]
    return (f"{keys}: " if keys else "") + words + (f", found {value}" if value else "")


def _meant(word: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(word, list(known), n=1)
    return f": did you mean {close[0]}?" if close else ": see seqmdn fit --help"


def _arguments_of(class_path: str) -> list[str]:
    module, _, name = class_path.rpartition(".")
    return list(inspect.signature(getattr(import_module(module), name)).parameters)
