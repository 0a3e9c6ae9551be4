"""A step: what the model does, frame by frame, and what is refused."""

from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from seqmdn.backbones import GRUBackbone, LSTMBackbone, MLPBackbone, WindowBackbone
from seqmdn.data import Batch, Partial, encode
from seqmdn.exporting import ExportError, Step
from seqmdn.exporting.step import unchecked
from seqmdn.heads import AutoregressiveHead, CircuitHead, FlowMixtureHead, MixtureHead, StrokeHead
from seqmdn.models import MDN, VRNN, FrameVAE, SequenceModel, WorldModel
from tests.contracts.modules import perturbed

SMALL = partial(LSTMBackbone, hidden=8, layers=2)


def made(features: int = 3, context: int = 0, **options: Any) -> SequenceModel:
    torch.manual_seed(0)
    options.setdefault("backbone", SMALL)
    return perturbed(SequenceModel(features, context, **options), 0.3).eval()


def stepped(model: Any, batch: Batch) -> Tensor:
    """The log-density of every frame, (B, T), step by step through a Step of tensors alone."""
    step, count = Step(model, ["log_prob"]), len(batch.values)
    state = {
        name: torch.full((count, *each.shape[1:]), torch.nan)  # not read in a first step
        for name, each in step.inputs.items()
        if name.startswith("state_")
    }
    found, frame = [], torch.full_like(batch.values[:, 0], 7.0)
    for t in range(batch.values.shape[1]):
        given = {"frame": frame, "first": torch.full((count,), t == 0)}
        given |= {"value": batch.values[:, t], **state}
        if batch.context is not None:
            given["context"] = batch.context[:, t]
        if batch.text is not None:
            given["text"] = batch.text
        with torch.no_grad():
            out = step(*(given[name] for name in step.inputs))
        named = dict(zip(step.outputs, out, strict=True))
        state = {name: named[f"next_{name}"] for name in state}
        frame = batch.values[:, t]
        found.append(named["log_prob"])
    return torch.stack(found, dim=1)


@pytest.mark.parametrize(
    "options",
    [
        {"context": 2},
        {"backbone": partial(GRUBackbone, hidden=8)},
        {"head": partial(MixtureHead, covariance="lowrank", rank=2), "context": 1},
        {"head": partial(MixtureHead, factorised=True)},
        {"head": partial(FlowMixtureHead, conditional=True)},
        {"head": AutoregressiveHead},
        {"backbone": MLPBackbone},
    ],
    ids=["context", "gru", "low rank", "factorised", "flow", "in turn", "mlp"],
)
def test_200_steps_are_the_model(options: dict[str, Any]) -> None:
    model = made(**options)
    model.transform.fit(5 + 3 * torch.randn(100, 3))
    context = torch.randn(4, 200, model.context) if model.context else None
    batch = Batch(torch.randn(4, 200, 3), torch.full((4,), 200), context=context)
    with torch.no_grad():
        expected = model.frame_log_prob(batch)
    torch.testing.assert_close(stepped(model, batch), expected, rtol=1e-5, atol=1e-5)


def test_missing_features_are_nan() -> None:
    model = made(missing=True, head=partial(MixtureHead, covariance="lowrank", rank=2))
    values, observed = torch.randn(4, 20, 3), torch.rand(4, 20, 3) < 0.6
    batch = Batch(values, torch.full((4,), 20), observed=observed)
    with torch.no_grad():
        expected = model.frame_log_prob(batch)
    gaps = batch._replace(values=values.where(observed, torch.nan), observed=None)
    torch.testing.assert_close(stepped(model, gaps), expected, rtol=1e-5, atol=1e-5)


def writer() -> SequenceModel:
    window = partial(WindowBackbone, alphabet="abc", hidden=8, windows=2, pace=0.3)
    return made(4, head=StrokeHead, transform=Partial, backbone=window)


def test_a_text_is_read() -> None:
    model, text = writer(), encode(["cab", "a", "bb"])
    values = torch.cat((torch.randn(3, 30, 2), (torch.rand(3, 30, 2) < 0.3).float()), dim=-1)
    batch = Batch(values, torch.full((3,), 30), text=text)
    with torch.no_grad():
        expected = model.frame_log_prob(batch)
    torch.testing.assert_close(stepped(model, batch), expected, rtol=1e-5, atol=1e-5)
    # A text that is not read changes nothing.
    other = batch._replace(text=encode(["abc", "b", "cc"]))
    assert (stepped(model, other) - expected).abs().max() > 1e-3


