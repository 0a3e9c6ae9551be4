"""Drawing: what is drawn follows the density, and nothing else is touched."""

import random
from collections.abc import Callable
from functools import partial
from itertools import islice

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor, nn
from torch.distributions import Categorical, MixtureSameFamily, Normal

from seqmdn.backbones import GRUBackbone, LSTMBackbone
from seqmdn.data import Batch, Logit, Standardise
from seqmdn.flows import MaskedAutoregressive
from seqmdn.generation import generate, stream
from seqmdn.heads import FlowMixtureHead, MixtureHead
from seqmdn.models import SequenceModel
from tests.contracts import perturbed

D, X = 2, 3
HEADS = {
    "lowrank": partial(MixtureHead, components=3, covariance="lowrank", rank=1),
    "factorised": partial(MixtureHead, components=3, factorised=True),
    "flow": partial(FlowMixtureHead, components=3),
    "conditional flow": partial(FlowMixtureHead, components=3, conditional=True),
}
SHARP = {"mixing": 1e-3, "scale": 1e-12}
"""Temperatures at which a draw is the mean of the heaviest component."""


def build(
    head: Callable[[int, int], nn.Module] = HEADS["lowrank"],
    context: int = 0,
    features: int = D,
    dropout: float = 0.0,
    strength: float = 0.5,
) -> SequenceModel:
    """A model that has seen data of mean 100 and deviation 20, and that depends on all it sees."""
    torch.manual_seed(0)
    model = SequenceModel(
        features,
        context,
        backbone=partial(LSTMBackbone, hidden=8, dropout=dropout),
        head=head,
    )
    model.initialise(100 + 20 * torch.randn(500, features))
    perturbed(model)
    perturbed(model.backbone, strength)
    perturbed(model.head.projection, strength)
    return model


def uniform(values: Tensor) -> float:
    """How well the values pass for uniform on (0, 1), as a p-value."""
    return float(stats.kstest(values.flatten().double().numpy(), "uniform").pvalue)


@pytest.mark.parametrize("head", HEADS)
def test_the_seed_alone_decides(head: str) -> None:
    model = build(HEADS[head])
    first = generate(model, 5, 7, seed=3)
    torch.manual_seed(1234)
    again, other = generate(model, 5, 7, seed=3), generate(model, 5, 7, seed=4)
    assert first.values.shape == (5, 7, D) and first.lengths.tolist() == [7] * 5
    assert first.context is None and first.start is None
    assert torch.equal(first.values, again.values)
    assert (first.values != other.values).all()
    assert len(first.values.unique()) == first.values.numel(), "draws that repeat each other"
    assert not first.values.requires_grad and first.values.dtype == torch.float32


def test_global_generators_are_not_touched(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: object) -> None:
        raise AssertionError("seeds a device that the model is not on")

    model = build()
    monkeypatch.setattr(torch.cuda, "manual_seed_all", forbidden)
    states = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()
    generate(model, 2, 4)
    frames = stream(model, 2)
    next(frames)
    next(frames)
    assert torch.equal(torch.get_rng_state(), states[0])
    assert (np.random.get_state()[1] == states[1]).all() and random.getstate() == states[2]


def test_modes_are_as_before_and_dropout_is_off() -> None:
    model = build(dropout=0.5)
    expected = generate(model.eval(), 3, 6).values
    assert not any(module.training for module in model.modules())
    model.train()
    model.head.eval()  # a part that its user has frozen
    before = [module.training for module in model.modules()]
    assert torch.equal(generate(model, 3, 6).values, expected), "dropout was on"
    assert [module.training for module in model.modules()] == before
    for frame, drawn in zip(stream(model, 3), expected.unbind(1), strict=False):
        assert torch.equal(frame, drawn)
        assert [module.training for module in model.modules()] == before, "between two frames"
    with pytest.raises(RuntimeError, match="wrong"):

        def wrong(*_: object) -> None:
            raise RuntimeError("wrong")

        model.backbone.register_forward_pre_hook(wrong)
        generate(model, 3, 6)
    assert [module.training for module in model.modules()] == before, "after an error"


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("temperatures", [{}, {"mixing": 0.5, "scale": 3.0}], ids=["", "tempered"])
def test_draws_are_those_of_the_steps_densities(head: str, temperatures: dict) -> None:
    model = build(HEADS[head], X)
    context, prime = torch.randn(4, 9, X), 100 + 20 * torch.randn(4, 3, D)
    drawn = generate(model, 4, 8, context=context, prime=prime, seed=5, **temperatures)
    torch.manual_seed(5)
    previous, state = None, None
    for t in range(8):
        with torch.no_grad():
            density, state = model.step(previous, context[:, t], state, batch_size=4)
        if t < 3:
            previous = model.transform(prime[:, t])
            continue
        previous = (density.tempered(**temperatures) if temperatures else density).sample()
        torch.testing.assert_close(drawn.values[:, t], model.transform.inverse(previous))


