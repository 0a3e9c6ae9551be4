"""The generative network: a joint density, its parts, and classes with features missing."""

import math
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from seqmdn.data import Batch, Identity
from seqmdn.generation import generate
from seqmdn.heads import CircuitHead
from seqmdn.models import GenerativeNetwork
from tests.heads.test_circuit import flowers


def made(**arguments: Any) -> GenerativeNetwork:
    torch.manual_seed(0)
    head = partial(CircuitHead, classes=3, components=6, depth=1, trees=2, rank=1)
    model = GenerativeNetwork(5, head=head, **arguments)
    model.initialise(rows().values[:, 0])
    return model


def rows() -> Batch:
    values = flowers()
    values[:, 0] = 10 + 4 * values[:, 0]  # units of its own
    return Batch(values.unsqueeze(1), torch.ones(len(values)).long())


def test_the_joint_is_the_features_times_the_class() -> None:
    model, batch = made(), rows()
    parts = {name: part(batch) for name, part in model.parts().items()}
    torch.testing.assert_close(parts["features"] + parts["class"], model.log_prob(batch))
    classes = model.class_log_prob(batch.values[:, 0])
    torch.testing.assert_close(classes.exp().sum(-1), torch.ones(150))
    own = batch.values[:, 0, -1:].long()
    torch.testing.assert_close(classes.gather(-1, own).squeeze(-1), parts["class"])
    seen = model.density().condition(model.transform(batch.values[:, 0]), torch.arange(5) < 4)
    torch.testing.assert_close(seen.categories(0).logits, classes, atol=1e-4, rtol=1e-4)


def test_the_density_is_of_the_datas_units() -> None:
    model, batch = made(), rows()
    wide = batch._replace(values=batch.values * torch.tensor([10.0, 1, 1, 1, 1]))
    other = made()
    other.initialise(wide.values[:, 0])
    expected = model.log_prob(batch) - math.log(10)
    torch.testing.assert_close(other.log_prob(wide), expected, atol=1e-3, rtol=1e-4)


def test_a_class_is_told_from_what_is_there_of_the_features() -> None:
    model, values = made(), rows().values[:, 0]
    values[:, -1] = math.nan
    values[:, :2] = math.nan
    found = model.class_log_prob(values)
    pair = model.density().marginal([2, 3, 4])
    seen = pair.condition(model.transform(rows().values[:, 0])[:, 2:], torch.arange(3) < 2)
    torch.testing.assert_close(found, seen.categories(0).logits, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("weight", [0.0, 0.3, 1.0])
def test_the_loss_weighs_both(weight: float) -> None:
    model, batch = made(discriminative=weight), rows()
    features, given = (part(batch) for part in model.parts().values())
    expected = -(given + (1 - weight) * features).mean() - model.head.log_prior() / 150
    torch.testing.assert_close(model.loss(batch), expected)


def test_missing_features_are_integrated_out() -> None:
    model, batch = made(missing=True), rows()
    observed = torch.rand(batch.values.shape) < 0.6
    holes = batch._replace(values=batch.values.where(observed, math.nan), observed=observed)
    z, ladj = model.transform.call_and_ladj(batch.values, observed)
    expected = (model.density().log_prob(z, observed) + ladj).squeeze(1)
    torch.testing.assert_close(model.log_prob(holes), expected.where(observed.any(-1)[:, 0], 0))
    with pytest.raises(ValueError, match="model was made for frames without missing features"):
        model_without = GenerativeNetwork(5, head=partial(CircuitHead, components=2))
        model_without.log_prob(holes)


def test_rows_are_drawn_with_their_class() -> None:
    drawn = generate(made(), num=200, length=1).values[:, 0]
    assert set(drawn[:, -1].tolist()) == {0, 1, 2}
    assert drawn[:, 0].mean() == pytest.approx(10, abs=1.5)


def test_it_saves_and_loads(tmp_path: Path) -> None:
    model, other = made(), made()
    with torch.no_grad():
        model.head.root.normal_()
    torch.save(model.state_dict(), tmp_path / "a.pt")
    other.load_state_dict(torch.load(tmp_path / "a.pt", weights_only=True))
    assert torch.equal(model.log_prob(rows()), other.log_prob(rows()))
    assert model.rows == 150


def test_what_it_is_not_made_for_is_refused() -> None:
    with pytest.raises(ValueError, match="expected data without context, found 3 features"):
        GenerativeNetwork(5, context=3)
    with pytest.raises(ValueError, match="0 where the head has no classes, found 0.5"):
        GenerativeNetwork(5, discriminative=0.5)
    with pytest.raises(ValueError, match="expected a discriminative weight from 0 to 1"):
        made(discriminative=1.5)
    plain = GenerativeNetwork(5, transform=Identity)
    with pytest.raises(ValueError, match="expected a head with classes"):
        plain.class_log_prob(torch.zeros(5))
    with pytest.raises(ValueError, match="reads no texts"):
        plain.begin(torch.zeros(1, 2).long())
    assert not plain.parts()