def test_a_draw_says_whether_it_is_the_last() -> None:
    step = Step(writer())
    assert step.outputs[:7] == [
        *("logits", "loc", "diagonal", "bits", "couplings"),
        *("draw", "ended"),
    ]
    given = step.inputs | {"uniform": torch.rand(3, step.noise.uniform)}
    given["uniform"][:, -1] = torch.tensor([0.0, 1.0, 0.0])  # that of the last bit
    with torch.no_grad():
        found = dict(zip(step.outputs, step(*given.values()), strict=True))
    assert found["ended"].tolist() == [True, False, True]
    assert torch.equal(found["ended"], found["draw"][:, -1] == 1)
    assert "ended" not in Step(made()).outputs


def test_a_draw_is_in_the_units_of_the_data() -> None:
    model = made()
    model.transform.fit(torch.tensor([1000.0, 2000.0, 3000.0]) + torch.randn(50, 3))
    step = Step(model, ["draw"])
    with torch.no_grad():
        found = step(*step.inputs.values())[0]
    assert ((found - torch.tensor([1000.0, 2000.0, 3000.0])).abs() < 10).all()


def test_rows_of_a_regression_have_neither_frame_nor_state() -> None:
    model = perturbed(MDN(2, 3), 0.3).eval()
    step = Step(model, ["parameters", "draw", "log_prob"])
    assert list(step.inputs) == ["context", "uniform", "normal", "value"]
    given = {name: torch.rand(7, *each.shape[1:]) for name, each in step.inputs.items()}
    with torch.no_grad():
        found = dict(zip(step.outputs, step(*given.values()), strict=True))
        batch = Batch(given["value"].unsqueeze(1), torch.ones(7, dtype=torch.int64))
        expected = model.log_prob(batch._replace(context=given["context"].unsqueeze(1)))
    torch.testing.assert_close(found["log_prob"], expected)
    assert found["draw"].shape == (7, 2)


def test_a_world_is_a_sequence() -> None:
    step = Step(WorldModel(6, 2, latents=4).eval())
    assert step.outputs[-3:] == ["ended", "next_state_0", "next_state_1"]
    assert "part_0_logits" in step.outputs and "bits" in step.outputs


def test_features_in_turn_are_drawn_and_scored() -> None:
    model = made(head=AutoregressiveHead)
    assert Step(model).outputs[0] == "draw"
    with pytest.raises(ExportError, match="drawn in turn have no parameters before the draw"):
        Step(model, ["parameters", "draw"])


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (VRNN(2), "found a VRNN: it can be exported as safetensors"),
        (FrameVAE(12288), "found a FrameVAE"),
        (nn.Linear(2, 2), "found a Linear"),
        (made(head=CircuitHead), "draws of a Circuit cannot be exported"),
        (made().train(), "found one in training: call model.eval"),
    ],
    ids=["vrnn", "vae", "layer", "circuit", "training"],
)
def test_other_models_are_refused(model: nn.Module, reason: str) -> None:
    with pytest.raises(ExportError, match=reason):
        Step(model)


def test_other_outputs_are_refused() -> None:
    for outputs in ([], ["mean"], ["draw", "mean"]):
        with pytest.raises(ExportError, match="expected outputs of"):
            Step(made(), outputs)


class Learned(LSTMBackbone):
    """A backbone that remembers something before the first step."""

    def forward(self, x: Tensor, state: Any = None) -> Any:
        if state is None:
            one = torch.ones(x.shape[0], len(self.layers), self.hidden)
            state = one, one
        return super().forward(x, state)


def test_a_state_that_begins_otherwise_is_refused() -> None:
    with pytest.raises(ExportError, match="a Learned whose state begins with zeros"):
        Step(made(backbone=partial(Learned, hidden=8)))


def test_checks_come_back() -> None:
    from torch.distributions import Distribution

    assert Distribution._validate_args
    with pytest.raises(KeyError), unchecked():
        assert not Distribution._validate_args
        raise KeyError
    assert Distribution._validate_args
