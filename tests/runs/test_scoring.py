"""Scores of runs."""

import math
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from seqmdn.adaptation import adaptive_log_prob
from seqmdn.cli.words import say
from seqmdn.comparison import read_frames
from seqmdn.data import Store
from seqmdn.models import VRNN
from seqmdn.provenance import versions
from seqmdn.runs import draw, evaluate, learning_curve, load_run
from seqmdn.scoring import score_densities
from tests.small import SPLITS, checkpoint, metrics, train, worsening, write_recipe, write_store


def by_hand(run: Path, split: str) -> tuple[list[float], list[int]]:
    """Each sequence's NLL in nats, alone and frame by frame, and its number of frames."""
    made = load_run(run)
    nats, lengths = [], []
    for index in made.data.store.indices(split):
        batch = made.data.sequences(split, [index])
        total, previous, state = torch.zeros(()), None, None
        with torch.no_grad():
            z, ladj = made.model.transform.call_and_ladj(batch.values)
            for t in range(batch.values.shape[1]):
                density, state = made.model.step(previous, state=state)
                total = total + (density.log_prob(z[:, t]) + ladj[:, t]).sum()
                previous = z[:, t]
        nats.append(-float(total))
        lengths.append(batch.values.shape[1])
    return nats, lengths


@pytest.mark.parametrize("per", ["frame", "sequence"])
def test_metrics_are_those_of_the_model(tmp_path: Path, per: str) -> None:
    store = write_store(tmp_path / "walks.h5", attributes={"sequence": "walk"})
    recipe = write_recipe(tmp_path / "recipe", store, per=per)
    run = tmp_path / "run"
    train(recipe, run)
    nats, lengths = by_hand(run, "test")
    assert len(set(lengths)) > 2
    values = [n / t for n, t in zip(nats, lengths, strict=True)] if per == "frame" else nats
    found = metrics(run)
    assert found["nll_per_sequence"] == pytest.approx(values, rel=1e-5)
    assert found["nll"] == pytest.approx(np.mean(values), rel=1e-5)
    assert found["stderr"] == pytest.approx(np.std(values, ddof=1) / math.sqrt(10), rel=1e-4)
    assert found["bits_per_dim"] == pytest.approx(
        sum(nats) / sum(lengths) / 2 / math.log(2), rel=1e-5
    )
    assert found["unit"] == {"frame": "nats/frame", "sequence": "nats/walk"}[per]
    model = load_run(run).model
    assert found["params"] == sum(p.numel() for p in model.parameters())
    with Store(store) as opened:
        assert found["dataset"] == {
            "name": "walks",
            "sha256": opened.sha256,
            "sequences": 10,
            "frames": sum(lengths),
        }
    assert found["split"] == "test" and found["steps"] == 12 and found["seed"] == 0
    assert found["checkpoint"] == "best.ckpt" and found["versions"] == versions()
    assert found["device"] and 0 < found["seconds"] < 600
    assert "limit" not in found


def test_a_run_adapts_to_each_sequence_where_that_is_asked_for(
    small_run: Path, tmp_path: Path
) -> None:
    run = Path(shutil.copytree(small_run, tmp_path / "run"))
    before = evaluate(run, "test")
    told: list[tuple[int, int]] = []
    found = evaluate(run, "test", adapt=1e-3, scored=lambda *how: told.append(how))
    assert metrics(run) == found and "adapted" not in before
    assert {key: found[key] for key in before} == before
    frames = found["dataset"]["frames"]
    assert told == [(done, frames) for done in range(1, frames + 1)]
    made = load_run(run)
    values = []
    for index in made.data.store.indices("test"):
        batch = made.data.sequences("test", [index])
        values.append(-float(adaptive_log_prob(made.model, batch, 1e-3).sum()))
    lengths = made.data.store.lengths[made.data.store.indices("test")]
    adapted = found["adapted"]
    assert adapted["rate"] == 1e-3
    per_frame = np.array(values) / lengths
    assert adapted["nll_per_sequence"] == pytest.approx(list(per_frame), rel=1e-5)
    assert adapted["nll"] == pytest.approx(per_frame.mean(), rel=1e-5)
    assert adapted["nll"] != pytest.approx(found["nll"], rel=1e-4)
    bits = sum(values) / lengths.sum() / 2 / math.log(2)
    assert adapted["bits_per_dim"] == pytest.approx(bits, rel=1e-5)
    frames = read_frames(run)
    assert frames["lengths"].tolist() == lengths.tolist()
    assert frames["observations"].tolist() == (2 * lengths).tolist()
    starts = np.cumsum(lengths) - lengths
    for name, nll in {"log_prob": found["nll_per_sequence"], "adapted": per_frame}.items():
        sums = np.add.reduceat(frames[name], starts)
        assert -sums / lengths == pytest.approx(np.array(nll), rel=1e-5), name
    evaluate(run, "valid")
    assert "adapted" not in read_frames(run)
    assert len(read_frames(run)["lengths"]) == len(made.data.store.indices("valid"))


