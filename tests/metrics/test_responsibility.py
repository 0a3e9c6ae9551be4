"""How components are used: shares that sum to 1, dead ones, mixtures a feature, and flows."""

import pytest
import torch
from torch.distributions import Categorical

from seqmdn.distributions import Flowed, LowRankPrecisionNormal, Mixture
from seqmdn.metrics import MeanResponsibility
from tests.metrics.known import D, K, densities, factorised, mixture, standardise


def test_shares_are_those_of_the_real_frames_that_count() -> None:
    density = mixture(6, 5)
    value, mask = density.sample(), torch.rand(6, 5) < 0.6
    use = MeanResponsibility()
    for half in (slice(0, 3), slice(3, 6)):
        part = Mixture(
            Categorical(logits=density.mixture_distribution.logits[half]),
            LowRankPrecisionNormal(
                density.component_distribution.loc[half],
                density.component_distribution.diagonal[half],
                density.component_distribution.factor[half],
            ),
        )
        use.update(Flowed(part, standardise()), standardise().inverse(value[half]), mask[half])
    found = use.compute()
    assert found is not None
    expected = density.responsibilities(value)[mask].mean(0)
    assert found["responsibility"] == pytest.approx(expected.tolist(), abs=1e-5)
    assert sum(found["responsibility"]) == pytest.approx(1, abs=1e-5)
    weights = density.mixture_distribution.probs[mask].mean(0)
    assert found["weight"] == pytest.approx(weights.tolist(), abs=1e-5)


def test_one_that_explains_nothing_is_dead() -> None:
    logits = torch.tensor([0.0, 0.0, -20.0]).expand(50, 3)
    components = LowRankPrecisionNormal(torch.randn(50, 3, 1), torch.ones(50, 3, 1))
    use = MeanResponsibility()
    use.update(
        Mixture(Categorical(logits=logits), components),
        torch.randn(50, 1),
        torch.ones(50, dtype=torch.bool),
    )
    found = use.compute()
    assert found is not None
    assert (found["dead"], found["of"]) == (1, 3)
    assert 1.5 < found["effective"] <= 2.001


def test_each_feature_of_a_factorised_mixture_has_its_own() -> None:
    density = factorised(20)
    use = MeanResponsibility()
    use.update(density, density.sample(), torch.ones(20, dtype=torch.bool))
    found = use.compute()
    assert found is not None
    assert len(found["responsibility"]) == K and found["of"] == D * K


def test_what_has_no_components_has_no_use_of_them() -> None:
    use = MeanResponsibility()
    gaussian = densities(4)["gaussian"]
    use.update(gaussian, gaussian.sample(), torch.ones(4, dtype=torch.bool))
    assert use.compute() is None