def test_the_prime_is_returned_as_it_is_and_decides_what_follows() -> None:
    model = build()
    prime = 100 + 20 * torch.randn(4, 3, D)
    primed = generate(model, 4, 8, prime=prime)
    assert torch.equal(primed.values[:, :3], prime)
    for t in range(3):
        other = prime.clone()
        other[:, t] += 30
        found = generate(model, 4, 8, prime=other).values[:, 3]
        assert (found != primed.values[:, 3]).any(1).all(), f"frame {t} has no influence"
    one = generate(model, 4, 8, prime=prime[0])
    assert torch.equal(one.values[:, :3], prime[0].expand(4, 3, D))
    assert torch.equal(one.values[:1], generate(model, 4, 8, prime=prime[:1]).values[:1])
    assert torch.equal(generate(model, 4, 3, prime=prime).values, prime)
    nothing = generate(model, 4, 8, prime=prime[:, :0])
    assert torch.equal(nothing.values, generate(model, 4, 8).values)


@pytest.mark.parametrize("head", HEADS)
def test_primed_with_its_own_frames_a_stream_goes_on(head: str) -> None:
    model = build(HEADS[head], X)
    context = torch.randn(3, 12, X)
    whole = generate(model, 3, 12, context=context, **SHARP).values
    assert (whole[:, 1:] - whole[:, :-1]).abs().amax(-1).min() > 0.1, "all frames are alike"
    for split in (1, 5, 11):
        prime = whole[:, :split]
        again = generate(model, 3, 12, context=context, prime=prime, **SHARP).values
        torch.testing.assert_close(again, whole, rtol=1e-4, atol=1e-3)


def test_a_stopped_sequence_has_its_length_and_zeros_after_it() -> None:
    model = build(context=X)
    context = torch.randn(50, 30, X)
    prime = torch.full((2, D), 1000.0)  # beyond the limit, but not drawn

    def high(frame: Tensor) -> Tensor:
        assert frame.shape == (50, D)
        return frame[:, 0] > 110

    free = generate(model, 50, 30, context=context, prime=prime).values
    drawn = generate(model, 50, 30, context=context, prime=prime, stop=high)
    expected = []
    for sequence in free:
        ends = [t for t in range(2, 30) if sequence[t, 0] > 110]
        expected.append(ends[0] + 1 if ends else 30)
    assert len(set(expected)) > 3 and min(expected) < 30
    assert drawn.lengths.tolist() == expected
    longest = max(expected)
    assert drawn.values.shape == (50, longest, D), "goes on when all have stopped"
    for sequence, whole, length in zip(drawn.values, free, expected, strict=True):
        assert torch.equal(sequence[:length], whole[:length])
        assert (sequence[length:] == 0).all()
    assert drawn.context is not None and torch.equal(drawn.context, context[:, :longest])
    assert model.log_prob(drawn).isfinite().all(), "what was drawn can be scored"


def test_draws_can_be_scored_and_trained_on() -> None:
    model = build(context=X)
    growing: list[bool] = []
    handle = model.head.projection.register_forward_hook(
        lambda _, inputs, __: growing.append(inputs[0].requires_grad)
    )
    drawn = generate(model, 4, 5, context=torch.randn(4, 9, X))
    handle.remove()
    assert growing == [False] * 5, "a graph grows with the sequence"
    assert drawn.context is not None and drawn.context.shape == (4, 5, X)
    model.loss(drawn).backward()
    frame = next(stream(model, 4, context=torch.randn(4, 9, X)))
    nn.Linear(D, 1)(frame).sum().backward()
    frame += 1


