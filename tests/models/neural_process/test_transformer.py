"""The transformer: which token sees which."""

import torch

from seqmdn.models.neural_process import TransformerEncoder
from tests.contracts import perturbed
from tests.models.neural_process.kinds import D, X, points


def test_a_point_that_is_given_is_another_token_than_one_of_output_zero() -> None:
    encoder = TransformerEncoder(X, D, hidden=8, blocks=1).double()
    x, _, given, present = points()
    y = torch.zeros(*x.shape[:2], D).double()
    h, _ = encoder(x, y, given, present)
    other, _ = encoder(x, y, given & False, present)
    assert (h[0, 0] - other[0, 0]).abs().max() > 1e-3


def test_given_points_see_each_other_through_all_layers() -> None:
    x, y, given, present = points()
    for blocks in (1, 3):
        encoder = TransformerEncoder(X, D, hidden=8, blocks=blocks).double()
        y = y.clone().requires_grad_()
        h, _ = encoder(x, y, given, present)
        (slope,) = torch.autograd.grad(h[0, 0].sum() + h[0, 6].square().sum(), y)
        reached = slope.ne(0).any(-1)
        assert reached[0].tolist() == [True] * 3 + [False] * 4 and not reached[1:].any()


def test_where_nothing_is_given_a_point_looks_at_itself() -> None:
    encoder = TransformerEncoder(X, D, hidden=8, blocks=1).double()
    x, y, given, present = points()
    h, _ = encoder(x, y, given, present)
    x = x[1, :4]
    token = encoder.tokens(torch.cat((x, x.new_zeros(4, D + 1)), dim=-1))
    (block,) = encoder.blocks
    # Attention to oneself alone is the value, whatever query and key are.
    attention, size = block.self_attn, encoder.features
    value = block.norm1(token) @ attention.in_proj_weight[2 * size :].T
    token = token + attention.out_proj(value + attention.in_proj_bias[2 * size :])
    token = token + block.linear2(block.activation(block.linear1(block.norm2(token))))
    torch.testing.assert_close(h[1, :4], encoder.norm(token))


def test_with_waves_a_task_may_be_anywhere() -> None:
    torch.manual_seed(0)
    encoder = perturbed(TransformerEncoder(X, D, hidden=8, blocks=2, waves=4), 0.2).double()
    x, y, given, present = points()
    h, task = encoder(x, y, given, present)
    moved, same = encoder(x + torch.tensor([3.0, -70.0]), y, given, present)
    torch.testing.assert_close(moved[present], h[present])
    torch.testing.assert_close(same, task)
    # But not turned, and how far points are from each other matters.
    for changed in (-x, 1.1 * x):
        assert (encoder(changed, y, given, present)[0] - h)[0].abs().max() > 1e-3
    # Without them, where it is matters.
    encoder = TransformerEncoder(X, D, hidden=8, blocks=2).double()
    h, _ = encoder(x, y, given, present)
    assert (encoder(x + 3, y, given, present)[0] - h)[0].abs().max() > 1e-3


def test_every_head_of_every_block_has_its_own_function_of_differences() -> None:
    torch.manual_seed(0)
    encoder = TransformerEncoder(X, D, hidden=8, blocks=3, heads=2, waves=4).double()
    x, y, given, present = points()
    h, _ = encoder(x, y, given, present)
    for head in range(6):
        before = encoder.bias.cosines.detach().clone()
        with torch.no_grad():
            encoder.bias.cosines[head] += 1
        changed, _ = encoder(x, y, given, present)
        assert (changed - h)[0].abs().max() > 1e-5
        with torch.no_grad():
            encoder.bias.cosines.copy_(before)


def test_layers_begin_apart() -> None:
    one, other = TransformerEncoder(X, D, hidden=8, blocks=2).blocks
    assert (one.linear1.weight - other.linear1.weight).any()
