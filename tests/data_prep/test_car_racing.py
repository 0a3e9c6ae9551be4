"""Collecting CarRacing: what is written, by how many and however often killed."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from data_prep.car_racing import WALKS, Player, episode_seed, main, make_policy, prepare
from data_prep.episodes import Episodes
from seqmdn.data import Store
from seqmdn.environments import make_car_racing, rollout

pytest.importorskip("gymnasium")
EPISODES, STEPS = 3, 20


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store, played in this process and written by nobody else."""
    out = tmp_path_factory.mktemp("alone") / "car_racing.h5"
    settings = {
        "environment": "CarRacing-v3",
        "gymnasium": __import__("gymnasium").__version__,
        "seed": 4,
        "steps": STEPS,
        "policy": "random",
    }
    command = f"python -m data_prep.car_racing --episodes {EPISODES} --steps {STEPS} --seed 4"
    with Episodes(out, EPISODES, settings, f"{command} --policy random") as kept:
        work = Player(kept.folder, "random", settings).make()
        for number in reversed(kept.missing):
            told: list[int] = []
            work(number, told.append)
            assert sum(told) == STEPS + 1
            kept.add(number)
        kept.join()
    return out


def words(out: Path, *more: object) -> list[str]:
    options = {"episodes": EPISODES, "steps": STEPS, "seed": 4, "out": out}
    return [*(str(w) for key in options for w in (f"--{key}", options[key])), *map(str, more)]


def test_frames_and_what_led_to_them(alone: Path) -> None:
    with Store(alone) as store:
        assert store.features == 64 * 64 * 3 and store.lengths.tolist() == [STEPS + 1] * 3
        assert store.names[:4] == ["red 0 0", "green 0 0", "blue 0 0", "red 0 1"]
        assert store.context_names == [
            "previous steer",
            "previous gas",
            "previous brake",
            "reward",
            "end",
        ]
        assert store.splits.tolist() == [0, 1, 2] and store.unit == "pixel level"
        expected = {"kind": "frames", "sequence": "episode", "height": 64, "width": 64}
        expected |= {"channels": 3, "levels": 256, "seed": 4, "steps": STEPS, "policy": "random"}
        assert {key: store.attributes[key] for key in expected} == expected
        for number in range(EPISODES):
            values, context = store.read(number)
            environment = make_car_racing(STEPS)
            seed = episode_seed(4, number)
            frames, actions, rewards, ends = rollout(environment, make_policy("random"), seed)
            environment.close()
            np.testing.assert_array_equal(values.reshape(-1, 64, 64, 3), frames)
            expected_context = np.column_stack([actions, rewards, ends])
            np.testing.assert_array_equal(context, expected_context.astype(np.float32))
    assert str(alone.parent).encode() not in alone.read_bytes()


def test_a_store_says_which_actions_were_taken(tmp_path: Path, alone: Path) -> None:
    prepare(tmp_path / "gentle.h5", episodes=1, steps=3, workers=1, policy="gentle")
    for path, name in ((tmp_path / "gentle.h5", "gentle"), (alone, "random")):
        with Store(path) as store:
            found = [store.attributes[key] for key in ("action_low", "action_high")]
        np.testing.assert_allclose(found, WALKS[name])


@pytest.mark.long
def test_a_gentle_driver_does_little_and_sees_the_road_for_longer() -> None:
    found = {}
    for name in ("random", "gentle"):
        environment = make_car_racing(150)
        played = [rollout(environment, make_policy(name), seed, 150) for seed in range(4)]
        environment.close()
        found[name] = sum(float(each.rewards.sum()) for each in played)
        actions = np.abs(np.concatenate([each.actions for each in played]))
        assert (actions.max(0) <= np.float32(WALKS[name][1])).all() and (actions.max(0) > 0).all()
    assert found["gentle"] > found["random"] and WALKS["gentle"][1][1] < 0.1


