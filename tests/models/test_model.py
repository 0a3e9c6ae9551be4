"""What training may ask of any model."""

from typing import Any

import pytest
import torch
from torch import Tensor

from seqmdn.data import Batch
from seqmdn.models import DensityModel, SequenceModel


class Constant(DensityModel):
    """The least that is a model."""

    def loss(self, batch: Any) -> Tensor:
        return -self.log_prob(batch).mean()

    def log_prob(self, batch: Any) -> Tensor:
        return torch.zeros(len(batch.frames()))


def test_a_model_says_its_loss_and_its_log_density() -> None:
    model, batch = Constant(), Batch(torch.zeros(3, 2, 1), torch.tensor([2, 1, 2]))
    assert model.loss(batch).shape == () and model.log_prob(batch).shape == (3,)
    assert isinstance(model, torch.nn.Module)
    assert issubclass(SequenceModel, DensityModel)


def test_looking_at_data_is_up_to_the_model() -> None:
    model = Constant()
    model.initialise(torch.ones(5, 2))
    assert model.state_dict() == {}


@pytest.mark.parametrize("missing", ["loss", "log_prob"])
def test_half_a_model_is_none(missing: str) -> None:
    methods = {name: getattr(Constant, name) for name in {"loss", "log_prob"} - {missing}}
    half = type("Half", (DensityModel,), methods)
    with pytest.raises(TypeError, match=missing):
        half()
