"""Scores of models of strokes: their offsets are judged, their bits are not."""

from collections.abc import Callable
from functools import partial

import pytest
import torch

from seqmdn.backbones import LSTMBackbone
from seqmdn.data import Batch, Chain, Identity, Logit, Partial, Transform
from seqmdn.distributions import Flowed
from seqmdn.heads import FlowMixtureHead, MixtureHead, StrokeHead
from seqmdn.metrics import crps
from seqmdn.models import SequenceModel
from seqmdn.scoring import score_densities
from tests.contracts import perturbed


def pen(transform: Callable[[int], Transform] = Partial, head: str = "rmdn") -> SequenceModel:
    """A model of strokes: two offsets and two bits."""
    torch.manual_seed(0)
    heads = {
        "rmdn": partial(MixtureHead, components=3, covariance="lowrank", rank=1),
        "frmdn": partial(FlowMixtureHead, components=2),
    }
    model = SequenceModel(
        4,
        backbone=partial(LSTMBackbone, hidden=8),
        head=partial(StrokeHead, offsets=heads[head]),
        transform=transform,
    )
    offsets = 5 + 10 * torch.rand(200, 2)
    model.initialise(torch.cat((offsets, (torch.rand(200, 2) < 0.3).float()), dim=1))
    perturbed(model.backbone, 0.3)
    perturbed(model.head, 0.1)
    return model.eval().requires_grad_(False)


@pytest.mark.parametrize("head", ["rmdn", "frmdn"])
@pytest.mark.parametrize(
    "transform", [Partial, partial(Partial, transform=partial(Logit, high=20.0))]
)
def test_of_strokes_the_offsets_are_judged(
    transform: Callable[[int], Transform], head: str
) -> None:
    model = pen(transform, head)
    lengths = torch.arange(6) % 4 + 3
    marks = (torch.rand(6, 6, 2) < 0.3).float()
    batch = Batch(torch.cat((5 + 10 * torch.rand(6, 6, 2), marks), dim=-1), lengths)
    found = score_densities(model, [batch], draws=300).compute()
    exact = head == "rmdn" and transform is Partial
    assert found["crps_estimator"] == ("exact" if exact else "draws")
    assert len(found["calibration"]["pit"]["counts"]) == 2
    # From the density of the offsets of each step, in the data's units.
    density, mask = model.distributions(batch)
    seen = Flowed(density.continuous, model.transform.first)
    torch.manual_seed(1)
    drawn = seen.sample((400,))
    values = batch.values[..., :2]
    away = (drawn - values).abs().mean(0)
    spread = (drawn.unsqueeze(1) - drawn).abs().mean((0, 1)) * 400 / 399
    expected = float((away - 0.5 * spread)[mask].mean())
    assert found["crps"] == pytest.approx(expected, rel=0.05)
    if exact:
        z, _ = model.transform.first.call_and_ladj(values)
        score = crps(density.continuous, z) * model.transform.first.std
        assert found["crps"] == pytest.approx(float(score[mask].mean()), rel=1e-4)
    other = batch._replace(values=torch.cat((values, 1 - marks), dim=-1))
    assert score_densities(model, [other], draws=300).compute()["crps"] != found["crps"], (
        "what was before a frame decides, bits included"
    )


def test_strokes_in_their_own_units_are_judged_too() -> None:
    model = pen(lambda _: Identity())
    values = torch.cat((5 + 10 * torch.rand(3, 4, 2), torch.ones(3, 4, 2)), dim=-1)
    batch = Batch(values, torch.tensor([4, 2, 3]))
    density, mask = model.distributions(batch)
    expected = float(crps(density.continuous, values[..., :2])[mask].mean())
    assert score_densities(model, [batch]).compute()["crps"] == pytest.approx(expected, rel=1e-4)


def test_a_transform_that_mixes_offsets_with_bits_is_refused() -> None:
    batch = Batch(torch.ones(2, 3, 4), torch.tensor([3, 2]))
    for transform in (partial(Partial, columns=3), lambda features: Chain([Partial(features)])):
        with pytest.raises(ValueError, match="a transform of the 2 continuous features alone"):
            score_densities(pen(transform), [batch])
