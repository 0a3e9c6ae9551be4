"""Heads of levels: a probability for every frame, colours in turn, and runs on them."""

import itertools
import math
from pathlib import Path
from typing import Any

import pytest
import torch

from seqmdn.data import UniformDequantise
from seqmdn.distributions import Autoregressive, DiscretisedMixture
from seqmdn.heads import DiscretisedMixtureHead
from seqmdn.runs import draw, evaluate
from seqmdn.runs.scoring import score
from tests.contracts import assert_state_is_complete, perturbed
from tests.images import train_images, write_images

HEAD = "seqmdn.heads.DiscretisedMixtureHead"


def lively(features: int, levels: int = 4, **options: int) -> DiscretisedMixtureHead:
    head = DiscretisedMixtureHead(features, 4, components=3, levels=levels, hidden=8, **options)
    return perturbed(head, 0.4).double()


def frames(features: int, levels: int) -> torch.Tensor:
    grid = torch.linspace(-1, 1, levels, dtype=torch.float64)
    return torch.stack([torch.stack(each) for each in itertools.product(grid, repeat=features)])


@pytest.mark.parametrize(("features", "levels"), [(1, 256), (2, 5), (3, 4), (6, 2)])
def test_the_probabilities_of_all_frames_sum_to_one(features: int, levels: int) -> None:
    head = lively(features, levels)
    h = torch.randn(3, 4, dtype=torch.float64)
    every = frames(features, levels).unsqueeze(1)
    total = head(h).log_prob(every).exp().sum(0)
    torch.testing.assert_close(total, torch.ones(3).double(), rtol=0, atol=1e-10)


def test_blue_is_given_green_and_green_is_given_red() -> None:
    head = lively(3)
    distribution = head(torch.randn(1, 4, dtype=torch.float64))
    assert isinstance(distribution, Autoregressive)
    every = frames(3, 4)
    joint = distribution.log_prob(every.unsqueeze(1)).exp().view(4, 4, 4)
    of_red, of_two = joint.sum((1, 2)), joint.sum(2)
    chain = [distribution.mixtures(every.unsqueeze(1)).log_prob(every[:, None, :, None]).exp()]
    red, green, blue = chain[0].view(4, 4, 4, 3).unbind(-1)
    torch.testing.assert_close(red[:, 0, 0], of_red)
    torch.testing.assert_close(green[:, :, 0], of_two / of_red[:, None])
    torch.testing.assert_close(blue, joint / of_two[..., None])
    assert (blue - blue.mean((0, 1))).abs().max() > 1e-3, "blue depends on both"
    product = joint.sum((1, 2))[:, None] * joint.sum((0, 2))
    assert (of_two - product).abs().max() > 1e-3, "green depends on red"


def test_a_frame_is_conditioned_and_scored_in_part() -> None:
    head = lively(3)
    distribution = head(torch.randn(2, 4, dtype=torch.float64))
    value = frames(3, 4)[torch.tensor([7, 44])]
    known = torch.tensor([True, True, False])
    rest = distribution.condition(value, known)
    part = distribution.log_prob(value, known)
    torch.testing.assert_close(part + rest.log_prob(value[:, 2:]), distribution.log_prob(value))
    assert rest.sample((5,)).shape == (5, 2, 1)


@pytest.mark.parametrize("features", [1, 3])
def test_draws_are_levels_as_often_as_they_are_probable(features: int) -> None:
    head = lively(features, levels=3).float()
    with torch.no_grad():
        distribution = head(torch.randn(1, 4))
        draws = distribution.sample((30_000,)).squeeze(1)
        every = frames(features, 3).float()
        probable = distribution.log_prob(every.unsqueeze(1)).exp().squeeze(1).double()
    often = (draws.unsqueeze(1) == every).all(-1).double().mean(0)
    assert often.sum() == 1
    assert ((often - probable).abs() < 4.5 * (probable / 30_000).sqrt() + 1e-6).all()
    sharp = distribution.tempered(mixing=0.1, scale=0.01).sample((2_000,)).squeeze(1)
    assert sharp.std(0).mean() < draws.std(0).mean()


