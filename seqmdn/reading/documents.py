"""Text and JSON from elsewhere."""

import json
import os
from pathlib import Path
from typing import Any

__all__ = ["LARGEST_DOCUMENT", "parse_json", "read_json", "read_json_value", "read_text"]

#: Bytes of a text that is read whole.
LARGEST_DOCUMENT = 2**30


def read_text(path: str | os.PathLike[str], encoding: str = "utf-8") -> str:
    """Read a text file of at most 1 GiB.

    Raises:
        OSError: If it cannot be read.
        ValueError: If it is larger, or no text in this encoding; the message names the file.
    """
    path = Path(path)
    if (size := path.stat().st_size) > LARGEST_DOCUMENT:
        raise ValueError(
            f"{path}: expected at most {LARGEST_DOCUMENT} bytes of text, found {size}: give a part"
        )
    try:
        return path.read_text(encoding=encoding)
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path}: expected text in {error.encoding.upper()}, found other bytes "
            f"({error.reason} at byte {error.start}): convert it"
        ) from error


def read_json(path: str | os.PathLike[str], kind: type = object) -> Any:
    """Read a JSON file.

    Args:
        path: The file.
        kind: What it must hold, ``dict`` or ``list``; anything by default.

    Raises:
        OSError: If it cannot be read.
        ValueError: If it is no JSON or holds something else; the message names the file.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(f"{folder}/a.json")
        ...     _ = file.write_text('{"a": [1, 2]}')
        ...     read_json(file, dict)
        {'a': [1, 2]}
    """
    content = parse_json(read_text(path, "utf-8-sig"), str(path))
    if not isinstance(content, kind):
        raise ValueError(
            f"{path}: expected a JSON {'object' if kind is dict else 'list'}, found "
            f"{str(content)[:40]!r}: give the file as it was written"
        )
    return content


def read_json_value(path: str | os.PathLike[str], *keys: str) -> Any:
    """Read one value of a JSON file, by the keys that lead to it from outside to inside.

    Raises:
        OSError: If it cannot be read.
        ValueError: As of :func:`read_json`, or if there is no such value.
    """
    found = read_json(path, dict)
    for key in keys:
        if not isinstance(found, dict) or key not in found:
            raise ValueError(
                f"{path}: expected a value of {'.'.join(keys)}, found none: give the file as it "
                "was written"
            )
        found = found[key]
    return found


def parse_json(text: str | bytes, where: str) -> Any:
    """Parse JSON, or raise ValueError whose message begins with ``where``.

    That holds, too, for numbers of thousands of digits and for lists nested so deep that Python
    gives up, neither of which Python calls an error of JSON.
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(
            f"{where}, line {error.lineno}: expected JSON, found none ({error.msg} at column "
            f"{error.colno}): mend the file"
        ) from error
    except (ValueError, RecursionError) as error:
        raise ValueError(
            f"{where}: expected JSON that Python can hold, found something else "
            f"({str(error)[:80]}): mend the file"
        ) from error
