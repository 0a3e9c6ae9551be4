"""CarRacing itself: headless, seeded, and seen through small frames."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from seqmdn.environments import Brownian, make_car_racing, rollout
from seqmdn.environments.car_racing import ACTIONS, HIGH, LOW

pytest.importorskip("gymnasium")
STEPS = 12


def play(seed: int, steps: int = STEPS) -> tuple[np.ndarray, ...]:
    environment = make_car_racing(steps)
    episode = rollout(environment, Brownian(LOW, HIGH), seed, steps + 5)
    environment.close()
    return episode


def test_an_episode_follows_from_its_seed() -> None:
    first, again, other = play(5), play(5), play(6)
    for one, two in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, two)
    assert (first[0][-1] != other[0][-1]).any() and (first[1][1] != other[1][1]).any()


def test_frames_rewards_and_cuts() -> None:
    frames, actions, rewards, ends = play(5)
    assert frames.shape == (STEPS + 1, 64, 64, 3) and actions.shape == (STEPS + 1, 3)
    assert not ends.any()
    # 0.1 a step is lost, a new tile of road is worth 1000 over their number.
    assert rewards[0] == 0 and (rewards[1:] > -0.11).all()
    assert np.isclose(rewards[1:], -0.1).any()
    # Grass is green, at last over most of the picture.
    red, green, blue = np.median(frames[-1].reshape(-1, 3), axis=0)
    assert green > 180 and red < 120 and blue < 120


def test_the_spaces_are_those_of_the_frames_and_actions() -> None:
    environment = make_car_racing()
    assert environment.observation_space.shape == (64, 64, 3)
    assert environment.action_space.low.tolist() == list(LOW)
    assert environment.action_space.high.tolist() == list(HIGH)
    assert len(ACTIONS) == 3 and environment.spec.max_episode_steps == 1000
    environment.close()


def test_an_episode_has_a_step() -> None:
    with pytest.raises(ValueError, match="1 step or more, found 0"):
        make_car_racing(0)


@pytest.mark.parametrize("package", ["gymnasium", "Box2D", "pygame"])
def test_a_missing_package_names_the_extra(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=rf"package {package}, .*seqmdn\[world\]"):
        make_car_racing()


def test_nothing_is_said_and_torch_is_not_needed() -> None:
    program = (
        "import sys\n"
        "from seqmdn.environments import make_car_racing\n"
        "make_car_racing().reset(seed=0)\n"
        "assert 'torch' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
