"""One-line ablations: a grid of values, applied to every chosen model."""

import hashlib
import itertools
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from jsonargparse import Namespace

from seqmdn.comparison.keys import resolve_each, settable, short
from seqmdn.comparison.tasks import Cell, cells_of, fit_arguments
from seqmdn.configuration import ConfigurationError, fit_parser

__all__ = ["grid_of", "sweep_cells"]


def grid_of(words: Sequence[str]) -> dict[str, list[str]]:
    """Read ``KEY=VALUE,VALUE,...`` once a key; commas inside brackets or quotes part nothing.

    Raises:
        ConfigurationError: If a word has no key or no value, or a key comes twice.

    Example:
        >>> grid_of(["head.components=1,5", "optimizer.betas=[0.9,0.99],[0.5,0.99]"])
        {'head.components': ['1', '5'], 'optimizer.betas': ['[0.9,0.99]', '[0.5,0.99]']}
    """
    grid: dict[str, list[str]] = {}
    for word in words:
        key, equals, text = word.partition("=")
        values = list(dict.fromkeys(_parted(text)))
        if not key or not equals or "" in values:
            raise ConfigurationError(
                f"expected KEY=VALUE,VALUE,... such as head.components=1,5, found {word!r}: "
                "the recipe and other options stand before --sweep or after another option"
            )
        if key in grid:
            raise ConfigurationError(f"{key} is swept twice: put all its values behind one {key}=")
        grid[key] = values
    return grid


def sweep_cells(
    recipe: Path,
    models: Sequence[str],
    grid: Mapping[str, Sequence[str]],
    overrides: Sequence[str] = (),
) -> list[Cell]:
    """Return a cell for each model and each combination of the values of the keys that it has.

    A key that only some models have is left out for the others, which then have fewer cells. One
    that lies deeper in some, as of an ensemble's members, has in all the shortest of its names. A
    key named ``rank`` beside a key ``covariance`` that is not swept sets that as well:
    ``"diagonal"`` for rank 0, which is what D + UU' without columns of U is, ``"lowrank"``
    otherwise.

    Args:
        recipe: The recipe's folder.
        models: Its models by name, others by the paths of their files.
        grid: The values of each key; see :func:`seqmdn.comparison.keys.resolve_each` for how
            keys may be shortened.
        overrides: Options that all cells have.

    Raises:
        ConfigurationError: If no model has a key, or a value does not parse.
        FileNotFoundError: If there is no such file.
        ValueError: If the recipe has no such model, or two have one name.
    """
    files = {cell.name: cell.model for cell in cells_of(models)}
    commands = {name: fit_arguments(recipe, files[name], overrides) for name in files}
    configs = {name: fit_parser().parse_args(list(words)) for name, words in commands.items()}
    keys = {name: settable(config) for name, config in configs.items()}
    if any(key.rpartition(".")[2] == "seed" for key in grid):
        raise ConfigurationError("seeds are no key to sweep: say how many there are by --seeds")
    values: dict[str, Sequence[str]] = {}
    meant: dict[str, dict[str, str]] = {}  # of each key, what it is in each model that has it
    for key, its in grid.items():
        each = resolve_each(key, keys)
        found = min(each.values(), key=len)
        if found in values:
            raise ConfigurationError(f"{key} is {found}, which is swept already: name it once")
        values[found], meant[found] = its, each
    values = dict(sorted(values.items()))  # a class before the arguments that it takes
    cells = []
    for model, known in keys.items():
        own = [key for key in values if model in meant[key]]
        for chosen in itertools.product(*(values[key] for key in own)):
            settings = dict(zip(own, chosen, strict=True))
            deep = {meant[key][model]: value for key, value in settings.items()}
            words = _words(deep, known, configs[model])
            name = ",".join([model, *(f"{_tail(k)}={_label(v)}" for k, v in settings.items())])
            cells.append(Cell(name, files[model], tuple(words), tuple(settings.items())))
    return cells


def _words(settings: Mapping[str, str], known: Mapping[str, str], config: Namespace) -> list[str]:
    """Say the settings of a cell as options of ``seqmdn fit``."""
    words = []
    for key, value in settings.items():
        parent = key.rpartition(".")[0]
        beside = f"{parent}.covariance"
        if key.endswith(".rank") and beside in known and beside not in settings:
            none = value in ("0", "null", "None")
            words.append(f"--{known[beside]}={'diagonal' if none else 'lowrank'}")
            value = "null" if none else value
        if value == "null":
            # An argument of a class takes no bare null, but the class takes arguments that are.
            owner, name = known[key].rsplit(".init_args.", 1)
            # Members of an ensemble lie too deep for that, but most have it by default.
            if short(owner) not in settings and config[known[key]] is None:
                continue
            path = settings.get(short(owner)) or config[f"{owner}.class_path"]
            words.append(f"--{owner}={json.dumps({'class_path': path, 'init_args': {name: None}})}")
        else:
            words.append(f"--{known[key]}={value}")
    return words


def _parted(text: str) -> list[str]:
    """Cut at the commas that stand outside of brackets and quotes."""
    parts, depth, quote = [""], 0, ""
    for letter in text:
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter
        depth += (letter in "[{(") - (letter in ")}]") if not quote else 0
        if letter == "," and not depth and not quote:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts]


def _tail(key: str) -> str:
    """Leave out ``model``, which most keys begin with."""
    return key.removeprefix("model.")


def _label(value: str) -> str:
    """Name a value so that it can stand in a folder's name: a class by its own name."""
    if re.fullmatch(r"[A-Za-z_][\w.]*", value):
        return value.rpartition(".")[2]
    if re.fullmatch(r"[\w.+-]+", value):
        return value
    plain = re.sub(r"[^\w.+-]+", "_", value).strip("_")[:24]
    return f"{plain}-{hashlib.sha256(value.encode()).hexdigest()[:6]}"
