"""zuko's own flows by their class paths, and what is refused."""

import sys
from pathlib import Path

import pytest
import torch
import zuko

from seqmdn.flows import Lazy
from tests.contracts import perturbed

PATH = "zuko.flows.MaskedAutoregressiveTransform"


@pytest.mark.parametrize("context", [0, 2])
@pytest.mark.parametrize("path", [PATH, "zuko.flows.gaussianization.ElementWiseTransform"])
def test_it_is_the_transform_of_that_path(path: str, context: int) -> None:
    options = {"hidden_features": [8]} if context or path == PATH else {}
    flow = perturbed(Lazy(3, context, path, options), 0.3)
    name = path.rpartition(".")[2]
    (inner,) = flow.transforms
    assert type(inner).__name__ == name
    h = torch.randn(5, context) if context else None
    y = torch.randn(5, 3)
    z, ladj = flow(h).call_and_ladj(y)
    expected, slope = inner(h).call_and_ladj(y)
    assert torch.equal(z, expected) and torch.equal(ladj, slope)
    torch.testing.assert_close(flow(h).inv(z), y, atol=1e-4, rtol=0)


def test_options_reach_it() -> None:
    (inner,) = Lazy(6, 0, PATH, {"passes": 2}).transforms
    assert isinstance(inner, zuko.flows.MaskedAutoregressiveTransform) and inner.passes == 2


@pytest.mark.parametrize(
    ("path", "options", "message"),
    [
        ("zuko.flows.Nothing", {}, "no class 'zuko.flows.Nothing'"),
        ("zuko.nowhere.Flow", {}, "no class 'zuko.nowhere.Flow'"),
        ("zuko.flows.MAF", {}, "zuko.flows.MAF is no LazyTransform"),
        ("zuko.flows", {}, "zuko.flows is no LazyTransform"),
        (PATH, {"widht": 3}, "does not take these options: .*widht"),
    ],
)
def test_what_does_not_fit_is_said(path: str, options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Lazy(3, 0, path, options)


@pytest.mark.parametrize(
    "path",
    [
        "stranger.Flow",
        "stranger",
        "zuko_stranger.Flow",
        "zuko",
        "",
        ".stranger.Flow",
        "zuko..stranger.Flow",
        "zuko.stranger/stranger.Flow",
        "stranger.zuko.flows.Flow",
    ],
)
def test_what_is_not_zukos_is_refused_before_it_is_imported(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trace = tmp_path / "imported"
    for name in ("stranger", "zuko_stranger"):
        (tmp_path / f"{name}.py").write_text(
            f"import pathlib; pathlib.Path({str(trace)!r}).touch()"
        )
    monkeypatch.syspath_prepend(tmp_path)
    known = set(sys.modules)
    with pytest.raises(ValueError, match="expected a class of zuko's, .*found .* not imported: "):
        Lazy(3, 0, path)
    assert not trace.exists() and set(sys.modules) == known
