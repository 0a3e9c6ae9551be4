"""Whole training steps and draws, each beside what it is compared with."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn
from torch.distributions import Categorical, MixtureSameFamily, MultivariateNormal
from torch.nn import functional as F

from benchmarks import opponents
from benchmarks.measure import Work
from seqmdn.backbones import LSTMBackbone
from seqmdn.data import Batch
from seqmdn.heads import FlowMixtureHead, MixtureHead
from seqmdn.models import SequenceModel

__all__ = ["draws", "flow_step", "step"]

BATCH, TIME, FEATURES, HIDDEN, COMPONENTS, RANK = 64, 100, 32, 256, 5, 2


class Regression(nn.Module):
    """The same network with a linear output of a given width, and squared error."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.backbone = nn.LSTM(FEATURES, HIDDEN, batch_first=True)
        self.output = nn.Linear(HIDDEN, width)

    def loss(self, values: Tensor, targets: Tensor) -> Tensor:
        """Return the mean squared error of targets (B, T, width)."""
        previous = F.pad(values[:, :-1], (0, 0, 1, 0))
        return F.mse_loss(self.output(self.backbone(previous)[0]), targets)


def step(head: type[MixtureHead] = MixtureHead) -> tuple[Work, Work]:
    """Return a step of ours, forward, backward and Adam, and one of squared error."""
    torch.manual_seed(0)
    values = torch.randn(BATCH, TIME, FEATURES)
    batch = Batch(values=values, lengths=torch.full((BATCH,), TIME))
    mixture = partial(head, components=COMPONENTS, covariance="lowrank", rank=RANK)
    model = SequenceModel(FEATURES, backbone=partial(LSTMBackbone, hidden=HIDDEN), head=mixture)
    width = model.head.projection.out_features
    regression = Regression(width)
    targets = torch.randn(BATCH, TIME, width)
    return (
        _training(model, lambda: model.loss(batch)),
        _training(regression, lambda: regression.loss(values, targets)),
    )


def flow_step() -> tuple[Work, Work]:
    """Return the same with two affine couplings before the mixture."""
    return step(FlowMixtureHead)


def draws(count: int = 1000, contexts: int = 1000) -> tuple[Work, Work]:
    """Return draws of ours and of torch's mixture, K = 5, D = 32, R = 2."""
    made = opponents.parameters(contexts, COMPONENTS, FEATURES, RANK)
    made = {name: tensor.detach() for name, tensor in made.items()}
    ours = opponents.mixture(made)
    factor = made["factor"]
    precision = torch.diag_embed(made["diagonal"]) + factor @ factor.mT
    components = MultivariateNormal(made["loc"], precision_matrix=precision)
    theirs = MixtureSameFamily(Categorical(logits=made["logits"]), components)
    return lambda: ours.sample((count,)), lambda: theirs.sample((count,))


def _training(model: nn.Module, loss: Work) -> Work:
    optimiser = torch.optim.Adam(model.parameters())

    def work() -> None:
        optimiser.zero_grad()
        loss().backward()
        optimiser.step()

    return work
