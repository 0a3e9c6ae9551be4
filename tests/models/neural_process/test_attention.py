"""Attention: against torch's own, and what is learned to stand for nothing."""

import pytest
import torch
from torch import nn

from seqmdn.models.neural_process import AttentionEncoder
from seqmdn.models.neural_process.attention import Attention
from tests.models.neural_process.kinds import D, X, points


def test_it_is_torchs_attention() -> None:
    own = Attention(12, 3).double()
    other = nn.MultiheadAttention(12, 3, batch_first=True).double()
    with torch.no_grad():
        other.in_proj_weight.copy_(torch.cat([p.weight for p in (own.query, own.key, own.value)]))
        other.in_proj_bias[:12] = own.query.bias
        other.in_proj_bias[12:24] = 0
        other.in_proj_bias[24:] = own.value.bias
        other.out_proj.weight.copy_(own.output.weight)
        other.out_proj.bias.copy_(own.output.bias)
    q, k, v = (torch.randn(2, size, 12).double() for size in (5, 7, 7))
    seen = torch.rand(2, 1, 7) < 0.5
    seen[..., 0] = True
    expected, _ = other(q, k, v, key_padding_mask=~seen.squeeze(1))
    torch.testing.assert_close(own(q, k, v, seen), expected)


def test_what_sees_nothing_finds_the_rest() -> None:
    attention = Attention(8, 2, rest=True)
    q, k = torch.randn(2, 5, 8), torch.randn(2, 3, 8)
    found = attention(q, k, None, torch.zeros(2, 1, 3, dtype=torch.bool))
    assert attention.rest is not None
    expected = attention.output(attention.rest[1])
    torch.testing.assert_close(found, expected.expand(2, 5, 8))
    # Beside points that are seen, it is one among them.
    assert not torch.allclose(attention(q, k, None, torch.ones(2, 1, 3, dtype=torch.bool)), found)


def test_attention_needs_heads_that_divide() -> None:
    with pytest.raises(ValueError, match="heads must divide the 10 features, found 3"):
        Attention(10, 3)
    with pytest.raises(ValueError, match="self_attention must be at least 0, found -1"):
        AttentionEncoder(X, D, self_attention=-1)


def test_what_is_found_depends_on_where_one_asks() -> None:
    encoder = AttentionEncoder(X, D, hidden=8, layers=1).double()
    x, y, given, present = points()
    # With the inputs beside it taken away, the decoder sees what was attended to alone.
    with torch.no_grad():
        encoder.decoder[0].weight[:, :X] = 0
    h, _ = encoder(x, y, given, present)
    assert (h[0, 3] - h[0, 4]).abs().max() > 1e-6
    torch.testing.assert_close(h[1, 0], h[1, 1])  # nothing is given there
