"""Graphs: what onnxruntime does with one is what PyTorch does, for any number of sequences."""

import sys
import warnings
from functools import partial
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
from torch import Tensor

from seqmdn.backbones import (
    ConvolutionEncoder,
    GRUBackbone,
    LSTMBackbone,
    MLPBackbone,
    MLPEncoder,
    UGMMLSTMBackbone,
    UGMMNetwork,
    WindowBackbone,
)
from seqmdn.data import Identity, Levels, Partial
from seqmdn.exporting import OUTPUTS, ExportError, Step
from seqmdn.exporting.graph import require, save_graph
from seqmdn.flows import SplineCoupling
from seqmdn.heads import (
    CategoricalHead,
    DiscretisedMixtureHead,
    FlowMixtureHead,
    MixtureHead,
    ProductHead,
    SquaredErrorHead,
    StrokeHead,
)
from seqmdn.models import MDN, SequenceModel, WorldModel
from tests.contracts.modules import perturbed
from tests.exporting.runtime import Graph, eager, levels, random_inputs, worst
from tests.flows.kinds import KINDS
from tests.heads.kinds import AUTOREGRESSIVES, MIXTURES

Frames = dict[str, Tensor]


@pytest.mark.parametrize("batch", [1, 3, 17])
def test_200_steps_of_real_frames(flow_step: Step, flow_graph: Path, batch: int) -> None:
    assert farthest(flow_step, Graph(flow_graph), batch) < 1e-5


@pytest.mark.long
def test_200_steps_of_a_spline(tmp_path: Path) -> None:
    flow = partial(SplineCoupling, transforms=2, hidden=16)
    head = partial(
        FlowMixtureHead, covariance="lowrank", rank=2, flow=flow, conditional=True, components=3
    )
    model = SequenceModel(
        8, 2, backbone=partial(GRUBackbone, hidden=16), head=head, transform=Identity
    )
    step = Step(perturbed(model, 0.2).eval(), OUTPUTS)
    save_graph(step, tmp_path / "spline.onnx", {})
    for batch in (1, 3, 17):
        # Steep pieces multiply what float32 rounds: 2e-5 with frames far beyond their box.
        found = farthest(step, Graph(tmp_path / "spline.onnx"), batch, torch.randn)
        print(f"spline, batches of {batch}: {found:.1e}")
        assert found < 5e-5


def farthest(step: Step, graph: Graph, batch: int, frames: Any = levels) -> float:
    """The largest difference over 200 steps of frames that both are given."""
    found, largest = {}, 0.0
    for t in range(200):
        given = random_inputs(step, batch, frames)
        given["first"] = torch.full((batch,), t == 0)
        # Each hands on its own state.
        states = [name for name in given if name.startswith("state_")]
        mine = given | ({name: found["mine"][f"next_{name}"] for name in states} if t else {})
        its = given | ({name: found["its"][f"next_{name}"] for name in states} if t else {})
        found = {"mine": eager(step, mine), "its": graph(its)}
        largest = max(largest, worst(found["its"], found["mine"]))
    return largest


def test_200_steps_of_draws_that_are_fed_back(flow_step: Step, flow_graph: Path) -> None:
    graph, batch = Graph(flow_graph), 3
    after: dict[str, Frames] = {}
    for t in range(200):
        given = random_inputs(flow_step, batch, levels)
        given["first"] = torch.full((batch,), t == 0)
        fed = {}
        for who in ("mine", "its"):
            own = after.get(who)
            fed[who] = given if own is None else given | _handed(own)
        after = {"mine": eager(flow_step, fed["mine"]), "its": graph(fed["its"])}
    # Differences are amplified from step to step, and yet: pixels of 17 levels, after 200 steps.
    assert (after["its"]["draw"] - after["mine"]["draw"]).abs().max() < 1e-2


def _handed(found: Frames) -> Frames:
    handed = {name[5:]: each for name, each in found.items() if name.startswith("next_")}
    return handed | {"frame": found["draw"]}


def test_a_graph_begins_sequences_anew(flow_step: Step, flow_graph: Path) -> None:
    graph, given = Graph(flow_graph), random_inputs(flow_step, 5, levels)
    given["first"] = torch.tensor([True, False, True, False, False])
    nothing = {
        name: torch.zeros_like(each) if name == "frame" or name.startswith("state_") else each
        for name, each in given.items()
    }
    first, other = graph(given), graph(nothing)
    for name in first:
        torch.testing.assert_close(first[name][[0, 2]], other[name][[0, 2]])
        assert not torch.equal(first[name][[1, 3]], other[name][[1, 3]])


def test_it_says_what_it_is_and_nothing_of_where_it_was_made(
    flow_step: Step, flow_graph: Path
) -> None:
    model = onnx.load(str(flow_graph))
    onnx.checker.check_model(model, full_check=True)
    assert {each.key: each.value for each in model.metadata_props}["unit"] == "pixel level"
    shapes = {
        each.name: [axis.dim_param or axis.dim_value for axis in each.type.tensor_type.shape.dim]
        for each in (*model.graph.input, *model.graph.output)
    }
    assert shapes["frame"] == ["batch", 8] and shapes["next_state_0"] == ["batch", 1, 16]
    assert shapes["first"] == ["batch"] and shapes["factor"] == ["batch", 2, 8, 1]
    assert [each.name for each in model.graph.input] == list(flow_step.inputs)
    content = flow_graph.read_bytes()
    for place in (str(Path(torch.__file__).parent), str(Path(__file__).parents[2])):
        assert place.encode() not in content
    assert b"stack_trace" not in content


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(ImportError, match=r"needs onnxscript.*pip install 'seqmdn\[export\]'"):
        require("onnx", "onnxscript")


