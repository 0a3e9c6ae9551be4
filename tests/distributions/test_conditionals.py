"""The mixtures of groups: those of a frame whose front is known, and tempered ones."""

from __future__ import annotations

import math

import pytest
import scipy.stats
import torch
from torch import Size, Tensor

from seqmdn.distributions import Mixture
from seqmdn.distributions.conditionals import Conditionals, Rest, Tempered
from tests.distributions.linear import made


def parts(mixture: Mixture) -> tuple[Tensor, ...]:
    components = mixture.component_distribution
    weights = mixture.mixture_distribution.logits
    return weights, components.loc, components.diagonal, components.factor


@pytest.mark.parametrize(("pairs", "group"), [(False, 1), (True, 2)])
def test_the_rest_are_the_later_mixtures_as_they_are(pairs: bool, group: int) -> None:
    whole: Conditionals = made(pairs, (3,), features=6, float32=True).conditionals
    frame = torch.randn(5, 3, 6)
    known, later = frame[..., : 2 * group], frame[..., 2 * group :]
    rest = Rest(whole, known, 2)
    # To the last bit: weights that are normalised already are not normalised again.
    for found, expected in zip(parts(rest.every(later)), parts(whole.every(frame)), strict=True):
        assert torch.equal(found, expected[:, :, 2:])
    for g in range(6 // group - 2):
        alone = parts(rest.one(g, later[..., : g * group]))
        expected = parts(whole.one(2 + g, frame[..., : (2 + g) * group]))
        assert all(map(torch.equal, alone, expected))


def test_what_is_known_of_one_frame_serves_many() -> None:
    whole = made(False).conditionals
    known, later = torch.randn(2).double(), torch.randn(7, 2).double()
    frames = torch.cat((known.expand(7, -1), later), dim=-1)
    found = Rest(whole, known, 2).every(later)
    assert found.batch_shape == (7, 2)
    torch.testing.assert_close(found.mean, whole.every(frames).mean[:, 2:])


def test_a_draw_begins_with_no_feature_in_the_dtype_of_the_mixtures() -> None:
    whole = made(False, float32=True).conditionals
    for of in (Rest(whole, torch.zeros(1), 1), Tempered(whole, 0.5, 1.0)):
        nothing = of.nothing(Size([2, 3]))
        assert nothing.shape == (2, 3, 0) and nothing.dtype == torch.float32


@pytest.mark.parametrize("pairs", [False, True])
@pytest.mark.parametrize("mixing", [0.5, torch.tensor([0.3, 1.0, 2.0])])
def test_every_conditional_is_tempered(pairs: bool, mixing: float | Tensor) -> None:
    density = made(pairs, (3,))
    scale = torch.tensor([0.25, 1.0, 4.0]).double()
    found = density.tempered(mixing=mixing, scale=scale)
    frames = torch.randn(7, 3, 4, dtype=torch.float64)
    wide = mixing.unsqueeze(-1) if isinstance(mixing, Tensor) else mixing
    conditionals = density.mixtures(frames).tempered(wide, scale.unsqueeze(-1))
    ordered = frames[..., density.order].unflatten(-1, (-1, density.group))
    torch.testing.assert_close(found.log_prob(frames), conditionals.log_prob(ordered).sum(-1))
    # A draw is of the same density: its transform is uniform.
    u = found.rosenblatt(found.sample((4000,)))
    assert scipy.stats.kstest(u.flatten().numpy(), "uniform").pvalue > 1e-3
    twice = found.tempered(mixing=2.0).log_prob(frames)
    torch.testing.assert_close(twice, density.tempered(wide_of(mixing) * 2, scale).log_prob(frames))


def wide_of(mixing: float | Tensor) -> Tensor:
    return torch.as_tensor(mixing).double()


@pytest.mark.parametrize("wrong", [{"mixing": 0.0}, {"scale": -1.0}, {"mixing": math.nan}])
def test_a_temperature_is_positive_before_any_mixture_is_made(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(wrong))} must be positive; found"):
        made(False).tempered(**wrong)
