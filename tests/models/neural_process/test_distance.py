"""Attention by distance, written by hand, and what is found where nothing is near."""

import pytest
import torch

from seqmdn.models.neural_process import DistanceEncoder
from tests.contracts import perturbed
from tests.models.neural_process.kinds import D, X, points


def build(**options: float) -> DistanceEncoder:
    torch.manual_seed(0)
    encoder = DistanceEncoder(
        X, D, **{"hidden": 8, "layers": 1, "heads": 2, "places": 3, "maps": 2, **options}
    )
    return perturbed(encoder, 0.2).double()


def test_it_is_a_mean_weighted_by_distance_in_u() -> None:
    encoder = build(self_attention=0)
    x, y, given, present = points()
    h, task = encoder(x, y, given, present)
    attention, u = encoder.attention, encoder.places(x[0])
    r = encoder.of_points(torch.cat((u[:3], y[0, :3]), dim=-1))
    values, nothing = attention.values(r), attention.nothing
    torch.testing.assert_close(task[0], r.mean(0))
    for t in (0, 5):
        found = []
        for head in range(2):
            own = slice(4 * head, 4 * head + 4)
            squares = (u[t] - u[:3]).square().sum(-1)
            near = (-0.5 * squares / attention.log_lengths[head].exp() ** 2).exp()
            alone = attention.log_nothing[head].exp()
            total = near @ values[:, own] + alone * nothing[own]
            found.append(total / (near.sum() + alone))
        seen = attention.out(torch.cat(found))
        torch.testing.assert_close(h[0, t], encoder.decoder(torch.cat((u[t], seen, task[0]))))


@pytest.mark.parametrize("rounds", [0, 2])
def test_far_from_all_given_points_nothing_of_them_is_found(rounds: int) -> None:
    encoder = build(self_attention=rounds)
    x, y, given, present = points()
    x[0, 5] += 1000.0
    # With the mean of the task taken away, the decoder sees what is near alone.
    with torch.no_grad():
        encoder.decoder[0].weight[:, -8:] = 0
    h, _ = encoder(x, y, given, present)
    other, _ = encoder(x, 10 * y, given, present)
    torch.testing.assert_close(h[0, 5], other[0, 5], rtol=0, atol=1e-12)
    assert (h[0, 4] - other[0, 4]).abs().max() > 1e-3


@pytest.mark.parametrize("rounds", [0, 1])
def test_given_points_see_each_other_in_rounds_alone(rounds: int) -> None:
    encoder = build(self_attention=rounds)
    x, y, given, present = points()
    moved = y.clone()
    moved[0, 1] += 1
    change = encoder(x, moved, given, present)[1][0] - encoder(x, y, given, present)[1][0]
    u = encoder.places(x[0, 1])
    own = [encoder.of_points(torch.cat((u, each[0, 1]))) for each in (moved, y)]
    assert torch.allclose(change, (own[0] - own[1]) / 3) == (rounds == 0)


def test_single_precision_finds_the_same() -> None:
    encoder = build()
    x, y, given, present = points()
    h, _ = encoder(x, y, given, present)
    found, _ = encoder.float()(x.float(), y.float(), given, present)
    torch.testing.assert_close(found.double(), h, rtol=1e-4, atol=1e-4)


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="heads must divide the 8 features, found 3"):
        build(heads=3)
    with pytest.raises(ValueError, match="self_attention must be at least 0, found -1"):
        build(self_attention=-1)
    with pytest.raises(ValueError, match="features must be at least the 2 inputs, found 1"):
        build(places=1)
    with pytest.raises(ValueError, match="contraction must be above 0 and below 1, found 1"):
        build(contraction=1.0)
