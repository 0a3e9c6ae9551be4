"""What exact models share: a loss in which sequences have weights."""

from functools import partial

import pytest
import torch

from seqmdn.backbones import LSTMBackbone
from seqmdn.data import Batch
from seqmdn.models import MDN, DensityModel, ExactModel, SequenceModel

D, X = 2, 3


def model(kind: str) -> DensityModel:
    torch.manual_seed(0)
    if kind == "mdn":
        found: DensityModel = MDN(D, X)
    else:
        found = SequenceModel(D, X, backbone=partial(LSTMBackbone, hidden=8))
    found.initialise(torch.randn(50, D), torch.randn(50, X))
    return found.double()


def rows(lengths: list[int], weights: list[float] | None = None) -> Batch:
    generator = torch.Generator().manual_seed(3)
    size = (len(lengths), max(lengths))
    return Batch(
        torch.randn(*size, D, generator=generator).double(),
        torch.tensor(lengths),
        torch.randn(*size, X, generator=generator).double(),
        weights=None if weights is None else torch.tensor(weights),
    )


@pytest.mark.parametrize("kind", ["mdn", "sequence"])
def test_weights_are_repeated_rows(kind: str) -> None:
    built = model(kind)
    assert isinstance(built, ExactModel)
    batch = rows([4, 2, 3], [3.0, 1.0, 2.0])
    places = torch.tensor([0, 0, 0, 1, 2, 2])
    repeated = Batch._make(None if f is None else f[places] for f in batch._replace(weights=None))
    found, expected = built.loss(batch), built.loss(repeated)
    torch.testing.assert_close(found, expected)
    assert (found - built.loss(batch._replace(weights=None))).abs() > 1e-3
    parameters = list(built.parameters())
    one = torch.autograd.grad(found, parameters, allow_unused=True)
    other = torch.autograd.grad(expected, parameters, allow_unused=True)
    for first, second in zip(one, other, strict=True):
        assert (first is None) == (second is None)
        if first is not None:
            torch.testing.assert_close(first, second)


def test_weights_change_no_score_and_only_their_ratio_counts() -> None:
    built = model("mdn")
    batch = rows([1, 1, 1], [3.0, 1.0, 2.0])
    plain = built.log_prob(batch._replace(weights=None))
    assert torch.equal(built.log_prob(batch), plain)
    torch.testing.assert_close(built.loss(batch), built.loss(rows([1, 1, 1], [9.0, 3.0, 6.0])))
    expected = -(plain * torch.tensor([3.0, 1.0, 2.0])).sum() / 6
    torch.testing.assert_close(built.loss(batch), expected)


def test_nothing_is_learnt_from_weights_that_are_all_zero() -> None:
    built = model("mdn")
    loss = built.loss(rows([1, 1], [0.0, 0.0]))
    loss.backward()
    assert loss == 0
    assert all((p.grad == 0).all() for p in built.parameters() if p.grad is not None)
