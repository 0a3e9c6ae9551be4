"""The world model: one density of latents, reward and end, each part of which is known."""

import math
from collections.abc import Callable
from functools import partial
from itertools import product

import pytest
import torch
from torch import Tensor, nn

from seqmdn.backbones import LSTMBackbone
from seqmdn.data import Batch, Logit, Partial, Standardise, Transform
from seqmdn.distributions import Flowed
from seqmdn.generation import generate
from seqmdn.heads import AutoregressiveHead, FlowMixtureHead, MixtureHead
from seqmdn.metrics import crps
from seqmdn.models import SequenceModel, WorldModel
from seqmdn.scoring import score_densities
from tests.contracts import assert_state_is_complete, perturbed

L, X = 3, 2
HEADS: dict[str, Callable[[int, int], nn.Module]] = {
    "factorised": partial(MixtureHead, components=2, factorised=True),
    "joint": partial(MixtureHead, components=3),
    "lowrank": partial(MixtureHead, components=3, covariance="lowrank", rank=1),
    "flow": partial(FlowMixtureHead, components=2, conditional=True),
    "autoregressive": partial(AutoregressiveHead, components=2),
}


def frames(*shape: int, seed: int = 0) -> Tensor:
    """Latents between 4 and 16, rewards of another scale, ends now and then."""
    generator = torch.Generator().manual_seed(seed)
    z = 4 + 12 * torch.rand(*shape, L, generator=generator)
    reward = 50 + 20 * torch.randn(*shape, 1, generator=generator)
    end = (torch.rand(*shape, 1, generator=generator) < 0.2).float()
    return torch.cat((z, reward, end), dim=-1).double()


def build(
    head: str = "lowrank", transform: Callable[[int], Transform] = Standardise, **options: int
) -> WorldModel:
    torch.manual_seed(0)
    model = WorldModel(
        L + 2,
        X,
        latents=L,
        backbone=partial(LSTMBackbone, hidden=8),
        head=HEADS[head],
        transform=transform,
        **options,
    ).double()
    model.initialise(frames(300, seed=9))
    perturbed(model.backbone, 0.3)
    perturbed(model.head, 0.2)
    with torch.no_grad():
        model.start.add_(0.3)
    return model


def batch_of(size: int = 4, time: int = 6) -> Batch:
    lengths = torch.arange(time, time - size, -1)
    context = torch.randn(size, time, X).double()
    return Batch(frames(size, time, seed=1), lengths, context, torch.tensor([0, 2, 1, 0])[:size])


@pytest.mark.parametrize("transform", [Standardise, partial(Logit, low=0.0, high=20.0)])
@pytest.mark.parametrize("head", HEADS)
def test_the_density_is_that_of_its_parts(head: str, transform: Callable[[int], Transform]) -> None:
    model, batch = build(head, transform), batch_of()
    parts = model.part_log_prob(batch)
    assert list(parts) == ["latents", "reward", "end"] == list(model.parts())
    whole = model.frame_log_prob(batch)
    torch.testing.assert_close(sum(parts.values()), whole, rtol=1e-9, atol=1e-9)
    # Each of them by itself, step by step, in the data's units.
    z, state, previous = model.transform(batch.values), None, None
    reward = Standardise(1).double()
    reward.mean, reward.std = model.transform.rest.first.mean, model.transform.rest.first.std
    for t in range(6):
        h, state = model.advance(previous, batch.context[:, t], state, batch_size=4)
        of_latents, of_reward = model.head.continuous.parts
        probability = model.head.bits(h).sigmoid().squeeze(1)
        expected = {
            "latents": Flowed(of_latents(h), model.transform.first).log_prob(
                batch.values[:, t, :L]
            ),
            "reward": Flowed(of_reward(h), reward).log_prob(batch.values[:, t, L : L + 1]),
            "end": torch.where(batch.values[:, t, -1] > 0, probability, 1 - probability).log(),
        }
        for name, found in parts.items():
            values = expected[name].where(batch.mask()[:, t], 0)
            torch.testing.assert_close(found[:, t], values, rtol=1e-8, atol=1e-8)
            torch.testing.assert_close(model.parts()[name](batch), found)
        previous = z[:, t]


@pytest.mark.parametrize("head", ["lowrank", "flow"])
def test_latents_alone_are_a_sequence_model_bit_for_bit(head: str) -> None:
    backbone = partial(LSTMBackbone, hidden=8)
    torch.manual_seed(0)
    world = WorldModel(L, X, latents=L, backbone=backbone, head=HEADS[head])
    torch.manual_seed(0)
    plain = SequenceModel(L, X, backbone=backbone, head=HEADS[head])
    assert list(world.state_dict()) == list(plain.state_dict())
    batch = batch_of()
    batch = batch._replace(values=batch.values[..., :L].float(), context=batch.context.float())
    for model in (world, plain):
        model.initialise(frames(300, seed=9)[:, :L].float())
    found = world.part_log_prob(batch)
    assert torch.equal(found["latents"], plain.frame_log_prob(batch)) and len(found) == 1
    assert not world.rewarded and world.parts() == {} and world.reward(batch.values) is None
    assert torch.equal(world.latents(batch.values), batch.values)
    drawn = generate(world, 3, 5, context=torch.zeros(3, 5, X)).values
    assert torch.equal(drawn, generate(plain, 3, 5, context=torch.zeros(3, 5, X)).values)


