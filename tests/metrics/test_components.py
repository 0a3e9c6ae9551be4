"""Which components live, and which are the same."""

import pytest
import torch
from torch.distributions import Categorical

from seqmdn.data import Standardise
from seqmdn.distributions import Flowed, LowRankPrecisionNormal, Mixture
from seqmdn.metrics import ComponentUse, components, mixture_of
from tests.distributions import test_mixture

K, D = 4, 2


def mixtures(*batch: int, rank: int = 1) -> Mixture:
    family = test_mixture.mixture_family(rank)
    return family.build(family.draw(batch, D, 1.0))


def count(mixture: Mixture) -> int:
    return int(mixture.component_distribution.batch_shape[-1])


def test_shares_are_mean_responsibilities_of_frames_that_count() -> None:
    mixture = mixtures(7, 3)
    value = torch.randn(7, 3, D).double()
    mask = torch.rand(7, 3) < 0.6
    use = ComponentUse(count(mixture))
    poisoned = value.where(mask.unsqueeze(-1), torch.nan)
    use.update(mixture, poisoned, mask)
    found = use.compute()["share"]
    torch.testing.assert_close(found, mixture.responsibilities(value)[mask].mean(0))
    assert float(found.sum()) == pytest.approx(1)


def test_overlaps_are_integrals_of_the_square_root_of_both(monkeypatch: pytest.MonkeyPatch) -> None:
    mixture = mixtures(2, 1)
    number = count(mixture)
    axis = torch.linspace(-25, 25, 401, dtype=torch.float64)
    grid = torch.cartesian_prod(axis, axis)
    density = torch.stack(
        [
            LowRankPrecisionNormal(
                mixture.component_distribution.loc[:, 0, k],
                mixture.component_distribution.diagonal[:, 0, k],
                mixture.component_distribution.factor[:, 0, k],
            ).log_prob(grid.unsqueeze(1))
            for k in range(number)
        ]
    )  # (K, N, 2)
    cell = (axis[1] - axis[0]) ** 2
    expected = torch.stack(
        [((density[j] + density) / 2).exp().sum(1).mean(-1) * cell for j in range(number)]
    )
    for size in (2**18, 1):
        monkeypatch.setattr(components, "_PAIRS", size)
        use = ComponentUse(number)
        use.update(mixture, torch.zeros(2, 1, D).double())
        torch.testing.assert_close(use.compute()["overlap"], expected, rtol=1e-3, atol=1e-3)


def planted(logits: list[float]) -> Mixture:
    """Two that are the same, one apart, one with whatever weight it is given."""
    loc = torch.tensor([[0.0, 0.0], [0.05, 0.0], [6.0, 0.0], [0.0, 0.0]])
    normals = LowRankPrecisionNormal(loc, torch.ones(K, D))
    return Mixture(Categorical(logits=torch.tensor(logits)), normals).expand((200,))


def test_the_dead_and_the_same_are_named() -> None:
    mixture = planted([0.0, 0.0, 0.0, -20.0])
    use = ComponentUse(K)
    use.update(mixture, mixture.sample())
    found = use.summary()
    assert found["died"] == [3]
    ((first, second, overlap),) = found["same"]
    assert (first, second) == (0, 1) and overlap == pytest.approx(1, abs=1e-3)
    assert sum(found["share"]) == pytest.approx(1)
    lively = planted([0.0, 0.0, 0.0, 0.0])
    use = ComponentUse(K)
    use.update(lively, lively.sample())
    found = use.summary()
    assert found["died"] == [] and [pair[:2] for pair in found["same"]] == [(0, 1), (0, 3), (1, 3)]


def test_the_threshold_is_a_part_of_an_equal_share() -> None:
    mixture = planted([0.0, 0.0, 0.0, 0.0])
    for died, expected in ((0.9, []), (0.999, [0, 1, 3])):
        use = ComponentUse(K, died=died)
        # Frames where the third one is: each of the others has next to nothing, or its share.
        value = torch.tensor([0.0, 0.0]) if not expected else torch.tensor([6.0, 0.0])
        use.update(mixture, value.expand(200, D))
        assert [k for k in use.summary()["died"] if k != 2] == expected


def test_under_a_flow_it_is_the_mixture_of_what_the_flow_makes() -> None:
    mixture = mixtures(9)
    scale = Standardise(D).double().fit(5 + 3 * torch.randn(100, D).double())
    flowed = Flowed(mixture, scale)
    assert mixture_of(flowed) is mixture and mixture_of(mixture) is mixture
    z = torch.randn(9, D).double()
    one, other = ComponentUse(count(mixture)), ComponentUse(count(mixture))
    one.update(mixture, z)
    other.update(flowed, scale.inverse(z))
    torch.testing.assert_close(one.compute(), other.compute())


def test_what_cannot_be_judged_is_refused() -> None:
    with pytest.raises(ValueError, match="components of 1 or more and thresholds inside"):
        ComponentUse(0)
    with pytest.raises(ValueError, match="thresholds inside.*died=1.5"):
        ComponentUse(2, died=1.5)
    use, mixture = ComponentUse(count(mixtures(3)) + 1), mixtures(3)
    with pytest.raises(ValueError, match=f"mixtures of {use.components} components; found"):
        use.update(mixture, torch.zeros(3, D).double())
    normal = LowRankPrecisionNormal(torch.zeros(3, D), torch.ones(3, D))
    with pytest.raises(ValueError, match="found a LowRankPrecisionNormal"):
        use.update(normal, torch.zeros(3, D))
    with pytest.raises(ValueError, match="call update before compute"):
        use.compute()
    use = ComponentUse(count(mixture))
    seen = torch.tensor([[True, False]] * 3)
    with pytest.raises(ValueError, match="found some with missing features"):
        use.update(mixture, torch.zeros(3, D).double(), observed=seen)
