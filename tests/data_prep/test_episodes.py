"""A store that is collected: what it shows at any time, and what it goes on with."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from data_prep.episodes import Episodes
from seqmdn.data import Store, StoreWriter

SETTINGS = {"seed": 1, "policy": "random"}


def collect(out: Path, total: int, numbers: list[int] | None = None, join: bool = True) -> None:
    """Plays what is missing, or of it these alone; the values of an episode are its number."""
    with Episodes(out, total, SETTINGS, f"play {total}") as kept:
        for number in kept.missing if numbers is None else numbers:
            assert number in kept.missing
            write(kept.path(number), number)
            kept.add(number)
        if join and numbers is None:
            kept.join()
        else:
            kept.link()


def write(path: Path, number: int) -> None:
    with StoreWriter(path, ["x"], "walks", "m", ["c"], attributes=SETTINGS) as writer:
        values = np.full((number + 2, 1), number)
        writer.append(values, "train", context=values)


def shown(out: Path) -> tuple[list[int], list[int]]:
    """The episodes of a store, and their splits."""
    with Store(out) as store:
        numbers = [int(store.read(index)[0][0, 0]) for index in range(len(store))]
        assert store.lengths.tolist() == [number + 2 for number in numbers]
        return numbers, store.splits.tolist()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_all_at_once(tmp_path: Path) -> None:
    collect(tmp_path / "a.h5", 4)
    assert shown(tmp_path / "a.h5") == ([0, 1, 2, 3], [0, 0, 1, 2])
    assert names(tmp_path) == ["a.h5"]
    assert Store(tmp_path / "a.h5").attributes["command"] == "play 4"


def test_the_last_are_for_the_test(tmp_path: Path) -> None:
    for count, few in ((45, 5), (11, 2), (3, 1)):
        collect(tmp_path / f"{count}.h5", count)
        expected = [0] * (count - 2 * few) + [1] * few + [2] * few
        assert shown(tmp_path / f"{count}.h5")[1] == expected
    for few in (1, 2):
        collect(tmp_path / f"{few}.h5", few)
        assert shown(tmp_path / f"{few}.h5")[1] == [0] * few


def test_what_is_there_is_shown_and_gone_on_with(tmp_path: Path) -> None:
    out = tmp_path / "a.h5"
    collect(out, 6, [0, 4, 2])
    assert shown(out) == ([0, 2, 4], [0, 1, 2])
    assert names(tmp_path) == ["a.h5", "a.h5.episodes"]
    collect(out, 6, [1])
    assert shown(out)[0] == [0, 1, 2, 4]
    collect(out, 6)
    collect(tmp_path / "b.h5", 6)
    assert out.read_bytes() == (tmp_path / "b.h5").read_bytes()
    assert names(tmp_path) == ["a.h5", "b.h5"]


def test_more_are_added_to_a_store(tmp_path: Path) -> None:
    out = tmp_path / "a.h5"
    collect(out, 3)
    collect(out, 6, [4])
    assert shown(out)[0] == [0, 1, 2, 4]
    collect(out, 7)
    collect(tmp_path / "b.h5", 7)
    assert shown(out) == (list(range(7)), [0] * 5 + [1, 2])
    assert out.read_bytes() == (tmp_path / "b.h5").read_bytes()


def test_nothing_is_done_twice(tmp_path: Path) -> None:
    out = tmp_path / "a.h5"
    collect(out, 3)
    before = out.stat()
    with Episodes(out, 3, SETTINGS, "again") as kept:
        assert kept.missing == []
        kept.link()
        kept.join()
    assert out.stat() == before and names(tmp_path) == ["a.h5"]


def test_killed_before_it_was_renewed(tmp_path: Path) -> None:
    """An episode has its name, and the store does not show it yet."""
    out = tmp_path / "a.h5"
    collect(out, 4, [0, 1])
    folder = tmp_path / "a.h5.episodes"
    write(folder / "000003.h5", 3)
    (folder / ".000002.h5.0123.partial").write_bytes(b"half")
    with Episodes(out, 4, SETTINGS, "play 4") as kept:
        assert kept.missing == [2]
        assert not list(folder.glob(".*"))
        kept.link()
    assert shown(out)[0] == [0, 1, 3]


def test_killed_between_the_copy_and_the_removal(tmp_path: Path) -> None:
    out = tmp_path / "a.h5"
    collect(out, 3, [0, 1, 2])
    whole = shutil.copytree(tmp_path / "a.h5.episodes", tmp_path / "copy")
    with Episodes(out, 3, SETTINGS, "play 3") as kept:
        kept.join()
    whole.rename(tmp_path / "a.h5.episodes")
    left = tmp_path / ".a.h5.episodes.0123.done"
    left.mkdir()
    before = out.read_bytes()
    collect(out, 3)
    assert out.read_bytes() == before and names(tmp_path) == ["a.h5"]


def test_killed_before_the_first_episode(tmp_path: Path) -> None:
    out = tmp_path / "a.h5"
    with Episodes(out, 3, SETTINGS, "play 3") as kept:
        kept.link()
    assert not out.exists()
    collect(out, 3)
    assert shown(out)[0] == [0, 1, 2]


@pytest.mark.parametrize("finished", [True, False])
def test_episodes_of_other_settings_are_refused(tmp_path: Path, finished: bool) -> None:
    out = tmp_path / "a.h5"
    collect(out, 3, None if finished else [1])
    before = out.read_bytes()
    message = "expected episodes of seed 2, found seed 1: collect with these, .* or remove it"
    with (
        pytest.raises(ValueError, match=message) as error,
        Episodes(out, 5, {**SETTINGS, "seed": 2}, "play"),
    ):
        pass
    assert "\n" not in str(error.value) and out.read_bytes() == before


@pytest.mark.parametrize("finished", [True, False])
def test_fewer_than_there_are_is_refused(tmp_path: Path, finished: bool) -> None:
    collect(tmp_path / "a.h5", 5, None if finished else [1, 4])
    with (
        pytest.raises(ValueError, match="expected at most 3 episodes, found 5: ask for 5 or more"),
        Episodes(tmp_path / "a.h5", 3, SETTINGS, "play"),
    ):
        pass
    with pytest.raises(ValueError, match="expected 1 episode or more, found 0"):
        Episodes(tmp_path / "a.h5", 0, SETTINGS, "play")


def test_one_collects_at_a_time(tmp_path: Path) -> None:
    with (
        Episodes(tmp_path / "a.h5", 3, SETTINGS, "play"),
        pytest.raises(ValueError, match="expected nobody else to collect episodes there"),
        Episodes(tmp_path / "a.h5", 3, SETTINGS, "play"),
    ):
        pass
    with Episodes(tmp_path / "a.h5", 3, SETTINGS, "play"):
        pass


def test_a_foreign_file_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "a.h5").write_bytes(b"mine")
    with pytest.raises(ValueError, match="expected a seqmdn store"):
        collect(tmp_path / "a.h5", 3)
    assert (tmp_path / "a.h5").read_bytes() == b"mine" and names(tmp_path) == ["a.h5"]


def test_a_damaged_episode_says_what_to_do(tmp_path: Path) -> None:
    collect(tmp_path / "a.h5", 3, [0])
    path = tmp_path / "a.h5.episodes" / "000000.h5"
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(ValueError, match="000000.h5: expected a whole store.*remove it, and"):
        collect(tmp_path / "a.h5", 3)
    path.unlink()
    collect(tmp_path / "a.h5", 3)
    assert shown(tmp_path / "a.h5")[0] == [0, 1, 2]


def test_the_folder_says_what_it_is_of(tmp_path: Path) -> None:
    collect(tmp_path / "a.h5", 3, [0])
    settings = tmp_path / "a.h5.episodes" / "collection.json"
    assert json.loads(settings.read_text()) == SETTINGS
