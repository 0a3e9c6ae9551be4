"""What a short key on the command line means: ``head.components`` is one of a model's values."""

import difflib
from collections.abc import Collection, Mapping

from jsonargparse import Namespace

from seqmdn.configuration import ConfigurationError

__all__ = ["resolve", "resolve_each", "settable", "short"]

_GROUPS = ("data", "model", "trainer", "training")


def short(key: str) -> str:
    """Leave out what a configuration file needs and a command line does not.

    Example:
        >>> short("model.init_args.head.init_args.components")
        'model.head.components'
        >>> short("model.init_args.head.class_path")
        'model.head'
    """
    return ".".join(part for part in key.split(".") if part not in ("init_args", "class_path"))


def settable(config: Namespace) -> dict[str, str]:
    """Return the keys that a configuration of ``seqmdn fit`` has: of each short form, the full."""
    # Iterating over a Namespace gives its top level only; keys() gives those of all levels.
    known = [key for key in config.keys() if key.split(".")[0] in _GROUPS]  # noqa: SIM118  # see above
    return {short(key): key.removesuffix(".class_path") for key in known}


def resolve(key: str, known: Collection[str]) -> str:
    """Find the one known key that is meant: itself, or the only one that ends in it.

    Args:
        key: Short or full, with or without its beginning: ``head.components``,
            ``model.init_args.head.init_args.components``.
        known: Short keys.

    Raises:
        ConfigurationError: If no key or more than one is meant; the message names the nearest.

    Example:
        >>> resolve("head.rank", ["model.head.rank", "trainer.max_steps"])
        'model.head.rank'
        >>> resolve("head.rnak", ["model.head.rank", "trainer.max_steps"])
        Traceback (most recent call last):
        ...
        seqmdn.configuration.ConfigurationError: no model has a key 'head.rnak':
        the nearest are model.head.rank
    """
    asked = short(key.removeprefix("--"))
    if asked in known:
        return asked
    found = sorted(name for name in known if name.endswith(f".{asked}"))
    if len(found) > 1:
        raise ConfigurationError(f"{key!r} may be any of {', '.join(found)}: name one of them")
    if not found:
        raise ConfigurationError(f"no model has a key {key!r}: {_nearest(asked, known)}")
    return found[0]


def resolve_each(key: str, known: Mapping[str, Collection[str]]) -> dict[str, str]:
    """Find what a key means in each of several models, in those that have it.

    It is what all models together understand by it or, where one value lies at several depths, such
    as that of the head of a network and of an ensemble's members, the only one of each model.

    Args:
        key: As of :func:`resolve`.
        known: Of each model, its short keys.

    Raises:
        ConfigurationError: If no model has it, or one has several.

    Example:
        >>> known = {"mdn": ["model.head.rank"], "five": ["model.model.head.rank"], "one": []}
        >>> resolve_each("head.rank", known)
        {'mdn': 'model.head.rank', 'five': 'model.model.head.rank'}
    """
    union = set().union(*known.values())
    asked = short(key.removeprefix("--"))
    meant = {
        model: [name for name in its if name.endswith(f".{asked}")] for model, its in known.items()
    }
    found = {name for names in meant.values() for name in names}
    one = len({name.replace("model.", "") for name in found}) == 1
    if one and asked not in union and all(len(names) < 2 for names in meant.values()):
        return {model: names[0] for model, names in meant.items() if names}
    name = resolve(key, union)
    return {model: name for model, its in known.items() if name in its}


def _nearest(asked: str, known: Collection[str]) -> str:
    """Name up to three known keys, each compared as far as the asked one reaches."""
    depth = asked.count(".") + 1
    ends: dict[str, str] = {}
    for name in sorted(known):
        ends.setdefault(".".join(name.split(".")[-depth:]), name)
    close = difflib.get_close_matches(asked, ends, n=3, cutoff=0.5)
    if not close:
        return "`seqmdn fit --help` and a run's config.yaml list those that there are"
    return f"the nearest are {', '.join(ends[end] for end in close)}"
