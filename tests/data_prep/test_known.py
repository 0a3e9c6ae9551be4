"""Rows whose density is known: the store says what that density scores on them."""

import doctest
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import multivariate_normal

import data_prep.known
from data_prep import inverse_sine, pedestrian, robot_arm, two_branches
from data_prep.known import Known, mixture_log_density, write_known
from seqmdn.data import SPLITS, SequenceDataModule, Store, file_sha256

MODULES = [two_branches, inverse_sine, robot_arm, pedestrian]
SMALL = {"train": 30, "valid": 10, "test": 20}


def read(store: Store, split: str) -> tuple[np.ndarray, np.ndarray]:
    rows = [store.read(index) for index in store.indices(split).tolist()]
    values, context = zip(*rows, strict=True)
    return np.concatenate(context).astype(float), np.concatenate(values).astype(float)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.KNOWN.name)
def test_the_limit_is_the_truth_at_the_rows_of_the_store(module: object, tmp_path: Path) -> None:
    known: Known = module.KNOWN
    write_known(tmp_path / "a.h5", known, **SMALL, seed=3)
    data = SequenceDataModule(tmp_path / "a.h5", batch_size=6, per="sequence")
    data.setup()
    assert (data.features, data.context) == (len(known.targets), len(known.inputs))
    assert (data.unit, data.name) == ("nats/row", known.name)
    for split, count in SMALL.items():
        assert data.describe(split)["sequences"] == count
        inputs, targets = read(data.store, split)
        each = known.log_density(inputs, targets)
        assert each.shape == (count,) and np.isfinite(each).all()
        assert data.limit(split) == pytest.approx(-each.mean(), abs=1e-12)
    # float32 inputs move the truth by less than anyone could measure.
    drawn = known.draw(np.random.default_rng([3, 2]), SMALL["test"])
    exact = -known.log_density(*drawn).mean()
    assert data.limit("test") == pytest.approx(exact, abs=1e-4)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.KNOWN.name)
def test_the_command_says_what_the_truth_scores(
    module: object, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [word for split, count in SMALL.items() for word in (f"--{split}", str(count))]
    module.main(["--out", str(tmp_path / "a.h5"), *words, "--seed", "1"])
    said = capsys.readouterr().out.splitlines()
    store = Store(tmp_path / "a.h5")
    assert said[0] == "30 train, 10 valid, 20 test rows" and said[-1] == f"wrote {store}"
    limit = store.attributes["limit_test"]
    assert said[1] == f"the density they were drawn from: {limit:.4f} nats/row (test)"
    name = module.KNOWN.name
    expected = f"python -m data_prep.{name} --train 30 --valid 10 --test 20 --seed 1"
    assert store.attributes["command"] == expected
    with pytest.raises(SystemExit, match=f"^data_prep.{name}: expected 1 row or more .*30/0/20"):
        module.main(["--out", str(tmp_path / "b.h5"), *words, "--valid", "0"])
    assert not (tmp_path / "b.h5").exists()


def test_each_part_is_drawn_by_itself(tmp_path: Path) -> None:
    for name, counts in (
        ("a", SMALL),
        ("b", SMALL),
        ("c", {**SMALL, "train": 45}),
        ("d", {**SMALL, "seed": 1}),
    ):
        write_known(tmp_path / f"{name}.h5", two_branches.KNOWN, **counts)
    a, c, d = (Store(tmp_path / f"{name}.h5") for name in "acd")
    assert file_sha256(tmp_path / "b.h5") == a.sha256
    for split in ("valid", "test"):
        np.testing.assert_array_equal(read(a, split), read(c, split))
        assert (read(a, split)[0] != read(d, split)[0]).any()
    parts = [set(read(a, split)[0][:, 0]) for split in SPLITS]
    assert len(set.union(*parts)) == 60, "no row is in two parts"
    with pytest.raises(ValueError, match="a seed of 0 or more, found .* seed -1"):
        write_known(tmp_path / "e.h5", two_branches.KNOWN, seed=-1)


@pytest.mark.parametrize("rank", [0, 2])
def test_mixtures_have_scipys_density(rank: int) -> None:
    rng = np.random.default_rng(0)
    values, means = rng.normal(size=(4, 3)), rng.normal(size=(4, 2, 3))
    weights, diagonal = rng.dirichlet([1, 1], 4), np.array([0.5, 1.0, 2.0])
    factor = rng.normal(size=(4, 2, 3, rank)) if rank else None
    expected = []
    for row in range(4):
        density = 0.0
        for k in range(2):
            own = np.zeros((3, 1)) if factor is None else factor[row, k]
            normal = multivariate_normal(means[row, k], np.diag(diagonal) + own @ own.T)
            density += weights[row, k] * normal.pdf(values[row])
        expected.append(np.log(density))
    found = mixture_log_density(values, weights, means, diagonal, factor)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    far = mixture_log_density(values + 1e3, weights, means, diagonal, factor)
    assert np.isfinite(far).all() and (far < -1e4).all()


def test_examples() -> None:
    for module in (data_prep.known, robot_arm):
        found = doctest.testmod(module)
        assert found.attempted and not found.failed


@pytest.mark.parametrize(
    ("module", "shift"),
    [(two_branches, 0.1), (robot_arm, 0.035), (pedestrian, 0.015)],
    ids=lambda value: getattr(getattr(value, "KNOWN", None), "name", ""),
)
def test_rows_are_drawn_from_the_density_that_is_said(module: object, shift: float) -> None:
    # The mean of p(y - c) / p(y) over draws y of p is 1, and of draws of any other width is not.
    inputs, targets = module.KNOWN.draw(np.random.default_rng(0), 20_000)
    density = module.KNOWN.log_density
    moved = targets + shift * np.resize([1, -1, -1], targets.shape[1])
    ratio = np.exp(density(inputs, moved) - density(inputs, targets))
    assert 0.5 < ratio.std() < 2, "a step of about one standard deviation"
    assert ratio.mean() == pytest.approx(1, abs=4 * ratio.std() / 20_000**0.5)
