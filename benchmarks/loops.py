"""What no draw can do without: a loop of an LSTM and a linear layer, which draws nothing."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["Bare"]


class Bare(nn.Module):
    """An LSTM, by ``nn.LSTM`` a step at a time or by ``nn.LSTMCell``s, and a linear layer.

    Args:
        features: Outputs that are fed back.
        hidden: Units of each LSTM.
        layers: LSTMs.
        outputs: Outputs of the linear layer: as many as a head's.
        steps: Steps of a call.
        cells: Whether by cells.
    """

    def __init__(
        self, features: int, hidden: int, layers: int, outputs: int, steps: int, cells: bool
    ) -> None:
        super().__init__()
        self.features, self.steps = features, steps
        sizes = [features, *[hidden] * (layers - 1)]
        self.cells = nn.ModuleList(nn.LSTMCell(size, hidden) for size in sizes) if cells else None
        self.lstm = None if cells else nn.LSTM(features, hidden, layers, batch_first=True)
        self.output = nn.Linear(hidden, outputs)

    @torch.inference_mode()
    def forward(self) -> Tensor:
        """Feed the first outputs back, step after step."""
        x, state = torch.zeros(1, self.features), None
        for _ in range(self.steps):
            h, state = self._step(x, state)
            x = self.output(h)[:, : self.features]
        return x

    def _step(self, x: Tensor, state: Any) -> tuple[Tensor, Any]:
        if self.lstm is not None:
            h, state = self.lstm(x.unsqueeze(1), state)
            return h.squeeze(1), state
        assert self.cells is not None
        if state is None:
            zero = torch.zeros(1, self.output.in_features)
            state = [(zero, zero)] * len(self.cells)
        after = []
        for cell, before in zip(self.cells, state, strict=True):
            after.append(cell(x, before))
            x = after[-1][0]
        return x, after
