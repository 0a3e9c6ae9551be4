"""Files are there whole or not at all."""

import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from seqmdn.files import remove_partial, save_json, save_text, written_whole


def test_the_name_changes_hands_when_the_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "a" / "note.png"
    path.parent.mkdir()
    path.write_text("old")
    with written_whole(path) as partial:
        partial.write_text("new")
        assert path.read_text() == "old"
        # Some writers choose the format by the ending; a rename across disks is not atomic.
        assert partial.suffix == ".png" and partial.parent == path.parent
        assert partial.name.startswith(".")
    assert path.read_text() == "new"
    assert list(tmp_path.rglob("*")) == [path.parent, path]


def test_the_bytes_are_on_the_disk_before_the_name_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "note.txt"
    done: list[str] = []
    sync, replace = os.fsync, Path.replace

    def note_sync(number: int) -> None:
        found = os.fstat(number)
        done.append("folder" if stat.S_ISDIR(found.st_mode) else f"{found.st_size} bytes")
        sync(number)

    def note_replace(partial: Path, target: Path) -> Path:
        done.append(target.name)
        return replace(partial, target)

    monkeypatch.setattr(os, "fsync", note_sync)
    monkeypatch.setattr(Path, "replace", note_replace)
    save_text(path, "whole")
    assert done == ["5 bytes", "note.txt", "folder"] and path.read_text() == "whole"


def test_others_may_read_it_as_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "plain.txt").write_text("")
    save_text(tmp_path / "note.txt", "")
    modes = [(tmp_path / name).stat().st_mode for name in ("plain.txt", "note.txt")]
    assert modes[0] == modes[1]


@pytest.mark.parametrize("error", [ValueError, OSError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("old", ["old", None])
def test_an_exception_leaves_all_as_it_was(
    tmp_path: Path, old: str | None, error: type[BaseException]
) -> None:
    path = tmp_path / "note.txt"
    if old is not None:
        path.write_text(old)
    before = list(tmp_path.iterdir())
    with pytest.raises(error), written_whole(path) as partial:
        partial.write_text("half")
        raise error
    assert list(tmp_path.iterdir()) == before
    assert old is None or path.read_text() == old


def test_a_block_that_writes_nothing_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "note.txt"
    path.write_text("old")
    with pytest.raises(FileNotFoundError), written_whole(path):
        pass
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_a_killed_process_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "note.txt"
    path.write_text("old")
    program = (
        "import os; from seqmdn.files import written_whole\n"
        f"with written_whole({str(path)!r}) as partial:\n"
        "    partial.write_text('half'); os._exit(9)"
    )
    killed = subprocess.run(
        [sys.executable, "-c", program], cwd=Path(__file__).parents[1], check=False
    )
    assert killed.returncode == 9
    assert path.read_text() == "old"


def test_two_writers_do_not_meet(tmp_path: Path) -> None:
    path = tmp_path / "note.txt"
    with written_whole(path) as first, written_whole(path) as second:
        assert first != second
        first.write_text("first")
        second.write_text("second")
    assert path.read_text() == "first"


def test_folders_are_made(tmp_path: Path) -> None:
    save_text(tmp_path / "a" / "b" / "note.txt", "10 ± 1 nats")
    assert (tmp_path / "a" / "b" / "note.txt").read_bytes() == "10 ± 1 nats".encode()


def test_a_folder_that_is_a_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("old")
    with pytest.raises(OSError, match="file"):
        save_text(tmp_path / "file" / "note.txt", "new")
    assert (tmp_path / "file").read_text() == "old"


def test_a_name_that_is_a_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="folder"):
        save_text(tmp_path / "folder", "new")
    assert [path.name for path in tmp_path.rglob("*")] == ["folder"]


def test_json_is_what_was_given(tmp_path: Path) -> None:
    content = {"nll": -1.25, "unit": "nats/frame", "seeds": [1, 2], "limit": None}
    save_json(tmp_path / "metrics.json", content)
    text = (tmp_path / "metrics.json").read_text()
    assert json.loads(text) == content and text.endswith("}\n")
    with pytest.raises(TypeError):
        save_json(tmp_path / "metrics.json", {"nll": object()})
    assert json.loads((tmp_path / "metrics.json").read_text()) == content


def test_what_the_killed_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    with written_whole(tmp_path / "note.txt") as partial:
        partial.write_text("half")
        assert list(tmp_path.iterdir()) == [partial]
        left = shutil.copy(partial, tmp_path / f".0{partial.name[1:]}")
    for name in (".hidden", "a.partial"):
        (tmp_path / name).write_text("mine")
    assert Path(left).exists()
    remove_partial(tmp_path)
    remove_partial(tmp_path / "none")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".hidden", "a.partial", "note.txt"]
