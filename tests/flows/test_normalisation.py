"""Activation normalisation: what it takes from data, when, and what is refused."""

import pytest
import torch

from seqmdn.flows import ActivationNorm, AffineCoupling, Sequential
from tests.contracts import perturbed

FRAMES = torch.randn(500, 3) * torch.tensor([0.1, 1.0, 50.0]) + torch.tensor([3.0, 0.0, -900.0])


def assert_normalised(z: torch.Tensor) -> None:
    torch.testing.assert_close(z.mean(0), torch.zeros(3), atol=1e-4, rtol=0)
    torch.testing.assert_close(z.std(0, correction=0), torch.ones(3), atol=1e-4, rtol=0)


@pytest.mark.parametrize("context", [0, 2])
def test_the_first_batch_in_training_sets_it_and_no_other(context: int) -> None:
    flow = ActivationNorm(3, context)
    h = torch.randn(500, context) if context else None
    transform = flow(h)
    z, ladj = transform.call_and_ladj(FRAMES)
    assert_normalised(z)
    torch.testing.assert_close(ladj, -FRAMES.std(0, correction=0).log().sum().expand(500))
    torch.testing.assert_close(transform.inv(z), FRAMES, rtol=1e-5, atol=1e-5)
    before = {name: tensor.clone() for name, tensor in flow.state_dict().items()}
    transform.call_and_ladj(FRAMES * 9)
    flow(h)(FRAMES + 1)
    assert all(torch.equal(before[name], tensor) for name, tensor in flow.state_dict().items())
    (0.5 * z.square().sum() - ladj.sum()).backward()
    assert all(p.grad.isfinite().all() for p in flow.parameters())


def test_evaluation_and_draws_never_set_it() -> None:
    flow = ActivationNorm(3)
    flow().inv(FRAMES)
    assert not flow.initialised
    z, ladj = flow.eval()().call_and_ladj(FRAMES)
    assert torch.equal(z, FRAMES) and not ladj.any() and not flow.initialised
    flow.train()()(FRAMES)
    assert flow.initialised


def test_a_checkpoint_says_that_it_is_set() -> None:
    flow = ActivationNorm(3)
    flow()(FRAMES)
    perturbed(flow)
    fresh = ActivationNorm(3)
    fresh.load_state_dict(flow.state_dict())
    other = FRAMES * 7 + 1
    assert torch.equal(fresh()(other), flow()(other)), "a run that goes on must not set it again"


def test_a_chain_is_set_part_by_part() -> None:
    flow = Sequential(3, 2, [ActivationNorm, AffineCoupling, ActivationNorm])
    perturbed(flow.transforms[1], 0.2)
    flow.initialise(FRAMES, torch.zeros(500, 2))
    first, coupling, last = flow.transforms
    h = torch.zeros(500, 2)
    assert_normalised(first(h)(FRAMES))
    assert (coupling(h)(first(h)(FRAMES)).mean(0).abs() > 1e-3).any()
    assert_normalised(flow(h)(FRAMES))
    # Asked again, it takes the other frames.
    flow.initialise(FRAMES * 3 - 8, torch.zeros(500, 2))
    assert_normalised(flow(h)(FRAMES * 3 - 8))


def test_a_constant_feature_keeps_its_scale() -> None:
    flow = ActivationNorm(2)
    frames = torch.stack((torch.full((30,), 0.1), torch.randn(30)), dim=1)
    z, ladj = flow().call_and_ladj(frames)
    torch.testing.assert_close(z[:, 0], torch.zeros(30), atol=1e-7, rtol=0)
    torch.testing.assert_close(ladj, -frames[:, 1].std(correction=0).log().expand(30))


@pytest.mark.parametrize("lead", [(1,), (), (0,)])
def test_a_batch_of_one_frame_is_refused(lead: tuple[int, ...]) -> None:
    flow = ActivationNorm(3)
    with pytest.raises(ValueError, match="at least 2 frames of 3 features .*found shape"):
        flow()(torch.randn(*lead, 3))
    assert not flow.initialised and not flow.loc.any()
    flow.eval()()(torch.randn(*lead, 3))


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_frames_that_are_not_finite_are_refused(bad: float) -> None:
    flow = ActivationNorm(3)
    frames = FRAMES.clone()
    frames[7, 1] = bad
    with pytest.raises(ValueError, match="set from finite frames, found NaN or infinity"):
        flow.initialise(frames)
    assert not flow.initialised and not flow.loc.any()


def test_other_features_are_refused() -> None:
    with pytest.raises(ValueError, match="2 frames of 3 features"):
        ActivationNorm(3).initialise(torch.randn(10, 2))