@pytest.mark.parametrize("features", [1, 3])
def test_gradients_reach_every_parameter_and_are_right(features: int) -> None:
    head = lively(features)
    h = torch.randn(7, 4, dtype=torch.float64, requires_grad=True)
    value = frames(features, 4)[torch.randint(4**features, (7,))]
    (-head(h).log_prob(value)).mean().backward()
    for name, parameter in head.named_parameters():
        assert parameter.grad is not None and (parameter.grad != 0).all(), name
    assert torch.autograd.gradcheck(lambda h: head(h).log_prob(value), (h,))


@pytest.mark.parametrize("features", [1, 3])
def test_it_keeps_its_shapes_contexts_and_state(features: int) -> None:
    head = lively(features).float()
    for batch in ((), (4,), (2, 3)):
        distribution = head(torch.randn(*batch, 4))
        assert distribution.batch_shape == batch and distribution.event_shape == (features,)
        draws = distribution.sample((5,))
        assert draws.shape == (5, *batch, features)
        assert distribution.log_prob(draws).shape == (5, *batch)
    h = torch.randn(6, 4)
    value = head(h).sample()
    whole = head(h).log_prob(value)
    alone = torch.stack([head(h[i]).log_prob(value[i]) for i in range(6)])
    torch.testing.assert_close(whole, alone)
    assert_state_is_complete(head)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert head(h).log_prob(value).dtype == torch.float32
    with pytest.raises(ValueError, match="h must have 4 features, found"):
        head(torch.randn(6, 5))


@pytest.mark.parametrize("features", [1, 3])
def test_components_are_placed_on_the_levels(features: int) -> None:
    torch.manual_seed(1)
    head = DiscretisedMixtureHead(features, 4, components=4)
    level = torch.randint(0, 12, (500, features)) + 200 * (torch.rand(500, features) < 0.5)
    value = 2 * level.float() / 255 - 1
    h = torch.randn(500, 4)
    before = head(h).log_prob(value).mean()
    head.initialise(value)
    after = head(h).log_prob(value).mean()
    assert after > before + 0.5 * features and after > -features * math.log(60)
    head.initialise(torch.ones(9, features))
    assert head(h).log_prob(torch.ones(500, features)).isfinite().all()
    with pytest.raises(ValueError, match="4 components need at least 4 frames, found 3"):
        head.initialise(value[:3])
    with pytest.raises(ValueError, match=rf"shape \(N, {features}\), found \(500, 9\)"):
        head.initialise(torch.zeros(500, 9))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"features": 0}, "features must be at least 1, found 0"),
        ({"levels": 1}, "levels must be at least 2, found 1"),
        ({"components": 0}, "components must be at least 1"),
        ({"hidden": 0}, "hidden must be at least 1"),
        ({"floor": 0.0}, "floor must be positive, found 0"),
    ],
)
def test_what_makes_no_sense_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DiscretisedMixtureHead(**{"features": 1, "context": 4, **options})


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("scan", ["pixel", "row"])
def test_a_run_has_probabilities_of_levels_in_bits(
    tmp_path: Path, channels: int, scan: str
) -> None:
    run = train_images(
        tmp_path,
        write_images(tmp_path / "images.h5", channels),
        head={"class_path": HEAD, "init_args": {"components": 2, "hidden": 4}},
        transform={"class_path": "seqmdn.data.Levels"},
        noise=None,
        scan=scan,
    )
    found = evaluate(tmp_path / "run")
    values = 24 * channels
    assert found["bits_per_dim"] == pytest.approx(found["nll"] / values / math.log(2))
    assert 0 < found["bits_per_dim"] < 10 and "normalised" not in found
    drawn, real = draw(run, num=3, prime=0.5)
    assert drawn.values.shape == real.values.shape == (3, 4, 6 * channels)
    assert torch.equal(drawn.values, drawn.values.round()) and drawn.values.max() <= 255
    assert torch.equal(drawn.values[:, :2], real.values[:, :2]) and drawn.start.tolist() == [2] * 3
    with pytest.raises(ValueError, match="expected a density to score, found probabilities"):
        score(run, "test", draws=20)
    run.data.noise = UniformDequantise()
    with pytest.raises(ValueError, match="whole numbers from 0 to 255, found .*data.noise null"):
        score(run, "test")


def test_one_grey_pixel_needs_no_turns() -> None:
    head = DiscretisedMixtureHead(1, 4)
    assert isinstance(head(torch.zeros(2, 4)), DiscretisedMixture) and head.network is None
