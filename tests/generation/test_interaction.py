"""Steps under contexts that come with them: what generate draws, and sequences that begin anew."""

from collections.abc import Callable
from functools import partial

import pytest
import torch
from scipy import stats
from torch import Tensor

from seqmdn.backbones import GRUBackbone, LSTMBackbone
from seqmdn.data import Logit
from seqmdn.generation import Interaction, generate
from seqmdn.heads import AutoregressiveHead, FlowMixtureHead, MixtureHead
from seqmdn.models import VRNN, FrameModel, SequenceModel, WorldModel
from tests.contracts import perturbed

L, X = 3, 2
HEADS = {
    "rmdn": partial(MixtureHead, components=3),
    "frmdn": partial(FlowMixtureHead, components=2, conditional=True),
    "autoregressive": partial(AutoregressiveHead, components=2),
}


def frames(count: int) -> Tensor:
    reward, end = 50 + 20 * torch.randn(count, 1), (torch.rand(count, 1) < 0.2).float()
    return torch.cat((100 + 20 * torch.randn(count, L), reward, end), dim=1)


def build(head: str = "rmdn", context: int = X) -> WorldModel:
    torch.manual_seed(0)
    backbone = partial(LSTMBackbone, hidden=8, layers=2, dropout=0.3, skip=True, bypass=True)
    model = WorldModel(L + 2, context, latents=L, backbone=backbone, head=HEADS[head])
    return moved(model, frames(500))


def moved(model: FrameModel, values: Tensor) -> FrameModel:
    model.initialise(values)
    perturbed(model, 0.3)
    with torch.no_grad():
        model.start.add_(0.5)
    return model


OTHERS: dict[str, Callable[[], FrameModel]] = {
    "gru": lambda: moved(SequenceModel(L + 2, X, partial(GRUBackbone, hidden=6)), frames(500)),
    "vrnn": lambda: moved(VRNN(L + 2, X, latent=3, hidden=8), frames(500)),
}


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("training", [True, False])
def test_frames_are_those_of_generate(head: str, training: bool) -> None:
    model = build(head).train(training)
    context = torch.randn(5, 9, X)
    options = {"mixing": 0.8, "scale": 0.5, "bits": 0.7, "seed": 4}
    expected = generate(model, 5, 9, context=context, stop=lambda y: y[:, 0] > 1e9, **options)
    before = torch.get_rng_state()
    interaction = Interaction(model, 5, **options)
    assert interaction.h is None and interaction.state is None
    found = []
    for now in context.unbind(1):
        found.append(interaction.step(now))
        torch.rand(3)  # someone else's numbers
        assert torch.equal(interaction.ended, found[-1][:, -1] == 1)
    assert torch.equal(torch.stack(found, dim=1), expected.values)
    assert model.training is training and not torch.equal(before, torch.get_rng_state())
    assert not found[0].is_inference() and not interaction.h.is_inference()


@pytest.mark.parametrize("other", OTHERS)
def test_other_models_take_steps_as_well(other: str) -> None:
    model = OTHERS[other]()
    context = torch.randn(3, 4, X)
    expected = generate(model, 3, 4, context=context, seed=2).values
    interaction = Interaction(model, 3, seed=2)
    found = torch.stack([interaction.step(now) for now in context.unbind(1)], dim=1)
    assert torch.equal(found, expected)
    rows = torch.tensor([False, True, False])
    interaction.restart(rows)
    assert interaction.step(context[:, 0]).isfinite().all()


def test_the_state_is_the_models_own() -> None:
    model = build().eval()
    interaction = Interaction(model, 4)
    state, previous = None, None
    for _ in range(4):
        now = torch.randn(4, X)
        frame = interaction.step(now)
        with torch.no_grad():
            h, state = model.advance(previous, now, state, batch_size=4)
        torch.testing.assert_close(interaction.h, h)
        for one, other in zip(interaction.state, state, strict=True):
            torch.testing.assert_close(one, other)
        previous = model.transform(frame)


@pytest.mark.parametrize("ended", [[True, False, False, True], [True] * 4, [False] * 4])
def test_rows_begin_anew_and_the_others_go_on(ended: list[bool]) -> None:
    model, rows = build().eval(), torch.tensor(ended)
    first, second = Interaction(model, 4, seed=1), Interaction(model, 4, seed=1)
    contexts = torch.randn(3, 4, X)
    for now in contexts:
        last = [interaction.step(now) for interaction in (first, second)]
        assert torch.equal(*last)
    first.restart(rows)
    now = torch.randn(4, X)
    drawn, other = first.step(now), second.step(now)
    fresh = Interaction(model, 4)
    fresh.step(now)
    # h of a first step where it is one, else that of the step that was to come.
    expected = torch.where(rows.unsqueeze(1), fresh.h, second.h)
    torch.testing.assert_close(first.h, expected)
    for one, new, old in zip(first.state, fresh.state, second.state, strict=True):
        torch.testing.assert_close(one, torch.where(rows.view(4, 1, 1), new, old))
    torch.testing.assert_close(drawn[~rows], other[~rows])
    # And from there on, as any other second step.
    again = torch.randn(4, X)
    follower = Interaction(model, 4)
    follower.step(now, frame=drawn)
    first.step(again)
    follower.step(again)
    torch.testing.assert_close(first.h[rows], follower.h[rows])


