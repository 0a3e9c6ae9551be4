"""What every encoder of tasks must do: sets, masks, empty contexts."""

import pytest
import torch
from torch import Tensor

from seqmdn.models.neural_process.encoder import last_given, mean_of_given, perceptron
from tests.contracts import assert_state_is_complete, perturbed
from tests.models.neural_process.kinds import ENCODERS, GIVEN, LENGTHS, STATIONARY, D, X, points

every = pytest.mark.parametrize("name", ENCODERS)


def build(name: str) -> torch.nn.Module:
    torch.manual_seed(0)
    return perturbed(ENCODERS[name](X, D), 0.2).double()


def differs(one: Tensor, other: Tensor) -> bool:
    return bool((one - other).abs().max() > 1e-4)


@every
def test_sizes_are_as_it_says(name: str) -> None:
    encoder = build(name)
    h, task = encoder(*points())
    assert h.shape == (3, 7, encoder.features) and task.shape == (3, encoder.task_features)
    assert h.isfinite().all() and task.isfinite().all()


@every
def test_given_points_are_a_set_and_the_others_stand_in_their_order(name: str) -> None:
    encoder = build(name)
    x, y, given, present = points()
    h, task = encoder(x, y, given, present)
    order = torch.tensor([2, 0, 1, 5, 3, 6, 4])  # of the first task, whose first three are given
    moved, same = encoder(x[:1, order], y[:1, order], given[:1], present[:1])
    torch.testing.assert_close(moved, h[:1, order])
    torch.testing.assert_close(same, task[:1])
    # Where they stand is no matter either.
    moved, same = encoder(*(part[:1].flip(1) for part in (x, y, given, present)))
    torch.testing.assert_close(moved, h[:1].flip(1))
    torch.testing.assert_close(same, task[:1])


@every
def test_what_is_given_is_seen_and_nothing_else(name: str) -> None:
    encoder = build(name)
    x, y, given, present = points()
    h, task = encoder(x, y, given, present)
    hidden = y.where(given.unsqueeze(-1), torch.nan)
    for one, other in zip(encoder(x, hidden, given, present), (h, task), strict=True):
        torch.testing.assert_close(one, other)
    # Another x of a point that is not given is its own affair.
    moved = x.clone()
    moved[0, 4] += 1
    found, same = encoder(moved, y, given, present)
    assert differs(found[0, 4], h[0, 4])
    found[0, 4] = h[0, 4]
    torch.testing.assert_close(found, h)
    torch.testing.assert_close(same, task)
    for change in (x, y):
        moved = change.clone()
        moved[0, 1] += 1
        parts = (moved, y) if change is x else (x, moved)
        found, other = encoder(*parts, given, present)
        assert differs(found[0, 3:], h[0, 3:]) and differs(other[0], task[0])
        torch.testing.assert_close(found[1:], h[1:])  # tasks know nothing of each other
        torch.testing.assert_close(other[1:], task[1:])


@every
def test_padding_changes_nothing(name: str) -> None:
    encoder = build(name)
    x, y, given, present = points()
    h, task = encoder(x, y, given, present)
    for b, length in enumerate(LENGTHS):
        row = slice(b, b + 1)
        alone, own = encoder(*(part[row, :length] for part in (x, y, given, present)))
        torch.testing.assert_close(alone, h[row, :length])
        torch.testing.assert_close(own, task[row])
    # Padding that calls itself given is padding still.
    claimed, own = encoder(x, y, given | ~present, present)
    torch.testing.assert_close(claimed[present], h[present])
    torch.testing.assert_close(own, task)


@every
def test_gradients_reach_every_parameter_and_are_finite(name: str) -> None:
    encoder = build(name)
    x, y, given, present = points()
    x.requires_grad_()
    h, task = encoder(x, y, given, present)
    (h[present].square().sum() + task.square().sum()).backward()
    for parameter_name, parameter in encoder.named_parameters():
        assert parameter.grad is not None and parameter.grad.any(), parameter_name
        assert parameter.grad.isfinite().all(), parameter_name
    assert x.grad is not None and x.grad.isfinite().all()


