"""Which code a number was measured with."""

import subprocess
from pathlib import Path

import pytest

import seqmdn
from seqmdn.comparison import git_revision


def test_the_revision_is_that_of_the_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def git(*words: str) -> str:
        names = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
        command = ["git", "-C", str(tmp_path), *names, *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    code = tmp_path / "__init__.py"
    code.write_text("")
    monkeypatch.setattr(seqmdn, "__file__", str(code))
    assert git_revision() is None
    git("init", "-q")
    git("commit", "-q", "--allow-empty", "-m", "of another project")
    assert git_revision() is None
    git("add", ".")
    git("commit", "-q", "-m", "first")
    assert git_revision() == git("rev-parse", "HEAD")[:12]
    code.write_text("changed")
    assert git_revision() == git("rev-parse", "HEAD")[:12] + "-dirty"
