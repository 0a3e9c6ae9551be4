"""Tasks of Gaussian processes in a store."""

import math
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import norm

from data_prep.gaussian_process import main, write_tasks
from data_prep.processes import Process, draw_tasks, log_density, predictive
from seqmdn.data import GivenPoints, SequenceDataModule, Store, decode, file_sha256


def test_the_store_knows_what_each_task_is_from(tmp_path: Path) -> None:
    said = write_tasks(tmp_path / "a.h5", (4, 2, 3), seed=5)
    assert said[0] == "4/2/3 tasks for training, validation and the test"
    data = SequenceDataModule(tmp_path / "a.h5", text=True, points=GivenPoints(), batch_size=3)
    data.setup()
    assert (data.features, data.context, data.name) == (1, 1, "gaussian_process")
    batch = next(data.batches("test"))
    assert batch.text is not None and batch.start is not None
    _, values, processes, _ = draw_tasks(np.random.default_rng([5, 2]), 3)
    assert [Process.read(text) for text in decode(batch.text)] == processes
    np.testing.assert_allclose(
        np.sort(batch.values[..., 0].numpy()), np.sort(values), rtol=1e-6, atol=1e-7
    )
    write_tasks(tmp_path / "b.h5", (9, 2, 3), seed=5)
    tests = []
    for name in "ab":
        with Store(tmp_path / f"{name}.h5") as store:
            tests.append([store.read(index)[0].tolist() for index in store.indices("test")])
    assert tests[0] == tests[1], "each part is drawn by itself"


def test_the_limit_is_what_the_truth_scores_where_it_is_asked(tmp_path: Path) -> None:
    said = write_tasks(tmp_path / "a.h5", (2, 3, 8), seed=1)
    data = SequenceDataModule(tmp_path / "a.h5", text=True, points=GivenPoints(), batch_size=5)
    data.setup()
    scores = []
    for batch in data.batches("test"):
        assert batch.text is not None and batch.start is not None and batch.context is not None
        rows = zip(decode(batch.text), batch.context, batch.values, batch.start, strict=True)
        for text, x, y, start in rows:
            places, values = (part[:, 0].double().numpy() for part in (x, y))
            mean, variance = predictive(
                Process.read(text), places[:start], values[:start], places[start:]
            )
            scores.append(norm.logpdf(values[start:], mean, np.sqrt(variance)).mean())
    limit = data.limit("test")
    assert limit == pytest.approx(-np.mean(scores), rel=1e-9)
    assert said[1] == f"the processes they were drawn from: {limit:.4f} nats/point (test)"
    assert data.limit("valid") not in (None, limit) and data.limit("train") is None
    for other in ({"points": GivenPoints(3, 45)}, {"points": GivenPoints(), "per": "sequence"}, {}):
        changed = SequenceDataModule(tmp_path / "a.h5", **other)
        changed.setup()
        assert changed.limit("test") is None, "a limit of other points"


def test_with_two_branches_the_limit_is_of_who_is_told_the_sides(tmp_path: Path) -> None:
    said = write_tasks(tmp_path / "b.h5", (2, 1, 6), ("rbf",), offset=1.0)
    rule, scores = GivenPoints(), []
    drawn = draw_tasks(np.random.default_rng([0, 2]), 6, ["rbf"], 1.0)
    for index, (x, y, process, signs) in enumerate(zip(*drawn, strict=True)):
        order, given = rule.scored("test", 3 + index, 64)
        scores.append(log_density(process, x[order], y[order], given, signs[order]).mean())
    with Store(tmp_path / "b.h5") as store:
        limit = float(store.attributes["limit_test"])
    assert limit == pytest.approx(-np.mean(scores), rel=1e-4)  # the store holds single precision
    assert said[1].startswith("the processes they were drawn from, told on which side")


def test_the_command_writes_the_same_file_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--train", "3", "--valid", "1", "--test", "1", "--kernels", "rbf", "--offset", "1"]
    main(["--out", str(tmp_path / "a.h5"), *words])
    store = Store(tmp_path / "a.h5")
    assert capsys.readouterr().out.splitlines()[-1] == f"wrote {store}"
    command = str(store.attributes["command"])
    assert store.name == "bimodal" and "--kernels rbf --offset 1 --seed 0" in command
    main(["--out", str(tmp_path / "b.h5"), *command.split()[3:]])
    assert file_sha256(tmp_path / "a.h5") == file_sha256(tmp_path / "b.h5")
    with pytest.raises(SystemExit, match="^data_prep.gaussian_process: expected 1 task or more"):
        main(["--out", str(tmp_path / "c.h5"), *words, "--test", "0"])


@pytest.mark.parametrize("wrong", [{"offset": -1.0}, {"offset": math.inf}, {"seed": -1}])
def test_numbers_that_make_no_sense_are_refused(tmp_path: Path, wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="expected 1 task or more for each part, an offset"):
        write_tasks(tmp_path / "a.h5", (1, 1, 1), **wrong)
    for kernels in ([], ["rbf", "rbf"], ["linear"]):
        with pytest.raises(ValueError, match="expected kernels of .*each once, found"):
            write_tasks(tmp_path / "a.h5", (1, 1, 1), kernels)