def test_scores_are_added_where_they_are_asked_for(small_run: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(small_run, tmp_path / "run"))
    before = evaluate(run, "valid")
    found = evaluate(run, "valid", draws=30)
    assert metrics(run) == found
    assert {key: found[key] for key in before} == before
    made = load_run(run)
    report = score_densities(made.model, made.data.batches("valid"), draws=30).compute()
    assert {key: found[key] for key in report} == report
    assert report.keys() == found.keys() - before.keys()
    assert {"crps", "energy_score", "coverage_90"} <= report.keys()
    assert found["crps_estimator"] == "exact" and len(found["crps_per_sequence"]) == 6
    assert evaluate(run, "valid", draws=30) == found, "the draws are the same each time"
    assert evaluate(run, "valid") == before


def test_a_run_on_frames_with_missing_features(tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path / "recipe", write_store(tmp_path / "gaps.h5", missing=True))
    with pytest.raises(ValueError, match="made for frames without missing features.*missing true"):
        train(recipe, tmp_path / "refused")
    assert not (tmp_path / "refused").exists()
    train(recipe, tmp_path / "run", "--model.missing", "true")
    made = load_run(tmp_path / "run")
    assert made.model.missing, "a checkpoint rebuilds the model as it was"
    nats, frames, values = [], [], 0
    for index in made.data.store.indices("test"):
        batch = made.data.sequences("test", [index])
        assert batch.observed is not None
        with torch.no_grad():
            nats.append(-made.model.log_prob(batch).item())
        frames.append(batch.values.shape[1])
        values += int(batch.observed.sum())
    assert values < 2 * sum(frames)
    found = evaluate(tmp_path / "run")
    assert found["nll"] == pytest.approx(np.mean(np.divide(nats, frames)), abs=1e-5)
    assert found["bits_per_dim"] == pytest.approx(sum(nats) / values / math.log(2), abs=1e-5)
    drawn, real = draw(made, num=3)
    assert drawn.values.isfinite().all() and real.observed is not None
    with pytest.raises(ValueError, match="prime must be 0 where features"):
        draw(made, num=10, prime=2)