def test_each_step_sees_its_own_context() -> None:
    model = build(context=X)
    context = torch.randn(3, 6, X)
    whole = generate(model, 3, 6, context=context, **SHARP).values
    for t in range(6):
        other = context.clone()
        other[:, t] += 3
        found = generate(model, 3, 6, context=other, **SHARP).values
        assert torch.equal(found[:, :t], whole[:, :t])
        assert (found[:, t] != whole[:, t]).any(1).all()
    order = torch.tensor([2, 0, 1])
    torch.testing.assert_close(
        generate(model, 3, 6, context=context[order], **SHARP).values, whole[order]
    )


@pytest.mark.parametrize("head", HEADS)
def test_cold_draws_are_means_of_components(head: str) -> None:
    model = build(HEADS[head], strength=0.2)
    with torch.no_grad():
        density, _ = model.step(None)
    base = getattr(density, "base", density)
    weights, loc = base.mixture_distribution.probs[0], base.component_distribution.loc[0]
    cold = generate(model, 2000, 1, scale=1e-12).values[:, 0]
    z = model.transform(cold)
    z = density.transform(z) if head.endswith("flow") else z
    if head == "factorised":
        weights, loc = weights[0], loc[0].unsqueeze(-1)  # of the first feature
        z = z[:, :1]
    distance, nearest = torch.cdist(z.detach(), loc).min(dim=1)
    assert distance.max() < 1e-3
    shares = nearest.bincount(minlength=3) / 2000
    torch.testing.assert_close(shares, weights, atol=0.05, rtol=0)
    heaviest = generate(model, 2000, 1, mixing=1e-3, scale=1e-12).values[:, 0]
    z = model.transform(heaviest)
    z = density.transform(z) if head.endswith("flow") else z
    z = z[:, :1] if head == "factorised" else z
    torch.testing.assert_close(z.detach(), loc[weights.argmax()].expand_as(z), atol=1e-3, rtol=0)


def test_temperatures_reweigh_and_rescale() -> None:
    model = build(partial(MixtureHead, components=3), features=1)
    with torch.no_grad():
        density, _ = model.step(None)
    weights = density.mixture_distribution.probs[0].double() ** (1 / 0.5)
    normal = density.component_distribution
    tempered = MixtureSameFamily(
        Categorical(probs=weights),
        Normal(normal.loc[0, :, 0].double(), (2.5 / normal.diagonal[0, :, 0].double()).sqrt()),
    )
    for options, fits in (({"mixing": 0.5, "scale": 2.5}, True), ({}, False)):
        drawn = generate(model, 20_000, 1, **options).values[:, 0, 0]
        z = (drawn - model.transform.mean) / model.transform.std
        assert (uniform(tempered.cdf(z.double())) > 1e-3) is fits


@pytest.mark.parametrize("backbone", [LSTMBackbone, GRUBackbone])
@pytest.mark.parametrize("form", ["joint", "factorised", "conditional flow", "logit"])
def test_draws_follow_the_density(form: str, backbone: type) -> None:
    flow = partial(MaskedAutoregressive, univariate="spline")
    head = {
        "factorised": partial(MixtureHead, components=3, factorised=True),
        "conditional flow": partial(FlowMixtureHead, components=3, flow=flow, conditional=True),
    }.get(form, partial(MixtureHead, components=3))
    torch.manual_seed(1)
    model = SequenceModel(
        1,
        backbone=partial(backbone, hidden=8),
        head=head,
        transform=partial(Logit, low=0.0, high=200.0) if form == "logit" else Standardise,
    )
    model.initialise((100 + 20 * torch.randn(500, 1)).clamp(1, 199))
    perturbed(model.backbone, 0.8)
    perturbed(model.head, 0.1)
    perturbed(model.head.projection, 0.8)
    drawn = generate(model, 50_000, 2, seed=7).values
    assert not drawn.isnan().any()
    if form == "logit":
        assert drawn.min() > 0 and drawn.max() < 200

    def rank(density: torch.distributions.Distribution, z: Tensor) -> Tensor:
        if form == "conditional flow":
            density, z = density.base, density.transform(z)
        return density.cdf(z)

    with torch.no_grad():
        z = model.transform(drawn)
        first, state = model.step(None, batch_size=50_000)
        second, _ = model.step(z[:, 0], state=state)
        ranks = torch.cat((rank(first, z[:, 0]), rank(second, z[:, 1])), dim=-1)
        # Given the first frame, the second is uniform; given another, it is not.
        others = rank(model.step(z[:, 0].roll(1), state=state)[0], z[:, 1])
    assert uniform(ranks[:, 0]) > 1e-3
    assert uniform(ranks[:, 1]) > 1e-3
    for quarter in ranks[ranks[:, 0].argsort(), 1].chunk(4):
        assert uniform(quarter) > 1e-4, "the second frame depends on the first's rank"
    assert any(uniform(q) < 1e-6 for q in others[ranks[:, 0].argsort()].chunk(4))