@every
def test_an_empty_context_says_what_is_known_before(name: str) -> None:
    encoder = build(name)
    x, y, given, present = points()
    nothing = torch.zeros_like(given)
    h, task = encoder(x, y, nothing, present)
    assert h.isfinite().all() and torch.equal(task[0], task[1])
    torch.testing.assert_close(h[1, :4], encoder(x, y, given, present)[0][1, :4])
    assert name in STATIONARY or differs(h[0, 0], h[0, 1]), "x alone must be seen"
    encoder.eval()
    with torch.no_grad():
        torch.testing.assert_close(encoder(x, y, nothing, present)[0], h)


@every
def test_a_point_twice_is_no_trouble(name: str) -> None:
    encoder = build(name)
    x, y, given, present = points()
    x[0, 1], y[0, 1], x[0, 5] = x[0, 0], y[0, 0], x[0, 0]
    h, task = encoder(x, y, given, present)
    assert h.isfinite().all() and task.isfinite().all()
    torch.testing.assert_close(h[0, 0], h[0, 1])


@every
def test_it_is_saved_as_a_whole_and_works_in_half_precision(name: str) -> None:
    encoder = build(name)
    assert_state_is_complete(encoder)
    fresh = ENCODERS[name](X, D).double()
    fresh.load_state_dict(encoder.state_dict())
    assert torch.equal(fresh(*points())[0], encoder(*points())[0])
    x, y, given, present = points()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        h, _ = encoder.float()(x.float(), y.float(), given, present)
    assert h.isfinite().all()


@every
@pytest.mark.parametrize(
    ("place", "shape", "words"),
    [
        (0, (3, 7, X + 1), r"x of shape \(B, T, 2\) .* found \(3, 7, 3\)"),
        (1, (3, 6, D), r"y of \(B, T, 3\), found \(3, 7, 2\) and \(3, 6, 3\)"),
        (2, (3, 6), r"given and present of shape \(3, 7\), found \(3, 6\)"),
    ],
)
def test_what_does_not_fit_is_refused(
    name: str, place: int, shape: tuple[int, ...], words: str
) -> None:
    parts = list(points())
    parts[place] = torch.zeros(shape, dtype=parts[place].dtype)
    with pytest.raises(ValueError, match=words):
        build(name)(*parts)


@every
def test_sizes_below_one_are_refused(name: str) -> None:
    make = ENCODERS[name]
    for sizes, words in [((0, D), "inputs must be"), ((X, 0), "outputs must be")]:
        with pytest.raises(ValueError, match=f"{words} at least 1, found 0"):
            make(*sizes)
    for size, value in make.keywords.items():
        if not isinstance(value, int) or size == "self_attention":
            continue
        with pytest.raises(ValueError, match=f"{size} must be at least 1, found 0"):
            make(X, D, **{size: 0})


def test_a_mean_is_over_the_given_points() -> None:
    r = torch.randn(3, 7, 4).double()
    _, _, given, _ = points()
    found = mean_of_given(r, given, torch.full((4,), 9.0))
    for b, count in enumerate(GIVEN):
        expected = r[b, :count].mean(0) if count else torch.full((4,), 9.0).double()
        torch.testing.assert_close(found[b], expected)


def test_a_perceptron_has_its_layers() -> None:
    widths = [part.weight.shape for part in perceptron(3, 8, 2, 5) if hasattr(part, "weight")]
    assert widths == [(8, 3), (8, 8), (5, 8)]


def test_the_last_given_point_is_that_of_any_task_wherever_it_stands() -> None:
    given = torch.zeros(3, 6, dtype=torch.bool)
    assert last_given(given) == 0
    given[1, 0] = given[2, 4] = True
    assert last_given(given) == 5
