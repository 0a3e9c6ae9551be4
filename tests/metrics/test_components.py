"""Which components live, which explain what, and which are the same."""

import pytest
import torch
from torch.distributions import Categorical

from seqmdn.distributions import Flowed, LowRankPrecisionNormal, Mixture
from seqmdn.metrics import ComponentUse, components
from tests.metrics.known import D, K, densities, factorised, mixture, standardise


def test_shares_are_those_of_the_real_frames_that_count() -> None:
    density = mixture(6, 5)
    value, mask = density.sample(), torch.rand(6, 5) < 0.6
    poisoned = standardise().inverse(value).where(mask.unsqueeze(-1), torch.nan)
    normals = density.component_distribution
    use = ComponentUse()
    for half in (slice(0, 2), slice(2, 6)):
        part = Mixture(
            Categorical(logits=density.mixture_distribution.logits[half]),
            LowRankPrecisionNormal(normals.loc[half], normals.diagonal[half], normals.factor[half]),
        )
        use.update(Flowed(part, standardise()), poisoned[half], mask[half])
    found = use.compute()
    assert found is not None
    expected = density.responsibilities(value)[mask].mean(0)
    assert found["responsibility"] == pytest.approx(expected.tolist(), abs=1e-5)
    weights = density.mixture_distribution.probs[mask].mean(0)
    assert found["weight"] == pytest.approx(weights.tolist(), abs=1e-5)
    entropy = -(expected * expected.log()).sum()
    assert found["effective"] == pytest.approx(float(entropy.exp()), abs=1e-3)


@pytest.mark.parametrize("pairs", [2**18, 1])
def test_overlaps_are_integrals_of_the_square_root_of_both(
    pairs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(components, "_PAIRS", pairs)
    density = mixture(3, features=2, rank=1)
    normals = density.component_distribution
    axis = torch.linspace(-25, 25, 401, dtype=torch.float64)
    grid = torch.cartesian_prod(axis, axis)[:, None, None]  # (N, 1, 1, 2)
    each = normals.log_prob(grid)  # (N, 3, K)
    both = 0.5 * (each.unsqueeze(-1) + each.unsqueeze(-2))
    expected = both.exp().sum(0).mul((axis[1] - axis[0]) ** 2)  # (3, K, K)
    counts = torch.tensor([True, False, True])
    found = components._overlaps(normals, counts)
    torch.testing.assert_close(found, expected[counts].sum(0), rtol=1e-3, atol=1e-3)


def planted(logits: list[float]) -> Mixture:
    """Two that are the same, one apart, one with whatever weight it is given."""
    loc = torch.tensor([[0.0, 0.0], [0.05, 0.0], [6.0, 0.0], [0.0, 0.0]])
    normals = LowRankPrecisionNormal(loc, torch.ones(4, 2))
    return Mixture(Categorical(logits=torch.tensor(logits)), normals).expand((200,))


def test_the_dead_and_the_same_are_named() -> None:
    for last, dead, same in ((-20.0, [3], [[0, 1]]), (0.0, [], [[0, 1], [0, 3], [1, 3]])):
        density, use = planted([0.0, 0.0, 0.0, last]), ComponentUse()
        use.update(density, density.sample())
        found = use.compute()
        assert found is not None
        assert found["died"] == dead and (found["dead"], found["of"]) == (len(dead), 4)
        assert [pair[:2] for pair in found["same"]] == same
        assert all(0.999 < pair[2] <= 1 for pair in found["same"])


def test_the_threshold_is_a_part_of_an_equal_share() -> None:
    for share, dead in ((0.9, 0), (1.1, 1)):
        weight = components.DEAD / 2 / share
        logits = torch.tensor([1 - weight, weight]).log()
        # Both are the same Gaussian, so that responsibilities are the weights.
        normals = LowRankPrecisionNormal(torch.zeros(2, 1), torch.ones(2, 1))
        use = ComponentUse()
        use.update(Mixture(Categorical(logits=logits), normals).expand((9,)), torch.zeros(9, 1))
        found = use.compute()
        assert found is not None and found["dead"] == dead


def test_each_feature_of_a_factorised_mixture_has_its_own() -> None:
    density, use = factorised(20), ComponentUse()
    use.update(density, density.sample())
    found = use.compute()
    assert found is not None
    assert len(found["responsibility"]) == K and found["of"] == D * K and "same" not in found


def test_what_has_no_components_has_no_use_of_them() -> None:
    gaussian, use = densities(4)["gaussian"], ComponentUse()
    use.update(gaussian, gaussian.sample())
    assert use.compute() is None


def test_another_number_of_components_is_refused() -> None:
    use = ComponentUse()
    use.update(planted([0.0] * 4), torch.zeros(200, 2))
    with pytest.raises(ValueError, match="mixtures of 4 components, as before; found 5"):
        normals = LowRankPrecisionNormal(torch.zeros(5, 2), torch.ones(5, 2))
        other = Mixture(Categorical(logits=torch.zeros(5)), normals).expand((3,))
        use.update(other, torch.zeros(3, 2))