def test_it_integrates_and_sums_to_one() -> None:
    torch.manual_seed(0)
    model = WorldModel(
        3, latents=1, backbone=partial(LSTMBackbone, hidden=4), head=HEADS["joint"]
    ).double()
    model.initialise(torch.cat((5 + torch.randn(200, 2), torch.zeros(200, 1)), dim=1).double())
    perturbed(model, 0.2)
    axis = torch.linspace(-20, 30, 301, dtype=torch.float64)
    grid, total = torch.cartesian_prod(axis, axis).unsqueeze(1), 0.0
    for end in (0.0, 1.0):
        values = torch.cat((grid, grid.new_full((len(grid), 1, 1), end)), dim=-1)
        with torch.no_grad():
            density = model.log_prob(Batch(values, torch.ones(len(grid), dtype=torch.int64)))
        total += float(density.exp().sum()) * float(axis[1] - axis[0]) ** 2
    assert total == pytest.approx(1, abs=1e-3)


def test_the_reward_is_standardised_and_the_bit_is_not() -> None:
    model, values = build(), frames(300, seed=9)
    z = model.transform(values)
    torch.testing.assert_close(
        z[:, : L + 1].mean(0), torch.zeros(L + 1).double(), atol=1e-5, rtol=0
    )
    torch.testing.assert_close(
        z[:, : L + 1].std(0, correction=0), torch.ones(L + 1).double(), atol=1e-5, rtol=0
    )
    assert torch.equal(z[:, -1], values[:, -1]) and isinstance(model.transform, Partial)


def test_gradients_reach_every_parameter_and_a_state_is_complete() -> None:
    for truncate in (None, 2):
        model = build("flow", truncate=truncate)
        assert_state_is_complete(model)
        model.loss(batch_of()).backward()
        for name, parameter in model.named_parameters():
            assert parameter.grad is not None and parameter.grad.isfinite().all(), name
            assert parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize("padding", [0.0, math.nan, 0.5])
def test_padding_never_reaches_a_part(padding: float) -> None:
    model, batch = build(), batch_of()
    outside = (torch.arange(6) >= batch.lengths.unsqueeze(1)).unsqueeze(-1)
    padded = batch._replace(values=batch.values.masked_fill(outside, padding))
    expected = model.part_log_prob(batch)
    for name, found in model.part_log_prob(padded).items():
        torch.testing.assert_close(found, expected[name])


@pytest.mark.parametrize("head", HEADS)
def test_a_frame_is_taken_apart_and_a_draw_ends_by_itself(head: str) -> None:
    model = build(head).float().eval()
    drawn = generate(model, 500, 30, context=torch.zeros(500, 30, X))
    frame = drawn.values[drawn.present()]
    assert torch.equal(
        torch.cat((model.latents(frame), model.reward(frame)[:, None]), 1), frame[:, :-1]
    )
    ends = model.ended(frame, (torch.zeros(1),))
    assert torch.equal(ends, frame[:, -1] == 1)
    last = torch.arange(drawn.values.shape[1]) == drawn.lengths.unsqueeze(1) - 1
    assert torch.equal(drawn.values[..., -1] == 1, last & (drawn.lengths < 30).unsqueeze(1))
    assert 1 < drawn.lengths.float().mean() < 29
    # Rewards are where they were in the data, in its units.
    rewards = model.reward(frame)
    assert 20 < rewards.median() < 80 and rewards.std() > 5


def test_draws_follow_the_density() -> None:
    model = build("joint").eval()
    h = torch.randn(8).double()
    for options in ({}, {"mixing": 0.4, "scale": 0.3, "bits": 2.0}):
        found = model.head.draw(h.expand(20_000, -1), **options)
        expected = model.head(h).tempered(**options).sample((20_000,))
        assert found.shape == (20_000, L + 2)
        for one, other in ((found, expected), (found.square(), expected.square())):
            error = ((one.var(0) + other.var(0)) / 20_000).sqrt()
            assert ((one.mean(0) - other.mean(0)).abs() < 5 * error + 1e-9).all()


def test_the_latents_are_judged() -> None:
    model = build("lowrank").float().eval().requires_grad_(False)
    batch = batch_of()
    batch = batch._replace(values=batch.values.float(), context=batch.context.float(), start=None)
    found = score_densities(model, [batch], draws=50).compute()
    assert found["crps_estimator"] == "exact"
    assert len(found["calibration"]["pit"]["counts"]) == L
    density, mask = model.distributions(batch)
    latents = Flowed(density.continuous.parts[0], model.transform.first)
    expected = crps(latents, batch.values[..., :L])[mask].mean()
    assert found["crps"] == pytest.approx(float(expected), rel=1e-4)


@pytest.mark.parametrize(("features", "latents"), [(4, 3), (6, 3), (2, 3), (3, 0)])
def test_frames_of_another_kind_are_refused(features: int, latents: int) -> None:
    with pytest.raises(ValueError, match=f"of {latents} latents expected frames .* {features}: "):
        WorldModel(features, latents=latents)


def test_every_combination_of_bits_is_a_number() -> None:
    model = build()
    for bits in product([0.0, 1.0], repeat=2):
        values = frames(1, 2)
        values[0, :, -1] = torch.tensor(bits)
        batch = Batch(values, torch.tensor([2]), torch.zeros(1, 2, X).double())
        assert model.log_prob(batch).isfinite().all()
    values[0, 0, -1] = 0.5
    with pytest.raises(ValueError, match="bits must be 0 or 1; found 0.5"):
        model.log_prob(Batch(values, torch.tensor([2]), torch.zeros(1, 2, X).double()))
