"""One graph that the tests of this folder share: with a flow, a context and a bounded transform."""

import json
from functools import partial
from pathlib import Path

import pytest
import torch

from seqmdn.backbones import LSTMBackbone
from seqmdn.data import Logit
from seqmdn.exporting import OUTPUTS, Step
from seqmdn.exporting.graph import save_graph
from seqmdn.flows import AffineCoupling
from seqmdn.heads import FlowMixtureHead
from seqmdn.models import SequenceModel
from tests.contracts.modules import perturbed


@pytest.fixture(scope="session")
def flow_step() -> Step:
    """Rows of eight pixels of 17 levels, given two numbers."""
    torch.manual_seed(0)
    model = SequenceModel(
        8,
        2,
        backbone=partial(LSTMBackbone, hidden=16),
        head=partial(
            FlowMixtureHead,
            components=2,
            covariance="lowrank",
            rank=1,
            flow=partial(AffineCoupling, transforms=2, hidden=8, layers=2),
            conditional=True,
        ),
        transform=partial(Logit, low=-0.2, high=17.2),
    )
    return Step(perturbed(model, 0.2).eval(), OUTPUTS)


@pytest.fixture(scope="session")
def flow_graph(flow_step: Step, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The graph of that step, to be read only."""
    path = tmp_path_factory.mktemp("graph") / "rows.onnx"
    look = {"height": 8, "width": 8, "levels": 17}
    save_graph(flow_step, path, {"attributes": json.dumps(look), "unit": "pixel level"})
    return path
