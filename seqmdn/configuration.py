"""What a run is made of: configuration files and options, checked before anything starts."""

import difflib
import inspect
import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any, NoReturn

import yaml
from jsonargparse import ArgumentParser, Namespace, set_parsing_settings
from lightning.pytorch import Trainer

from seqmdn.checkpoints import no_classes
from seqmdn.data import SequenceDataModule
from seqmdn.models import DensityModel
from seqmdn.training import DensityModule

__all__ = ["ConfigurationError", "fit_parser", "model_parser"]


_LARGEST = 2**20  # characters of a file, that of the longest recipe having 2**11


# Python's own modules that run commands are refused by their names, before they are looked at.
set_parsing_settings(import_path_denylist=[])


class ConfigurationError(ValueError):
    """An option or a key of a configuration file is misspelt, missing or of the wrong kind."""


class _Parser(ArgumentParser):
    """Says what is wrong in a line, instead of a page of usage."""

    def parse_args(  # type: ignore[override]  # jsonargparse narrows what argparse allows
        self, args: Sequence[str] | None = None, *others: Any, **options: Any
    ) -> Namespace:
        for path in _files(args or []):
            _check_file(path)
        if args is not None:
            args = [re.sub(r"^--on-nan(?==|$)", "--training.on_nan", word) for word in args]
        try:
            return super().parse_args(args, *others, **options)
        except RecursionError as error:
            # Python imports a path of a thousand dots package by package.
            raise ConfigurationError(
                "expected class paths and values of a few levels, found one of hundreds: shorten it"
            ) from error

    def instantiate(self, namespace: Namespace, *others: Any, **options: Any) -> Namespace:
        for path in no_classes(namespace.as_dict()):
            # The parser would call any function that is named so, even one that runs a shell.
            raise ConfigurationError(f"expected the path of a class, found {path}, which is none")
        return super().instantiate(namespace, *others, **options)

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
        description="Train one model. Later files and options override earlier ones; --on-nan is "
        "--training.on_nan.",
    )
    parser.add_argument("-c", "--config", action="config", help="a YAML file; may be given again")
    parser.add_argument("--seed", type=int, default=0, help="seed of weights, batches and noise")
    parser.add_argument(
        "--from",
        type=str | None,
        metavar="RUN",
        help="begin with the weights of this run's best checkpoint; what the model has beside them"
        " must begin as the identity, as a flow does",
    )
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


def _files(words: Sequence[str]) -> Iterator[Path]:
    """Give the configuration files that a command line names."""
    for word, following in pairwise([*words, "-"]):
        option, _, value = word.partition("=")
        if option in ("-c", "--config") and (value or not following.startswith("-")):
            yield Path(value or following)


def _check_file(path: Path) -> None:
    """Say which file is wrong, which the parser does not."""
    if not path.is_file():
        raise ConfigurationError(f"there is no configuration file {path}")
    if (size := path.stat().st_size) > _LARGEST:
        raise ConfigurationError(f"{path}: expected at most {_LARGEST} bytes of YAML, found {size}")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ConfigurationError(f"{path} is no YAML: {error.problem}{line}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} is no YAML: expected text in UTF-8") from error
    except (ValueError, RecursionError) as error:  # of a date or number that is none, of nesting
        raise ConfigurationError(f"{path} is no YAML: {str(error)[:100]}") from error
    if _written_out(content, {}) > _LARGEST:
        raise ConfigurationError(
            f"{path}: expected at most {_LARGEST} characters, found more with its aliases written "
            "out: say each thing once"
        )
    if not isinstance(content, dict):
        found = "nothing" if content is None else repr(content)[:40]
        raise ConfigurationError(f"{path}: expected keys such as data and model, found {found}")


def _written_out(value: Any, known: dict[int, float]) -> float:
    """Count what a value takes without aliases, each of which may be of others; infinite in itself.

    A message, or a copy of a configuration, writes them out.
    """
    if not isinstance(value, dict | list | tuple | set):
        return 1 + (len(value) if isinstance(value, str | bytes) else 0)
    if id(value) not in known:
        known[id(value)] = math.inf
        parts = [*value, *value.values()] if isinstance(value, dict) else value
        known[id(value)] = 1 + sum(_written_out(part, known) for part in parts)
    return known[id(value)]


def _explain(message: str, options: Iterable[str]) -> str:
    """Say what a person must change: which key, what was expected, what was found."""
    if found := re.search(r"unrecognized arguments: (\S+)", message):
        word = found[1].partition("=")[0]
        return f"there is no option {word}{_meant(word, options)}"
    names = [option.removeprefix("--") for option in options]
    if found := re.search(r"Group '([\w.]+)' does not accept option '([\w.]+)'", message):
        key = f"{found[1]}.{found[2]}"
        return f"there is no key {key!r}{_meant(key, names)}"
    if found := re.search(r"Option '([\w.]+)' is not accepted", message):
        # The class that was asked stands right before, or among the named arguments that follow.
        before = re.search(r"class_path '([\w.]+)':\s*$", message[: found.start()])
        after = re.search(r"class_path='([\w.]+)'", message[found.end() :])
        if owner := before or after:
            known = [*_arguments_of(owner[1]), "init_args", "class_path"]
            return f"{owner[1]} has no option {found[1]!r}{_meant(found[1], known)}"
        return f"there is no key {found[1]!r}{_meant(found[1], names)}"
    # Nested types nest their complaints: the keys lead to what was wrong, which stands innermost.
    keys = ".".join(re.findall(r'Parser key "([\w.]+)"', message))
    if missing := re.search(
        r"module '[\w.]+' has no attribute '\w+'|No module named '\S+'", message
    ):
        return f"{keys}: {missing[0]}"
    complaint, _, value = message.partition(". Got value: ")
    lines = [line.strip() for line in complaint.splitlines()]
    if given := [
        line for line in lines if line.startswith("Given value: ")
    ]:  # one of several kinds
        value = given[-1].removeprefix("Given value: ")
        lines = [line[2:] for line in lines if line.startswith("- ") and "NoneType" not in line]
    else:
        lines = [line for line in lines if not line.startswith("Problem with given class_path")]
    words = re.sub(r'Parser key "[\w.]+":;?\s*', "", "; ".join(lines))
    words = words.rpartition("callable class: ")[2]
    if literals := re.findall(r"typing\.Literal\[(.*?)\]", words):
        words = f"expected one of {', '.join(literals)}"
    words = re.sub(r"Expected a <class '(\w+)'>", r"expected \1", words)
    value = value.split(". Got value: ")[0]
    shown = f", found {value}" if value and "Namespace(" not in value else ""
    return (f"{keys}: " if keys else "") + words + shown


def _meant(word: str, known: Iterable[str]) -> str:
    names = list(known)
    heads = {name.partition(".")[0] for name in names}
    close = difflib.get_close_matches(word, names, n=1) or difflib.get_close_matches(
        word.partition(".")[0], heads, n=1
    )
    return f": did you mean {close[0]}?" if close else ": see seqmdn fit --help"


def _arguments_of(class_path: str) -> list[str]:
    module, _, name = class_path.rpartition(".")
    return list(inspect.signature(getattr(import_module(module), name)).parameters)