def test_episodes_have_seeds_of_their_own() -> None:
    seeds = {episode_seed(seed, number) for seed in range(50) for number in range(50)}
    assert len(seeds) == 2500 and max(seeds) < 2**63


@pytest.mark.skipif(sys.platform != "linux", reason="finds the workers in /proc")
def test_a_killed_collection_goes_on(
    alone: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "car_racing.h5"
    folder = tmp_path / "car_racing.h5.episodes"
    command = [sys.executable, "-m", "data_prep.car_racing", *words(out, "--workers", 2)]
    with subprocess.Popen(command, cwd=Path(__file__).parents[2]) as process:
        until = time.monotonic() + 120
        while not out.exists():
            assert process.poll() is None and time.monotonic() < until
            time.sleep(0.01)
        process.kill()
    # It had a name: it is whole, and of those that were under way nothing shows.
    with Store(out) as store:
        there = len(store)
        assert all(store.read(index)[0].max() > 0 for index in range(there))
    assert 1 <= there <= len(list(folder.glob("0*.h5")))
    main(words(out, "--workers", 1))
    said = capsys.readouterr().out
    played = re.match(r"played (\d) episodes", said)
    assert (int(played[1]) if played else 0) <= EPISODES - there
    assert "1/1/1 sequences" in said
    assert out.read_bytes() == alone.read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == [out.name]


def test_an_interrupt_says_how_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "car_racing.h5"

    def interrupted(make: object, missing: list[int], workers: int) -> object:
        player = Player(tmp_path / "car_racing.h5.episodes", "random", make.__self__.settings)
        player.make()(1, lambda count: None)
        yield None
        from data_prep.crew import Progress

        yield Progress(1, STEPS + 1, True)
        os.kill(os.getpid(), signal.SIGINT)
        yield None

    monkeypatch.setattr("data_prep.car_racing.run_crew", interrupted)
    # A shell lets what it starts in the background ignore Ctrl-C.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(SystemExit) as error:
            main(words(out))
    finally:
        signal.signal(signal.SIGINT, before)
    assert error.value.code == 130
    said = capsys.readouterr().err
    assert said.startswith(f"data_prep.car_racing: stopped with 1 of {EPISODES} episodes in ")
    assert said.endswith(": the same command goes on\n") and said.count("\n") == 1
    assert len(Store(out)) == 1


def test_a_store_that_is_there_is_left_as_it_is(
    alone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = alone.stat()
    main(words(alone))
    assert f"all {EPISODES} episodes were there" in capsys.readouterr().out
    assert alone.stat() == before


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--seed", "5"], "expected episodes of seed 5, found seed 4: .*another --out"),
        (["--steps", "9"], "expected episodes of steps 9, found steps 20"),
        (["--episodes", "2"], "expected at most 2 episodes, found 3"),
        (["--episodes", "0"], "expected 1 episode or more, found 0"),
        (["--steps", "0"], "1 step or more, found 0"),
        (["--seed", "-1"], "a seed of 0 or more, found -1"),
        (["--workers", "0", "--episodes", "4"], "1 worker or more, found 0"),
        (["--policy", "none.npz"], "a policy file at none.npz, found none"),
        (["--policy", __file__], "expected a policy file that save_agent wrote, found"),
    ],
)
def test_other_wishes_are_refused(alone: Path, more: list[str], message: str) -> None:
    before = alone.read_bytes()
    with pytest.raises(SystemExit, match=f"^data_prep.car_racing: .*{message}") as error:
        main(words(alone, *more))
    assert "\n" not in str(error.value)
    assert alone.read_bytes() == before and len(list(alone.parent.iterdir())) == 1


def test_a_missing_package_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gymnasium", None)
    with pytest.raises(ImportError, match=r"seqmdn\[world\]"):
        prepare(tmp_path / "a.h5", 1)
    assert list(tmp_path.iterdir()) == []
