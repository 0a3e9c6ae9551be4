"""Which code a number was measured with."""

import subprocess
from pathlib import Path

import seqmdn

__all__ = ["git_revision"]


def git_revision() -> str | None:
    """Name the revision of the code, ``-dirty`` where it was changed since, if it is a clone."""
    folder = Path(seqmdn.__file__).parent

    def git(*words: str) -> str:
        command = ["git", "-C", str(folder), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        git("ls-files", "--error-unmatch", "__init__.py")  # an installed one may lie in any clone
        return git("describe", "--always", "--dirty", "--abbrev=12")
    except (OSError, subprocess.CalledProcessError):
        return None