def test_draws_are_in_the_datas_units() -> None:
    drawn = generate(build(strength=0.0), 2000, 3).values
    torch.testing.assert_close(drawn.mean((0, 1)), torch.full((D,), 100.0), atol=5, rtol=0)
    torch.testing.assert_close(drawn.std((0, 1)), torch.full((D,), 20.0), atol=5, rtol=0)


def test_a_stream_draws_a_frame_when_it_is_asked_for_it() -> None:
    model = build(context=X)
    context = torch.randn(2, 6, X)
    calls: list[int] = []
    handle = model.backbone.register_forward_hook(lambda *_: calls.append(1))
    frames = stream(model, 2, context=context)
    assert calls == []
    first = next(frames)
    assert first.shape == (2, D) and len(calls) == 1
    rest = list(frames)
    handle.remove()
    assert len(rest) == 5, "a stream ends where its context ends"
    whole = generate(model, 2, 6, context=context).values
    assert torch.equal(torch.stack([first, *rest], dim=1), whole)
    endless = stream(build(), 2)
    assert len(list(islice(endless, 50))) == 50
    assert next(endless).shape == (2, D)


def test_streams_do_not_disturb_each_other() -> None:
    model = build()
    alone = [list(islice(stream(model, 2, seed=seed), 6)) for seed in (1, 2)]
    one, other = stream(model, 2, seed=1), stream(model, 2, seed=2)
    together: list[list[Tensor]] = [[], []]
    for _ in range(6):
        together[0].append(next(one))
        torch.randn(3)  # nor does what its user draws in between
        together[1].append(next(other))
    for found, expected in zip(together, alone, strict=True):
        assert torch.equal(torch.stack(found), torch.stack(expected))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num": 0}, "num must be at least 1, found 0"),
        ({"length": 0}, "length must be at least 1, found 0"),
        ({"prime": torch.zeros(5, D), "length": 4}, "length must be at least 5, found 4"),
        ({"prime": torch.zeros(2, 3, D + 1)}, r"prime must have shape .*found \(2, 3, 3\)"),
        ({"prime": torch.zeros(D)}, r"prime must have shape .*found \(2,\)"),
        ({"prime": torch.zeros(3, 2, D)}, "prime must hold 1 or 2 sequences, found 3"),
        ({"mixing": 0.0}, "temperatures must be positive, found mixing=0.0"),
        ({"scale": -1.0}, "temperatures must be positive, .*scale=-1.0"),
        ({"scale": float("nan")}, "temperatures must be positive, .*scale=nan"),
        ({"context": None}, "context of 3 features, found none"),
        ({"context": torch.zeros(2, 4, X)}, "length 5 needs as many frames of context, found 4"),
        ({"context": torch.zeros(3, 5, X)}, r"shape \(2, T, 3\), found \(3, 5, 3\)"),
        ({"context": torch.zeros(2, 5, 1)}, r"shape \(2, T, 3\), found \(2, 5, 1\)"),
        ({"context": torch.zeros(5, X)}, r"shape \(2, T, 3\), found \(5, 3\)"),
    ],
)
def test_what_does_not_fit_is_refused(options: dict, message: str) -> None:
    model = build(context=X)
    with pytest.raises(ValueError, match=message):
        generate(model, **({"num": 2, "length": 5, "context": torch.zeros(2, 5, X)} | options))


def test_a_model_without_context_looks_at_none() -> None:
    model = build()
    expected = generate(model, 2, 4).values
    assert torch.equal(generate(model, 2, 4, context=torch.randn(2, 4, 9)).values, expected)


def test_doubles_stay_doubles() -> None:
    drawn = generate(build().double(), 2, 3, prime=torch.zeros(1, D))
    assert drawn.values.dtype == torch.float64
    assert isinstance(drawn, Batch) and drawn.lengths.dtype == torch.int64
