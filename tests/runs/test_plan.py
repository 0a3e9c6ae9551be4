"""What draws are given: labels in place of the contexts of real sequences."""

from pathlib import Path

import numpy as np
import pytest
import torch

from seqmdn.cli import main
from seqmdn.data import Store, StoreWriter
from seqmdn.runs import Run, draw, load_run, stream_draws
from seqmdn.runs.plan import plan_draws
from tests.small import SPLITS, train, write_recipe

LABELS = ["digit 0", "digit 1", "speaker a", "speaker b"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Sequences of 3 to 6 frames around 50 where the digit is 1, around -50 where it is 0."""
    folder = tmp_path_factory.mktemp("labels")
    rng = np.random.default_rng(0)
    with StoreWriter(folder / "said.h5", ["x"], "said", "m", context=LABELS) as writer:
        for split, count in SPLITS.items():
            for place in range(count):
                digit, speaker, length = place % 2, rng.integers(2), int(rng.integers(3, 7))
                label = np.zeros(4)
                label[[digit, 2 + speaker]] = 1
                frames = np.round(100 * digit - 50 + rng.standard_normal((length, 1)))
                writer.append(frames, split, context=np.tile(label, (length, 1)))
    recipe = write_recipe(folder / "recipe", folder / "said.h5", steps=150)
    train(recipe, folder / "run", "--trainer.val_check_interval", "5")
    return load_run(folder / "run")


def test_draws_are_what_they_are_asked_to_be(run: Run) -> None:
    drawn, real = draw(run, 40, length=5, labels=["digit 1", "digit 0"])
    assert drawn.context is not None and real.context is not None
    assert drawn.context[:4, 0, :2].tolist() == [[0, 1], [1, 0]] * 2
    assert torch.equal(drawn.context[:, 0, 2:], real.context[:, 0, 2:])  # nobody asked for others
    assert bool((drawn.context == drawn.context[:, :1]).all())
    means = drawn.values.mean(dim=(1, 2))
    assert means[::2].median() > 40 and means[1::2].median() < -40


def test_labels_hold_for_longer_than_any_real_sequence(run: Run) -> None:
    drawn, real = draw(run, 3, length=50, labels=[])
    assert drawn.values.shape == (3, 50, 1) and drawn.lengths.tolist() == [50] * 3
    assert drawn.context is not None and real.context is not None
    assert torch.equal(drawn.context[:, 40], real.context[:, 0])
    assert plan_draws(run, 3, 5).ends is not None and plan_draws(run, 3, 5, labels=[]).ends is None
    with pytest.raises(ValueError, match="length 50 needs as many frames of context"):
        draw(run, 3, length=50)


def test_what_ends_by_itself_has_room_where_no_context_ends_it(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    longest = int(run.data.store.lengths.max())
    monkeypatch.setattr(run.data, "mark_end", True)
    plan = plan_draws(run, 3)
    assert plan.ends is not None and plan.length == int(plan.ends.max())
    assert plan_draws(run, 3, labels=[]).length == 2 * longest


def test_labels_beside_given_columns_are_refused(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run.data.columns, "given", [0])
    with pytest.raises(ValueError, match="found given columns"):
        plan_draws(run, 1, labels=[])


def test_a_stream_is_given_the_same_labels(run: Run) -> None:
    drawn, _ = draw(run, 2, length=9, labels=["speaker b"], seed=3)
    stream = stream_draws(run, 2, length=9, labels=["speaker b"], seed=3)
    frames = torch.stack([frame for frame, _ in stream.frames], dim=1)
    assert torch.equal(frames, drawn.values)


def test_the_command_takes_labels(run: Run, tmp_path: Path) -> None:
    folder = run.checkpoint.parents[1]
    out = tmp_path / "drawn.h5"
    words = ["--num", "2", "--length", "20", "--out", str(out)]
    main(["sample", str(folder), *words, "--label", "digit 1", "speaker a", "--debug"])
    with Store(out) as store:
        assert store.context_names == LABELS and store.lengths.tolist() == [20, 20]
        assert store.read(0)[1][7].tolist() == [0, 1, 1, 0]


def test_labels_that_cannot_be_are_refused(run: Run, small_run: Path) -> None:
    with pytest.raises(ValueError, match=r"among digit 0, .*speaker b; found 'digit 7'"):
        draw(run, 1, labels=["digit 7"])
    with pytest.raises(ValueError, match="no labels; found 'digit 7'"):
        draw(load_run(small_run), 1, labels=["digit 7"])