def product(*parts: Any, features: int = 3) -> dict[str, Any]:
    head = partial(ProductHead, parts=[(features, part) for part in parts])
    return {"features": features * len(parts), "head": head}


def flowing(conditional: bool, some: slice) -> dict[str, Any]:
    return product(
        *(
            partial(FlowMixtureHead, flow=kind.make, conditional=conditional, components=2)
            for kind in KINDS[some]
        )
    )


def some_levels(shape: tuple[int, ...]) -> Tensor:
    return torch.randint(0, 256, shape).float()


def strokes(shape: tuple[int, ...]) -> Tensor:
    frame = torch.randn(shape)
    frame[:, 2:] = (frame[:, 2:] > 0).float()
    return frame


def with_gaps(shape: tuple[int, ...]) -> Tensor:
    return torch.randn(shape).masked_fill(torch.rand(shape) < 0.3, torch.nan)


def rewarded(shape: tuple[int, ...]) -> Tensor:
    frame = torch.randn(shape)
    frame[:, -1] = (frame[:, -1] > 0).float()
    return frame


# What is asked of each, and its frames where they are not any numbers.
CASES: dict[str, tuple[dict[str, Any], Any]] = {
    "all mixtures": (product(*(kind.make for kind in MIXTURES)), None),
    **{
        f"{'conditional' if given else 'shared'} flows from {i}": (
            flowing(given, slice(i, i + 4)),
            None,
        )
        for given in (False, True)
        for i in range(0, len(KINDS), 4)
    },
    "in turn": (
        product(SquaredErrorHead, *(kind.make for kind in AUTOREGRESSIVES), features=4),
        None,
    ),
    "rank 9": ({"features": 12, "head": partial(MixtureHead, covariance="lowrank", rank=9)}, None),
    "levels": ({"head": DiscretisedMixtureHead, "transform": Levels}, some_levels),
    "classes": (
        {"head": CategoricalHead, "transform": Identity},
        lambda shape: torch.randint(0, 10, shape).float(),
    ),
    "strokes": ({"features": 4, "head": StrokeHead, "transform": Partial}, strokes),
    "missing": (
        {"missing": True, "head": partial(MixtureHead, covariance="lowrank", rank=2)},
        with_gaps,
    ),
    "gru": ({"backbone": partial(GRUBackbone, hidden=8, layers=2)}, None),
    "lstm": (
        {
            "backbone": partial(
                LSTMBackbone, hidden=8, layers=2, skip=True, bypass=True, encoder=MLPEncoder
            )
        },
        None,
    ),
    "ugmm lstm": ({"backbone": partial(UGMMLSTMBackbone, hidden=8)}, None),
    "ugmm network": ({"backbone": UGMMNetwork}, None),
    "mlp": ({"backbone": MLPBackbone}, None),
    "convolution": (
        {
            "features": 8,
            "backbone": partial(
                LSTMBackbone, hidden=8, encoder=partial(ConvolutionEncoder, width=8)
            ),
        },
        None,
    ),
    "window": (
        {
            "features": 4,
            "head": StrokeHead,
            "transform": Partial,
            "backbone": partial(WindowBackbone, alphabet="abc", hidden=8, windows=3),
        },
        strokes,
    ),
    "world": ({"features": 6, "latents": 4, "model": WorldModel}, rewarded),
    "rows": ({"model": MDN, "backbone": MLPBackbone}, None),
}


@pytest.mark.long
@pytest.mark.parametrize("name", CASES)
def test_every_kind(name: str, tmp_path: Path) -> None:
    options, frames = dict(CASES[name][0]), CASES[name][1]
    options.setdefault("backbone", partial(LSTMBackbone, hidden=8))
    make, features = options.pop("model", SequenceModel), options.pop("features", 3)
    torch.manual_seed(0)
    model = perturbed(make(features, 2, **options), 0.1).eval()
    outputs = ["draw", "log_prob"] if name == "levels" else ["parameters", "draw", "log_prob"]
    step, path = Step(model, outputs), tmp_path / "step.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        save_graph(step, path, {})
    graph = Graph(path)
    for batch in (1, 3, 17):
        given = random_inputs(step, batch, frames)
        found = worst(graph(given), eager(step, given))
        print(f"{name}, batches of {batch}: {found:.1e}")
        assert found < 1e-5


@pytest.mark.long
def test_what_has_no_graph_is_refused_by_its_reason(tmp_path: Path) -> None:
    class Odd(MixtureHead):
        def density(self, raw: Tensor) -> Any:
            return super().density(raw + float(raw.sum()))  # a number that no graph knows

    step = Step(SequenceModel(2, head=Odd).eval())
    with pytest.raises(ExportError, match="torch makes no graph of this model: .*safetensors"):
        save_graph(step, tmp_path / "odd.onnx", {})
