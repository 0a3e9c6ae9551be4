"""Packages that only world models need, and what to do where one is missing."""

from __future__ import annotations

__all__ = ["import_world"]

from importlib import import_module
from types import ModuleType


def import_world(name: str) -> ModuleType:
    """Imports a package of the extra ``world``.

    Raises:
        ImportError: If it is not installed, with the command that installs it.

    Example:
        >>> import_world("gymnasium").__name__
        'gymnasium'
    """
    try:
        return import_module(name)
    except ImportError as error:
        raise ImportError(
            f"expected the package {name}, found none ({error}): pip install 'seqmdn[world]'",
            name=name,
        ) from error
