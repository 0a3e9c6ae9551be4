"""The script that stands alone: what it needs, what it shrinks, and that its store is one of ours.

The game itself is not played: its package needs Python 3.13, and is its user's own affair.
"""

import ast
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data_prep.episodes import held_out
from data_prep.super_mario import (
    ACTIONS,
    BUTTONS,
    HELD,
    STATUS,
    collect,
    main,
    play,
    shrink,
    split,
    write_store,
)
from seqmdn.data import Store

SOURCE = Path(__file__).parents[2] / "data_prep" / "super_mario.py"


class Game:
    """A console that runs: frame t is full of t, an end after some frames, a reward of 1 each."""

    def __init__(self, end: int | None = None, cut: int | None = None) -> None:
        self.end, self.cut = end, cut
        self.taken: list[int] = []
        self.closed = False

    def reset(self, seed: int) -> tuple[np.ndarray, dict]:
        self.taken = []
        return self._picture(), {}

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict]:
        self.taken.append(action)
        time = len(self.taken)
        return self._picture(), 1.0, time == self.end, time == self.cut, {}

    def close(self) -> None:
        self.closed = True

    def _picture(self) -> np.ndarray:
        return np.full((240, 256, 3), len(self.taken), np.uint8)


def test_it_names_what_it_needs_and_imports_nothing_else() -> None:
    text = SOURCE.read_text()
    block = re.match(r"# /// script\n((?:#.*\n)+?)# ///\n", text)
    assert block is not None
    header = tomllib.loads("".join(line[2:] + "\n" for line in block[1].splitlines()))
    assert header["requires-python"] == ">=3.13"
    names = {re.split(r"[<>=]", each)[0] for each in header["dependencies"]}
    assert names == {"gym-super-mario-bros", "gymnasium", "numpy", "h5py"}
    tree = ast.parse(text)
    top = _imported(node for node in tree.body)
    assert top - set(sys.stdlib_module_names) == {"h5py", "numpy"}
    everywhere = _imported(ast.walk(tree)) - set(sys.stdlib_module_names)
    assert everywhere == {"h5py", "numpy", "gymnasium", "gym_super_mario_bros", "nes_py"}


def _imported(nodes: Any) -> set[str]:
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").split(".")[0])
    return found


def test_frames_are_means_below_the_status_line() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (240, 256, 3)).astype(np.uint8)
    frame = shrink(picture)
    assert frame.shape == (64, 64, 3)
    # 13 old rows are 4 new ones, 4 old columns are one new: each group has the same mean.
    old = picture[STATUS:].astype(float).reshape(16, 13, 64, 4, 3).mean((1, 3))
    np.testing.assert_allclose(frame.reshape(16, 4, 64, 3).mean(1), old, atol=0.51)
    picture[STATUS:] = 9
    assert (shrink(picture) == 9).all()
    for wrong in (picture[:-1], picture.astype(float)):
        with pytest.raises(ValueError, match=r"shape \(240, 256, 3\) of uint8, found"):
            shrink(wrong)


def test_an_action_is_held_and_belongs_to_the_frame_that_it_led_to() -> None:
    game = Game()
    frames, context = play(game, seed=3, steps=50)
    assert frames[:, 0, 0, 0].tolist() == [HELD * t for t in range(51)]
    assert not context[0].any() and (context[1:, -2] == HELD).all() and not context[:, -1].any()
    taken = np.array(game.taken).reshape(50, HELD)
    assert (taken == taken[:, :1]).all()
    buttons = [[float(b in ACTIONS[a]) for b in BUTTONS] for a in taken[:, 0]]
    assert context[1:, :-2].tolist() == buttons
    assert len(set(taken[:, 0])) > 3 and (np.diff(taken[:, 0]) == 0).mean() > 0.5
    again = play(Game(), seed=3, steps=50)
    np.testing.assert_array_equal(again.context, context)
    assert (play(Game(), seed=4, steps=50).context != context).any()


def test_an_end_is_marked_and_a_cut_is_not() -> None:
    ended = play(Game(end=6), seed=0, steps=9).context
    assert ended[:, -1].tolist() == [0, 0, 1] and ended[:, -2].tolist() == [0, 4, 2]
    cut = play(Game(cut=6), seed=0, steps=9).context
    assert cut[:, -1].tolist() == [0, 0, 0]


def test_its_store_is_one_of_ours(tmp_path: Path) -> None:
    out = tmp_path / "a" / "super_mario.h5"
    game = Game(end=10)
    collect(out, lambda: game, episodes=4, steps=9, seed=1, attributes={"command": "play"})
    assert game.closed and [path.name for path in out.parent.iterdir()] == [out.name]
    with Store(out) as store:
        assert store.features == 64 * 64 * 3 and store.lengths.tolist() == [4] * 4
        assert store.names[:4] == ["red 0 0", "green 0 0", "blue 0 0", "red 0 1"]
        assert store.context_names == [*(f"previous {b}" for b in BUTTONS), "reward", "end"]
        assert store.splits.tolist() == split(4) == [0, 0, 1, 2]
        expected = {"kind": "frames", "sequence": "episode", "height": 64, "width": 64}
        expected |= {"channels": 3, "unit": "pixel level", "seed": 1, "steps": 9, "source": []}
        assert {key: store.attributes[key] for key in expected} == expected
        for index in range(4):
            values, context = store.read(index)
            assert values[:, 0].tolist() == [0, 4, 8, 10] and values.dtype == np.float32
            assert context is not None and context[:, -1].tolist() == [0, 0, 0, 1]


def test_what_stops_it_leaves_nothing(tmp_path: Path) -> None:
    def broken() -> Any:
        yield play(Game(), seed=0, steps=3)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_store(tmp_path / "a.h5", broken(), {})
    assert list(tmp_path.iterdir()) == []


def test_a_missing_package_says_how_to_run_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "gym_super_mario_bros", None)
    with pytest.raises(SystemExit, match="^super_mario: expected gym-super-mario-bros 9.*uv run"):
        main(["--out", str(tmp_path / "a.h5")])
    with pytest.raises(SystemExit, match="^super_mario: expected 1 episode or more.*found 0, "):
        main(["--out", str(tmp_path / "a.h5"), "--episodes", "0"])
    assert list(tmp_path.iterdir()) == []


def test_splits_are_those_of_the_other_collection() -> None:
    for count in (1, 2, 3, 9, 10, 24, 99, 100, 140, 1000):
        few = held_out(count)
        assert split(count) == [0] * (count - 2 * few) + [1] * few + [2] * few
