"""A density along its input: it integrates to 1, its modes are where the truth has them."""

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from torch.distributions import Categorical

from seqmdn.cli import main
from seqmdn.data import StoreWriter
from seqmdn.distributions import LowRankPrecisionNormal, Mixture
from seqmdn.runs import distinct_modes, load_run, look_conditional


def write_run(folder: Path, inputs: int = 1, steps: int = 200) -> Path:
    """Train on y = +-(10 x + 10) + noise."""
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 1, (600, inputs))
    y = rng.choice([-1, 1], (600, 1)) * (10 * x[:, :1] + 10) + rng.standard_normal((600, 1))
    names = ["x", "w"][:inputs]
    with StoreWriter(folder / "rows.h5", ["y"], "rows", "m", names) as writer:
        writer.append_rows(y, ["train"] * 400 + ["valid"] * 100 + ["test"] * 100, x)
    config = {
        "data": {
            "class_path": "seqmdn.data.SequenceDataModule",
            "init_args": {"path": str(folder / "rows.h5"), "batch_size": 100},
        },
        "model": {
            "class_path": "seqmdn.models.MDN",
            "init_args": {
                "head": {
                    "class_path": "seqmdn.heads.MixtureHead",
                    "init_args": {"components": 2},
                }
            },
        },
        "training": {"optimizer": {"class_path": "torch.optim.Adam", "init_args": {"lr": 0.01}}},
        "trainer": {"max_steps": steps},
    }
    (folder / "base.yaml").write_text(yaml.safe_dump(config))
    main(["fit", "-c", str(folder / "base.yaml"), "--out", str(folder / "run")])
    return folder / "run"


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("conditional"))


def test_the_density_integrates_to_1_at_each_input(source: Path) -> None:
    found = look_conditional(load_run(source), points=7)
    assert found.density.shape == (7, len(found.y)) and found.rows.shape == (100, 2)
    step = found.y[1] - found.y[0]
    torch.testing.assert_close(found.density.sum(1) * step, torch.ones(7), atol=0.03, rtol=0)
    expected = (found.density * found.y).sum(1) * step
    assert found.mean is not None
    torch.testing.assert_close(found.mean, expected, atol=0.3, rtol=0)
    assert (found.names, found.unit) == (("x", "y"), "m")


def test_rows_are_those_of_the_split(source: Path) -> None:
    run = load_run(source)
    for split, count in {"test": 100, "valid": 100, "train": 400}.items():
        rows = look_conditional(run, points=2, split=split).rows
        expected = torch.cat([batch.values[:, 0] for batch in run.data.batches(split)])
        assert len(rows) == count and torch.equal(rows[:, 1:], expected)


def test_both_branches_have_a_mode_at_each_input(source: Path) -> None:
    found = look_conditional(load_run(source), points=5)
    assert found.modes is not None
    for x in found.x.tolist():
        own = found.modes[(found.modes[:, 0] - x).abs() < 1e-6][:, 1].sort().values
        assert own.tolist() == pytest.approx([-10 * x - 10, 10 * x + 10], abs=1.5)


def test_the_command_writes_the_picture(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.png"
    main(["sample", str(source), "--show", "conditional", "--out", str(path)])
    assert capsys.readouterr().out == f"density along 200 inputs: {path}\n"
    with Image.open(path) as picture:
        assert picture.format == "PNG"
    with pytest.raises(SystemExit):
        main(["sample", str(source), "--show", "conditional", "--num", "3", "--out", str(path)])
    assert "expected no --num where a density is shown along" in capsys.readouterr().err


def test_two_inputs_are_refused(tmp_path: Path) -> None:
    run = load_run(write_run(tmp_path, inputs=2, steps=1))
    with pytest.raises(ValueError, match="one target on one input, found a MDN of 1 .* 2 inputs"):
        look_conditional(run)


def test_modes_are_named_once_and_dead_ones_never() -> None:
    loc = torch.tensor([[0.0, 0.0], [0.01, 0.0], [5.0, 0.0], [0.0, 90.0]])
    normals = LowRankPrecisionNormal(loc, torch.ones(4, 2))
    weights = torch.tensor([0.3, 0.3, 0.39, 0.01]).log()
    mixture = Mixture(Categorical(logits=weights), normals).expand((3,))
    for found in distinct_modes(mixture):
        torch.testing.assert_close(
            found, torch.tensor([[0.005, 0.0], [5.0, 0.0]]), atol=1e-3, rtol=0
        )
    assert [len(each) for each in distinct_modes(mixture, least=0.001)] == [3, 3, 3]