def test_a_row_that_begins_anew_is_drawn_like_a_first_frame() -> None:
    model = build("frmdn").eval()
    many = 4000
    fresh = generate(model, many, 1, context=torch.zeros(many, 1, X), seed=1).values[:, 0]
    interaction = Interaction(model, many, seed=2)
    for _ in range(3):
        interaction.step(2 + torch.randn(many, X))
    rows = torch.arange(many) % 2 == 0
    interaction.restart(rows)
    found = interaction.step(torch.zeros(many, X))
    for column in range(L + 1):
        pvalue = stats.ks_2samp(found[rows, column], fresh[:, column]).pvalue
        assert pvalue > 1e-3, column
    assert stats.ks_2samp(found[~rows, 0], fresh[:, 0]).pvalue < 1e-3


def test_restarts_add_up_and_before_the_first_step_they_are_nothing() -> None:
    model = build().eval()
    one, other = Interaction(model, 3), Interaction(model, 3)
    one.restart()
    now = torch.randn(3, X)
    assert torch.equal(one.step(now), other.step(now))
    one.restart(torch.tensor([True, False, False]))
    one.restart(torch.tensor([False, True, True]))
    fresh = Interaction(model, 3)
    fresh.step(now)
    one.step(now)
    torch.testing.assert_close(one.h, fresh.h)


@pytest.mark.parametrize("share", ["all", "some"])
def test_real_frames_are_followed(share: str) -> None:
    model = build().eval()
    contexts, real = torch.randn(4, 3, X), frames(12).view(4, 3, L + 2)
    rows = torch.tensor([True, True, share == "all"])
    if share == "some":
        real[:, 2] = torch.nan
    interaction = Interaction(model, 3, seed=3)
    given = None if share == "all" else rows
    found = [interaction.step(now, y, given) for now, y in zip(contexts, real, strict=True)]
    drawn = torch.stack(found, dim=1)
    assert torch.equal(drawn[rows], real.transpose(0, 1)[rows]) and drawn.isfinite().all()
    primed = torch.tensor([4, 4, 4 if share == "all" else 0])
    expected = generate(
        model,
        3,
        5,
        context=torch.cat((contexts.transpose(0, 1), torch.ones(3, 1, X)), dim=1),
        prime=real.transpose(0, 1),
        primed=primed,
        stop=lambda y: y[:, 0] > 1e9,
        seed=3,
    ).values
    assert torch.equal(torch.cat((drawn, interaction.step(torch.ones(3, X))[:, None]), 1), expected)


def test_without_a_context_there_is_none_to_give() -> None:
    model = build(context=0)
    expected = generate(model, 2, 3, stop=lambda y: y[:, 0] > 1e9).values
    interaction = Interaction(model, 2)
    for given in (None, torch.zeros(2, 1), None):  # a model without context looks at none
        frame = interaction.step(given)
    assert torch.equal(frame, expected[:, 2])


def test_what_does_not_fit_is_refused() -> None:
    interaction = Interaction(build(), 2)
    for wrong, found in (
        (None, "none"),
        (torch.zeros(2, 3), "shape"),
        (torch.zeros(3, 2), "shape"),
    ):
        with pytest.raises(ValueError, match=rf"context of shape \(2, 2\), found {found}"):
            interaction.step(wrong)
    now = torch.zeros(2, X)
    with pytest.raises(ValueError, match=r"frame must have shape \(2, 5\), found \(5,\)"):
        interaction.step(now, torch.zeros(5))
    for rows in (torch.ones(2), torch.ones(3, dtype=torch.bool)):
        with pytest.raises(ValueError, match=r"rows must be boolean of shape \(2,\)"):
            interaction.restart(rows)
        with pytest.raises(ValueError, match=r"rows must be boolean of shape \(2,\)"):
            interaction.step(now, torch.zeros(2, 5), rows)
    for options in ({"scale": 0.0}, {"mixing": -1.0}, {"bits": float("nan")}):
        with pytest.raises(ValueError, match="temperatures must be positive"):
            Interaction(build(), 2, **options)
    with pytest.raises(ValueError, match="num must be at least 1, found 0"):
        Interaction(build(), 0)


def test_a_frame_that_is_not_finite_is_an_error() -> None:
    torch.manual_seed(0)
    transform = partial(Logit, low=0.0, high=1.0)
    model = SequenceModel(1, head=HEADS["rmdn"], transform=transform)
    with torch.no_grad():
        model.head.projection.bias.fill_(torch.nan)
    with pytest.raises(FloatingPointError, match="not finite"):
        Interaction(model, 2).step()
