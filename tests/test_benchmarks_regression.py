"""Regression beside other libraries: the heads are what they say, and only the heads differ."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from torch import Tensor, nn
from torch.distributions import Distribution

from benchmarks import readme, regression
from benchmarks.measure import Comparison
from benchmarks.mixture_heads import TorchMixture, ZukoMixture
from seqmdn.data import StoreWriter
from seqmdn.heads import MixtureHead

D, H, K = 4, 6, 3
OTHERS = {
    "zuko": partial(ZukoMixture, D, H, K),
    "torch, softplus": partial(TorchMixture, D, H, K, positive="softplus"),
    "torch, exp": partial(TorchMixture, D, H, K, positive="exp"),
}


def frames() -> Tensor:
    """Three heaps of unequal shares, features of unequal spread."""
    heap = torch.arange(90).remainder(6).clamp(max=2).double()
    spread = torch.tensor([0.1, 0.2, 0.5, 1.0])
    return 3 * heap.unsqueeze(-1) + spread * torch.randn(90, D, dtype=torch.float64)


@pytest.mark.parametrize("covariance", ["diagonal", "full"])
@pytest.mark.parametrize("name", OTHERS)
def test_other_heads_begin_where_ours_does(name: str, covariance: str) -> None:
    values, h = frames(), torch.zeros(90, H, dtype=torch.float64)
    ours, theirs = MixtureHead(D, H, K).double(), OTHERS[name](covariance=covariance).double()
    for head in (ours, theirs):
        head.initialise(values)
    torch.testing.assert_close(
        theirs(h).log_prob(values), ours(h).log_prob(values), rtol=1e-4, atol=1e-3
    )
    weights = [p.detach() for p in theirs.parameters() if p.ndim == 2]
    assert [float(w.std()) for w in weights] == pytest.approx([0.1 / H**0.5], rel=0.2)


@pytest.mark.parametrize("covariance", ["diagonal", "full"])
def test_both_libraries_make_one_density_of_the_same_numbers(covariance: str) -> None:
    zukos = ZukoMixture(D, H, K, covariance).double()
    torchs = TorchMixture(D, H, K, covariance, positive="exp").double()
    (made,) = zukos.mixture.hyper
    nn.init.normal_(made.weight)
    nn.init.normal_(made.bias)
    torchs.projection.load_state_dict(made.state_dict())
    h, values = torch.randn(20, H).double(), torch.randn(20, D).double()
    found = zukos(h).log_prob(values)
    assert found.shape == (20,) and found.std() > 0.1
    torch.testing.assert_close(torchs(h).log_prob(values), found)


@pytest.mark.parametrize("covariance", ["diagonal", "full"])
def test_zukos_arguments_are_unchecked_and_all_others_checked_again(covariance: str) -> None:
    head = ZukoMixture(D, H, K, covariance)
    assert Distribution._validate_args
    assert head(torch.zeros(2, H)).log_prob(torch.full((2, D), torch.nan)).isnan().all()
    with pytest.raises(RuntimeError):
        head(torch.zeros(2, H + 1))
    assert Distribution._validate_args
    with pytest.raises(ValueError, match="support"):
        TorchMixture(D, H, K, covariance)(torch.zeros(2, H)).log_prob(torch.full((2, D), torch.nan))


@pytest.mark.parametrize("name", regression.SETS)
def test_fits_differ_by_the_head_alone(name: str, tmp_path: Path) -> None:
    recipe = regression.RECIPES / regression.SETS[name]
    tasks = regression.tasks_of(recipe, 2, tmp_path)
    assert [task.seed for task in tasks] == [0] * 6 + [1] * 6, "by turns, seed by seed"
    assert [task.model for task in tasks[:6]] == [head.cell for head in regression.HEADS]
    heads, rest = {}, []
    for task in tasks[:6]:
        config = task.config
        heads[task.model] = config.model.init_args.pop("head")
        config.pop("config")
        rest.append(config)
    assert all(one == rest[0] for one in rest)
    for head in regression.HEADS:
        own = heads[head.beside].init_args
        assert heads[head.cell].init_args.components == own.components
        if head.kind:
            assert heads[head.cell].class_path == f"benchmarks.mixture_heads.{head.kind}"
            assert heads[head.cell].init_args.covariance == head.covariance
        if head.kind == "TorchMixture":
            assert heads[head.cell].init_args.positive == own.positive


def test_differences_are_to_the_low_rank_and_ratios_theirs_by_ours() -> None:
    entry = {"params": 1234, "nll": 2.0, "stderr": 0.5, "seconds": 7.0}
    result = {
        "models": {"mdn_lowrank": entry, "zuko_full": entry},
        "paired": {"zuko_full - mdn_lowrank": {"delta": 0.25, "stderr": 0.1}},
    }
    found = Comparison(0.02, 0.06, 0.02, 0.08, 3.0, 4.0)
    made = regression.lines(
        "wq",
        result,
        {"mdn_lowrank": 1.0, "zuko_full": 1.5},
        [("mdn_lowrank", found, 2_000_000), ("zuko_full", found, 3_000_000)],
    )
    first, second = (line.split(" | ") for line in made)
    assert first[1:5] == ["ours, D + UU'", "1,234", "2.000 ± 0.500", ""]
    assert second[4:] == ["+0.250 ± 0.100", "1.500", "7.0", "3.00", "3.00", "4.00", "3.00 |"]
    assert first[8:10] == ["", ""], "ours beside itself says nothing"
    assert all(line.count("|") == regression.HEADER.count("|") for line in made)


def test_a_run_fits_times_and_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    rng = np.random.default_rng(0)
    store = tmp_path / "rows.h5"
    with StoreWriter(store, ["a", "b"], context=["c"], name="rows", unit="m") as writer:
        for row in range(40):
            split = ("train", "train", "valid", "test")[row % 4]
            writer.append(rng.normal(size=(1, 2)), split, context=rng.normal(size=(1, 1)))
    recipe = tmp_path / "rows"
    recipe.mkdir()
    base = yaml.safe_load((regression.RECIPES / "sarcos/base.yaml").read_text())
    base["data"]["init_args"] = {"path": str(store), "batch_size": 8}
    (recipe / "base.yaml").write_text(yaml.safe_dump(base))
    for name, more in {"mdn": {}, "mdn_lowrank": {"covariance": "lowrank", "rank": 1}}.items():
        head = {"class_path": "seqmdn.heads.MixtureHead", "init_args": {"components": 2, **more}}
        model = {"model": {"init_args": {"head": head}}}
        (recipe / f"{name}.yaml").write_text(yaml.safe_dump(model))
    copy = tmp_path / "README.md"
    copy.write_text(f"before\n{regression.BEGIN}\nold\n{regression.END}\nafter\n")
    monkeypatch.setattr(regression, "put", partial(readme.put, readme=copy))
    monkeypatch.setattr(regression, "RECIPES", tmp_path)
    monkeypatch.setattr(regression, "SETS", {"few": "rows"})
    monkeypatch.setattr(regression, "STEPS", 1)
    monkeypatch.setattr(regression, "HEADS", [*regression.HEADS[:2], regression.HEADS[3]])
    regression.main(["--seeds", "1", "--repeats", "1", "--steps", "2", "--write"])
    text = copy.read_text()
    assert text.startswith("before\n") and text.endswith("after\n") and "old" not in text
    assert "a trial of 2 steps" in text
    rows = [line.split(" | ") for line in text.splitlines() if line.startswith("| few |")]
    assert [row[1] for row in rows] == [head.name for head in regression.HEADS]
    assert rows[1][4] == "" and all(float(row[4].split(" ± ")[1]) > 0 for row in rows[::2])
    assert all(float(row[-1].strip(" |")) > 0 for row in rows), "memory of a step"
    assert text.splitlines()[-4] in capsys.readouterr().out


def test_the_readme_holds_every_head_on_every_set() -> None:
    text = Path(regression.__file__).with_name("README.md").read_text()
    table = text.split(regression.BEGIN)[1].split(regression.END)[0]
    for name in regression.SETS:
        for head in regression.HEADS:
            assert f"| {name} | {head.name} |" in table
