"""Several draws of the noise: a bound that rises, and that is one."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.distributions import Categorical

import seqmdn.compare
from seqmdn.cli import main
from seqmdn.compare import Task, score_all
from seqmdn.data import Batch, SequenceDataModule
from seqmdn.models import DensityModel
from seqmdn.runs import Run, evaluate, load_run
from seqmdn.runs.dequantisation import log_mean_exp
from seqmdn.runs.scoring import score
from tests.images import train_images, write_images

S = 4


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    train_images(folder, write_images(folder / "images.h5"))
    return folder / "run"


def of_draws(run: Run, draws: range) -> np.ndarray:
    with torch.no_grad():
        found = [
            torch.cat([run.model.log_prob(batch) for batch in run.data.batches("test", draw)])
            for draw in draws
        ]
    return torch.stack(found).double().numpy()  # (draws, N)


def test_it_is_the_logarithm_of_the_mean_density_of_each_image(run: Path) -> None:
    found = evaluate(run, dequantise=S)
    (name,) = found["bounds"]
    assert name == f"dequantised, {S} draws" and "bound" not in found
    each = of_draws(load_run(run), range(S))
    expected = -np.log(np.mean(np.exp(each - each.max(0)), axis=0)) - each.max(0)
    bound = found["bounds"][name]
    assert bound["nll_per_sequence"] == pytest.approx(expected.tolist(), rel=1e-5)
    assert bound["bits_per_dim"] == pytest.approx(expected.sum() / (8 * 24) / math.log(2))
    assert found["nll_per_sequence"] == pytest.approx((-each[0]).tolist(), rel=1e-5)
    assert json.loads((run / "metrics.json").read_text())["bounds"] == found["bounds"]
    assert "bounds" not in evaluate(run)


def test_one_draw_is_the_plain_figure(run: Path) -> None:
    found = score(load_run(run), "test", dequantise=1)
    one = found["bounds"]["dequantised, 1 draw"]
    assert one["nll_per_sequence"] == pytest.approx(found["nll_per_sequence"], rel=1e-6)


def test_more_draws_never_worsen_it_in_expectation(run: Path) -> None:
    # Of independent draws, those of S are a mean over all halves of 2 S of them: no luck is in it.
    each = torch.from_numpy(of_draws(load_run(run), range(8)))
    assert len({tuple(row) for row in each.tolist()}) == 8, "each draw is its own"
    bounds = {
        size: torch.stack([log_mean_exp(part) for part in each.split(size)]).mean(0)
        for size in (1, 2, 4, 8)
    }
    for size in (1, 2, 4):
        assert (bounds[2 * size] > bounds[size]).all()


class Known(DensityModel):
    """Levels of known probability, spread by a density that rises within each cell."""

    def __init__(self) -> None:
        super().__init__()
        self.levels = Categorical(logits=torch.linspace(-1, 2, 256).double())

    def loss(self, batch: Batch) -> torch.Tensor:
        return -self.log_prob(batch).mean()

    def log_prob(self, batch: Batch) -> torch.Tensor:
        level = batch.values.double().floor()
        return (self.levels.log_prob(level) + (2 * (batch.values.double() - level)).log()).sum(
            (1, 2)
        )


class Uniform(DensityModel):
    """The density of independent uniform noise between 0 and 256."""

    def loss(self, batch: Batch) -> torch.Tensor:
        return -self.log_prob(batch).mean()

    def log_prob(self, batch: Batch) -> torch.Tensor:
        inside = (batch.values > 0) & (batch.values < 256)
        return torch.where(inside, -math.log(256), -math.inf).sum((1, 2))


def measure(run: Run, model: DensityModel, draws: int) -> dict[str, float]:
    return score(Run(model, run.data, run.checkpoint, run.description), "test", dequantise=draws)


def test_it_is_a_bound_on_the_probability_of_levels(run: Path) -> None:
    made, model = load_run(run), Known()
    found = measure(made, model, 64)["bounds"]["dequantised, 64 draws"]
    levels = SequenceDataModule(made.data.path)
    levels.setup()
    truth = torch.cat([model.levels.log_prob(b.values).sum((1, 2)) for b in levels.batches("test")])
    plain = measure(made, model, 1)
    assert -truth.mean() < found["nll"] < plain["nll"]


def test_uniform_noise_of_256_levels_is_eight_bits(run: Path) -> None:
    found = measure(load_run(run), Uniform(), S)
    assert found["bits_per_dim"] == pytest.approx(8, abs=1e-6)
    assert found["bounds"][f"dequantised, {S} draws"]["bits_per_dim"] == pytest.approx(8, abs=1e-6)


def test_data_that_are_not_dequantised_have_none(
    tmp_path: Path, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = train_images(tmp_path, write_images(tmp_path / "images.h5"), noise=None)
    message = "levels are spread by seqmdn.data.UniformDequantise, found no noise"
    with pytest.raises(ValueError, match=message):
        score(plain, "test", dequantise=2)
    with pytest.raises(ValueError, match="1 draw or more to dequantise with, found 0"):
        score(load_run(run), "test", dequantise=0)
    main(["evaluate", str(run), "--split", "valid", "--dequantise", "2"])
    assert "dequantised, 2 draws: NLL ≤ " in capsys.readouterr().out


def test_finished_runs_are_given_the_bound_once(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluate(run)
    train_images(tmp_path, write_images(tmp_path / "images.h5"), noise=None)
    tasks = [Task(name, 0, (), out) for name, out in (("a", run), ("b", tmp_path / "run"))]
    score_all(tasks, draws=None, dequantise=2)
    found = [json.loads((task.out / "metrics.json").read_text()) for task in tasks]
    assert list(found[0]["bounds"]) == ["dequantised, 2 draws"]
    assert not found[1].get("bounds"), "without noise there is nothing to bound"
    score_all(tasks[:1], draws=None, dequantise=3)
    both = json.loads((run / "metrics.json").read_text())["bounds"]
    assert sorted(both) == ["dequantised, 2 draws", "dequantised, 3 draws"]
    monkeypatch.setattr(seqmdn.compare, "score", lambda *_, **__: pytest.fail("scored already"))
    score_all(tasks[:1], draws=None, dequantise=2)
