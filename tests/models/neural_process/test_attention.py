"""The encoder that attends to given points: what it finds where, and where there are none."""

import pytest
import torch

from seqmdn.models.neural_process import AttentionEncoder, TransformerEncoder
from tests.models.neural_process.kinds import D, X, points


def test_heads_must_divide() -> None:
    for encoder in (AttentionEncoder, TransformerEncoder):
        with pytest.raises(ValueError, match="heads must divide the 10 features, found 3"):
            encoder(X, D, hidden=10, heads=3)
    for name in ("self_attention", "octaves"):
        with pytest.raises(ValueError, match=f"{name} must be at least 0, found -1"):
            AttentionEncoder(X, D, **{name: -1})


def test_where_nothing_is_given_the_rest_is_found() -> None:
    encoder = AttentionEncoder(X, D, hidden=8, layers=1).double()
    x, y, given, present = points()
    h, _ = encoder(x, y, given, present)
    attention = encoder.attention
    found = attention.out_proj(attention.bias_v[0, 0])
    expected = encoder.decoder(torch.cat((x[1, :4], found.expand(4, -1)), dim=-1))
    torch.testing.assert_close(h[1, :4], expected)


def test_what_is_found_depends_on_where_one_asks() -> None:
    encoder = AttentionEncoder(X, D, hidden=8, layers=1).double()
    x, y, given, present = points()
    # With the inputs beside it taken away, the decoder sees what was attended to alone.
    with torch.no_grad():
        encoder.decoder[0].weight[:, :X] = 0
    h, _ = encoder(x, y, given, present)
    assert (h[0, 3] - h[0, 4]).abs().max() > 1e-6
    torch.testing.assert_close(h[1, 0], h[1, 1])  # nothing is given there


def test_octaves_stand_beside_the_inputs() -> None:
    encoder = AttentionEncoder(X, D, hidden=8, layers=1, octaves=2).double()
    x, y, given, present = points()
    first = encoder.of_inputs[0]
    seen: list[torch.Tensor] = []
    first.register_forward_hook(lambda module, arguments, result: seen.append(arguments[0]))
    encoder(x, y, given, present)
    x = x.where(present.unsqueeze(-1), 0)
    expected = (x, x.sin(), x.cos(), (2 * x).sin(), (2 * x).cos())
    torch.testing.assert_close(seen[0], torch.cat(expected, dim=-1))
    plain = AttentionEncoder(X, D, hidden=8, layers=1)
    assert plain.of_inputs[0].in_features == X and plain.decoder[0].in_features == X + 8
