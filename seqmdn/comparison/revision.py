"""Which code a number was measured with."""

import subprocess
from pathlib import Path

import seqmdn
from seqmdn.files import save_text

__all__ = ["git_revision", "note_revision", "revision_of"]


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


def note_revision(run: Path) -> None:
    """Write into a run's folder which code trains it, so that it is known when it is used again."""
    revision = git_revision()
    if revision is not None:
        save_text(run / "revision.txt", f"{revision}\n")


def revision_of(run: Path) -> str | None:
    """Return the revision that a run was trained with, None where nobody has noted it."""
    path = run / "revision.txt"
    return path.read_text().strip() if path.exists() else None
