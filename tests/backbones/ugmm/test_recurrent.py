"""The recurrent backbone of mixtures, by the contract of backbones."""

import pytest

from seqmdn.backbones import LSTMBackbone, UGMMLSTMBackbone
from tests.contracts import BACKBONE_CHECKS, BackboneKind, check_backbone

KINDS = [
    BackboneKind(
        "ugmm",
        lambda inputs, hidden=6, layers=1, dropout=0.0: UGMMLSTMBackbone(
            inputs, hidden, layers, dropout
        ),
        ((1, 6), (1, 6)),
    ),
    BackboneKind(
        "ugmm, two layers, skip and bypass",
        lambda inputs, hidden=5, layers=2, dropout=0.0: UGMMLSTMBackbone(
            inputs, hidden, layers, dropout, skip=True, bypass=True
        ),
        ((2, 5), (2, 5)),
    ),
]


@pytest.mark.parametrize("check", BACKBONE_CHECKS)
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_contract(kind: BackboneKind, check: str) -> None:
    check_backbone(kind, check)


def test_it_has_three_times_the_weights_of_an_lstm() -> None:
    ours, theirs = UGMMLSTMBackbone(7, 16), LSTMBackbone(7, 16)
    weights = sum(p.numel() for p in theirs.parameters() if p.ndim == 2)
    assert sum(p.numel() for p in ours.parameters() if p.ndim == 2) == 3 * weights
