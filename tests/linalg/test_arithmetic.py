from __future__ import annotations

import torch
from torch import Tensor

from seqmdn import linalg


def test_full_precision_widens_keywords_and_leaves_the_rest() -> None:
    @linalg.full_precision
    def describe(a: Tensor, *, b: Tensor, c: str) -> tuple[torch.dtype, torch.dtype, str, bool]:
        return a.dtype, b.dtype, c, torch.is_autocast_enabled("cpu")

    half, single = torch.ones(1, dtype=torch.float16), torch.ones(1)
    assert describe(single.double(), b=half, c="x") == (torch.float64, torch.float32, "x", False)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert describe(single, b=half, c="x")[-1] is False
        assert torch.is_autocast_enabled("cpu")


def test_widths() -> None:
    for dtype in (torch.float16, torch.bfloat16):
        assert linalg.widen(torch.ones(1, dtype=dtype)).dtype == torch.float32
    for dtype in (torch.float32, torch.float64):
        tensor = torch.ones(1, dtype=dtype)
        assert linalg.widen(tensor) is tensor
        assert linalg.doubled(tensor).dtype == torch.float64
