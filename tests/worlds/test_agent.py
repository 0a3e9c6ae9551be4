"""An agent: what it does, episode after episode, and the file that brings it back."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from seqmdn.worlds import Agent, LinearController, load_agent, save_agent
from tests.worlds.conftest import Runs
from tests.worlds.small import random_frames, small_world

SQUASH = ("tanh", "tanh", "clip")


def test_an_episode_begins_without_memory_of_the_one_before() -> None:
    world = small_world()
    rng = np.random.default_rng(0)
    agent = Agent(world, LinearController(world.observation), rng.normal(size=3 * 45))
    acted = []
    for _ in range(2):
        agent.begin(seed=3)
        acted.append([agent(frame, 1.0) for frame in random_frames(4)])
    np.testing.assert_array_equal(*acted)
    agent.begin(seed=4)
    assert (agent(random_frames(1)[0]) != acted[0][0]).any(), "what eyes see is drawn"


def test_what_was_rewarded_is_remembered() -> None:
    world = small_world()
    parameters = np.random.default_rng(0).normal(size=3 * 45)
    agent = Agent(world, LinearController(world.observation), parameters)
    acted = []
    for reward in (0.0, 5.0):
        agent.begin(seed=3)
        acted.append([agent(frame, reward) for frame in random_frames(2)])
    np.testing.assert_array_equal(acted[0][0], acted[1][0])
    assert (acted[0][1] != acted[1][1]).any()


def test_its_file_brings_it_back(runs: Runs, tmp_path: Path) -> None:
    parameters = np.random.default_rng(0).normal(size=3 * 12)
    save_agent(tmp_path / "a/agent.json", runs.memory, runs.eyes, SQUASH, parameters)
    agent = load_agent(tmp_path / "a/agent.json")
    np.testing.assert_array_equal(agent.parameters, parameters)
    assert agent.controller.squash == SQUASH
    world = agent.belief.world
    np.testing.assert_array_equal(agent.controller.low, world.low)
    np.testing.assert_array_equal(agent.controller.high, world.high)
    agent.begin(0)
    first = agent(random_frames(1)[0])
    other = Agent(world, LinearController(11, world.low, world.high, SQUASH), parameters)
    other.begin(0)
    np.testing.assert_array_equal(first, other(random_frames(1)[0]))
    changed = load_agent(tmp_path / "a/agent.json", parameters + 1)
    np.testing.assert_array_equal(changed.parameters, parameters + 1)


def test_it_moves_with_its_runs(runs: Runs, tmp_path: Path) -> None:
    for name in ("memory", "eyes"):
        shutil.copytree(getattr(runs, name), tmp_path / f"here/{name}")
    save_agent(
        tmp_path / "here/agent.json",
        tmp_path / "here/memory",
        tmp_path / "here/eyes",
        SQUASH,
        np.zeros(36),
    )
    (tmp_path / "here").rename(tmp_path / "there")
    assert load_agent(tmp_path / "there/agent.json").parameters.shape == (36,)


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", '{"format": 1, "memory": 3, "eyes": 4, "squash": [], "parameters": []}'],
)
def test_what_is_no_policy_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "agent.json"
    path.write_text(content)
    with pytest.raises(ValueError, match="expected a policy file that save_agent wrote"):
        load_agent(path)


def test_damaged_files_are_refused(runs: Runs, tmp_path: Path) -> None:
    path = tmp_path / "agent.json"
    save_agent(path, runs.memory, runs.eyes, SQUASH, np.zeros(36))
    whole = json.loads(path.read_text())
    for key, value, message in (
        ("parameters", [0.0] * 35, r"found \(11, 3, \(35,\)\)"),
        ("parameters", [float("nan")] * 36, "finite parameters"),
        ("squash", ["tanh", "clip"], "expected bounds of 2 actions"),
        ("squash", ["tanh", "clip", "exec"], "a squash for each action"),
        ("format", 2, "expected a policy of format 1, found 2"),
        ("eyes", "nowhere", "there is no checkpoint"),
    ):
        path.write_text(json.dumps(whole | {key: value}))
        with pytest.raises((ValueError, FileNotFoundError), match=message):
            load_agent(path)
