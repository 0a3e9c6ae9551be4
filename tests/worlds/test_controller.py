"""The linear controller: against a loop, in any batch, within an action's bounds."""

import math

import numpy as np
import pytest

from seqmdn.worlds.controller import LinearController


def test_against_a_loop() -> None:
    rng = np.random.default_rng(0)
    controller = LinearController(5)
    parameters, observation = rng.normal(size=18), rng.normal(size=5).astype(np.float32)
    raw = [
        sum(parameters[5 * action + place] * observation[place] for place in range(5))
        + parameters[15 + action]
        for action in range(3)
    ]
    expected = [
        math.tanh(raw[0]),
        (math.tanh(raw[1]) + 1) / 2,
        max(0.0, math.tanh(raw[2])),
    ]
    np.testing.assert_allclose(controller(parameters, observation), expected, rtol=1e-5)


def test_every_controller_acts_on_its_own_dreams() -> None:
    rng = np.random.default_rng(1)
    controller = LinearController(4, low=(-2, 0), high=(1, 3), squash=("tanh", "clip"))
    parameters = rng.normal(size=(3, 1, controller.size))
    observations = rng.normal(size=(3, 6, 4)).astype(np.float32)
    actions = controller(parameters, observations)
    assert actions.shape == (3, 6, 2) and actions.dtype == np.float32
    for member in range(3):
        for dream in range(6):
            alone = controller(parameters[member, 0], observations[member, dream])
            np.testing.assert_allclose(actions[member, dream], alone, rtol=1e-5, atol=1e-7)


def test_actions_lie_within_the_bounds() -> None:
    rng = np.random.default_rng(2)
    for low, high in (((-1, 0, 0), (1, 1, 1)), ((-0.3, 0.0, 0.01), (0.3, 0.05, 0.02))):
        controller = LinearController(3, low, high)
        actions = controller(50 * rng.normal(size=(200, controller.size)), np.ones(3, np.float32))
        lower, upper = np.float32(low), np.float32(high)
        assert (actions >= lower).all() and (actions <= upper).all()
        np.testing.assert_allclose(actions.min(0), lower, rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(actions.max(0), upper, rtol=1e-3, atol=1e-4)
        assert (actions[:, 2] == lower[2]).any(), "a brake rests"


@pytest.mark.parametrize(("inputs", "squash"), [(0, ("tanh",)), (3, ()), (3, ("tanh", "sigmoid"))])
def test_what_makes_no_controller_is_refused(inputs: int, squash: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="expected 1 input or more and a squash"):
        LinearController(inputs, squash=squash)


@pytest.mark.parametrize(("low", "high"), [((0, 0), (1, 1)), ((0, 1, 0), (1, 1, 1)), (0, 1)])
def test_bounds_that_are_none_are_refused(low: object, high: object) -> None:
    with pytest.raises(ValueError, match="expected bounds of 3 actions, low below high"):
        LinearController(5, low, high)


@pytest.mark.parametrize(("parameters", "observation"), [(17, 5), (18, 4)])
def test_what_does_not_fit_is_refused(parameters: int, observation: int) -> None:
    with pytest.raises(ValueError, match=r"expected parameters \(..., 18\)"):
        LinearController(5)(np.zeros(parameters), np.zeros(observation, np.float32))
