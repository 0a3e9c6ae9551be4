"""Where a number comes from: its command, the code, the libraries and the device."""

import platform
import re
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

import lightning
import torch

import seqmdn
from seqmdn.files import save_text

__all__ = [
    "device_name",
    "git_revision",
    "note_revision",
    "provenance",
    "revision_of",
    "versions",
]


def provenance(device: torch.device, command: str | None) -> dict[str, Any]:
    """Return what every file of results says of where its numbers come from.

    Args:
        device: What computed them.
        command: What was typed to get them; None where no command was.

    Returns:
        ``device``, ``versions`` and ``command``.
    """
    return {"device": device_name(device), "versions": versions(), "command": command}


def versions() -> dict[str, str | None]:
    """Return the versions that a number depends on, the code's revision under ``git``."""
    return {
        "seqmdn": seqmdn.__version__,
        "torch": torch.__version__,
        "lightning": lightning.__version__,
        "zuko": metadata.version("zuko"),
        "python": platform.python_version(),
        "git": git_revision(),
    }


def device_name(device: torch.device) -> str:
    """Return what a person calls the device."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    name = platform.processor() or platform.machine()
    if (cpus := Path("/proc/cpuinfo")).exists():  # where Linux keeps what Python does not know
        found = re.search(r"^model name\s*:\s*(.+)$", cpus.read_text(), flags=re.MULTILINE)
        name = found[1].strip() if found else name
    threads = torch.get_num_threads()
    return f"{name} CPU, {threads} thread{'s' if threads > 1 else ''}"


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