def test_a_likelihood_that_is_only_bounded_is_called_a_bound(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = write_recipe(tmp_path / "recipe", write_store(tmp_path / "walks.h5"))
    run = tmp_path / "run"
    small = ("latent", "2"), ("hidden", "8"), ("samples", "4")
    kind = ("--model", "seqmdn.models.VRNN")
    train(recipe, run, *kind, *(f"--model.init_args.{name}={value}" for name, value in small))
    found = metrics(run)
    assert found["bound"] is True and found["bound_is"] == "importance-weighted, 4 draws"
    model, data = load_run(run).model, load_run(run).data
    assert isinstance(model, VRNN)
    with torch.no_grad():
        batches = list(data.batches("test"))
        weighted = torch.cat([-model.log_prob(b) / b.lengths for b in batches])
        evidence = torch.cat([-model.evidence_bound(b) / b.lengths for b in batches])
    other = found["bounds"]["evidence bound"]
    assert found["nll_per_sequence"] == pytest.approx(weighted.tolist(), rel=1e-5)
    assert other["nll_per_sequence"] == pytest.approx(evidence.tolist(), rel=1e-5)
    assert other["nll"] == pytest.approx(evidence.mean().item(), rel=1e-5)
    assert other["nll"] > found["nll"]
    assert not (run / "frames.npz").exists()  # no frame has a density of its own
    say(found, run)
    said = capsys.readouterr().out
    assert f"NLL ≤ {found['nll']:.4f}" in said and "(importance-weighted, 4 draws)" in said
    assert f"evidence bound: NLL ≤ {other['nll']:.4f}" in said
    for refused in ({"draws": 20}, {"adapt": 1e-3}):
        with pytest.raises(ValueError, match="a VRNN has no density of single frames"):
            evaluate(run, **refused)  # type: ignore[arg-type]


def test_the_limit_is_told_where_it_is_known(tmp_path: Path) -> None:
    store = write_store(tmp_path / "noisy.h5", noisy=True, context=True)
    recipe = write_recipe(tmp_path / "recipe", store, noise="seqmdn.data.GaussianLatents")
    run = tmp_path / "run"
    train(recipe, run)
    for split, found in {"test": metrics(run), "valid": evaluate(run, "valid")}.items():
        with Store(store) as opened:
            rows = [opened.read(i)[0][:, 2:].astype(np.float64) for i in opened.indices(split)]
        entropy = np.mean([(0.5 * (np.log(2 * np.pi * np.e) + r)).sum(1).mean() for r in rows])
        assert found["limit"] == pytest.approx(entropy)
        assert found["gap_to_limit"] == pytest.approx(found["nll"] - entropy)
        assert entropy < found["nll"]


def test_the_scored_weights_are_the_best_ones(recipe: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    train(recipe, run, *worsening(6))
    steps, curve = learning_curve(run)
    assert steps == [4, 8, 12] and curve[0] < curve[1] < curve[2]
    assert metrics(run)["steps"] == checkpoint(run, "best")["global_step"] == 4
    assert checkpoint(run)["global_step"] == 12
    until = [checkpoint(run, name)["seqmdn"]["seconds"] for name in ("best", "last")]
    assert until[0] < until[1] < metrics(run)["seconds"], "the time is that of all steps"
    assert evaluate(run, "valid")["nll"] == pytest.approx(curve[0], rel=1e-6)
    last = run / "checkpoints" / "last.ckpt"
    before = metrics(run)
    assert evaluate(last, "valid")["nll"] == pytest.approx(curve[2], rel=1e-6)
    assert metrics(run) == before, "only a run's folder is written to"


def test_evaluate_rewrites_the_metrics(small_run: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(small_run, tmp_path / "run"))
    before = metrics(run)
    evaluate(run, "train")
    found = metrics(run)
    assert found["split"] == "train" and len(found["nll_per_sequence"]) == SPLITS["train"]
    assert found["dataset"]["sequences"] == SPLITS["train"]
    assert found["seconds"] == before["seconds"] and found["nll"] != before["nll"]
    (run / "metrics.json").unlink()
    evaluate(run)
    again = metrics(run)
    assert again.pop("seconds") == checkpoint(run, "best")["seqmdn"]["seconds"]
    assert again == {key: value for key, value in before.items() if key != "seconds"}


def test_evaluate_takes_other_data(small_run: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(small_run, tmp_path / "run"))
    other = write_store(tmp_path / "other.h5", seed=6)
    found = evaluate(run, data=other)
    with Store(other) as opened:
        assert found["dataset"]["sha256"] == opened.sha256
    assert found["nll"] != metrics(small_run)["nll"]
    wide = write_store(tmp_path / "wide.h5", features=3)
    with pytest.raises(ValueError, match="a model of 2 features, the data have 3: name the right"):
        evaluate(run, data=wide)
