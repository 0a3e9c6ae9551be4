"""Where a number comes from: its command, the code, the libraries and the device."""

import platform
import re
import shlex
import shutil
import subprocess
from importlib import metadata
from pathlib import Path

import lightning
import pytest
import torch

import seqmdn
from seqmdn.cli import main
from seqmdn.provenance import device_name, git_revision, provenance, revision_of, versions
from tests.small import metrics, write_recipe, write_store


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


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A run of the command, and what was typed."""
    folder = tmp_path_factory.mktemp("typed")
    recipe = write_recipe(folder / "recipe", write_store(folder / "walks.h5"))
    words = ["fit", "-c", str(recipe / "base.yaml"), "-c", str(recipe / "rmdn.yaml")]
    words += ["--out", str(folder / "a run")]
    main(words)
    return folder / "a run", words


def test_a_training_notes_its_command_and_its_code(trained: tuple[Path, list[str]]) -> None:
    run, words = trained
    found = metrics(run)
    assert found["command"] == shlex.join(["seqmdn", *words]) and "'" in found["command"]
    expected = provenance(torch.device("cpu"), found["command"])
    assert {key: found[key] for key in expected} == expected
    assert revision_of(run) == git_revision()


def test_scores_have_the_command_that_wrote_them(
    trained: tuple[Path, list[str]], tmp_path: Path
) -> None:
    run = Path(shutil.copytree(trained[0], tmp_path / "run"))
    main(["evaluate", str(run), "--split", "valid"])
    assert metrics(run)["command"] == f"seqmdn evaluate {run} --split valid"
    assert metrics(run)["versions"]["git"] == git_revision()


def test_versions_are_those_in_use() -> None:
    assert versions() == {
        "seqmdn": seqmdn.__version__,
        "torch": torch.__version__,
        "lightning": lightning.__version__,
        "zuko": metadata.version("zuko"),
        "python": platform.python_version(),
        "git": git_revision(),
    }


def test_a_device_is_called_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    assert re.fullmatch(r"\w.* CPU, 1 thread", device_name(torch.device("cpu")))
    torch.set_num_threads(2)
    assert device_name(torch.device("cpu")).endswith(" CPU, 2 threads")
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"Abacus {device.index}")
    assert device_name(torch.device("cuda", 1)) == "Abacus 1"
