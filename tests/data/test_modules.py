"""Which batches a model gets to see, under any number of workers, ranks and restarts."""

import multiprocessing
import re
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from jsonargparse import ArgumentParser
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor, nn

from seqmdn.data import (
    SPLITS,
    Batch,
    GaussianLatents,
    SequenceDataModule,
    Store,
    StoreWriter,
    UniformDequantise,
)

TRAIN = [23, 4, 10, 37, 5, 10, 11]
VALID, TEST = [6, 2, 9, 4, 3], [8, 3, 2]

Seen = list[tuple[int, int, int, int]]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sequences whose frames say who they are: value (sequence, frame), context (-frame)."""
    path = tmp_path_factory.mktemp("store") / "numbers.h5"
    splits = ["train"] * len(TRAIN) + ["valid"] * len(VALID) + ["test"] * len(TEST)
    order = np.random.default_rng(0).permutation(len(splits))
    lengths = np.array(TRAIN + VALID + TEST)[order]
    with StoreWriter(
        path, ["sequence", "frame"], "numbers", "1", ["c"], attributes={"sequence": "walk"}
    ) as writer:
        for number, (place, length) in enumerate(zip(order, lengths, strict=True)):
            frames = np.arange(length)
            values = np.stack([np.full(length, number), frames], axis=1)
            writer.append(values, splits[place], context=-frames[:, None])
    return path


def make(path: Path, **options: object) -> SequenceDataModule:
    arguments: dict = {"batch_size": 4, **options}
    module = SequenceDataModule(path, **arguments)
    module.setup()
    return module


def seen(batch: Batch) -> Seen:
    """What each row is of: sequence, first frame read, first frame that counts, end."""
    rows = []
    starts = torch.zeros_like(batch.lengths) if batch.start is None else batch.start
    for values, length, start in zip(batch.values, batch.lengths, starts, strict=True):
        sequence, begin = (int(number) for number in values[0].floor())
        rows.append((sequence, begin, begin + int(start), begin + int(length)))
    return rows


def equal(first: Batch, second: Batch) -> bool:
    return all(
        (one is None and two is None) or (one is not None and torch.equal(one, two))
        for one, two in zip(first, second, strict=True)
    )


def counts(store: Store, rows: Seen) -> dict[int, np.ndarray]:
    """How often each training frame counted."""
    times = {int(i): np.zeros(store.lengths[i], int) for i in store.indices("train")}
    for sequence, _, first, stop in rows:
        times[sequence][first:stop] += 1
    return times


# One pass.


def test_setup_describes_the_data(path: Path) -> None:
    module = make(path)
    assert (module.features, module.context, module.name) == (2, 1, "numbers")
    assert module.unit == "nats/frame" and make(path, per="sequence").unit == "nats/walk"
    assert len(module.store) == 15
    assert make(path, noise=GaussianLatents()).features == 1
    assert module.describe("test") == {
        "name": "numbers",
        "sha256": Store(path).sha256,
        "sequences": len(TEST),
        "frames": sum(TEST),
    }


def test_whole_sequences_are_the_stored_ones(path: Path) -> None:
    module = make(path)
    batches = list(module.train_dataloader())
    assert len(batches) == len(module.train_dataloader()) == 2
    for batch in batches:
        assert batch.start is None and batch.context is not None
        for row, (sequence, begin, _, stop) in enumerate(seen(batch)):
            values, context = module.store.read(sequence)
            assert (begin, stop) == (0, len(values))
            np.testing.assert_array_equal(batch.values[row, :stop], values)
            np.testing.assert_array_equal(batch.context[row, :stop], context)


def test_every_pass_is_a_permutation_and_every_batch_is_full(path: Path) -> None:
    module = make(path)
    loader = module.train_dataloader()
    rows = [row for _ in range(14) for batch in loader for row in seen(batch)]
    assert len(rows) == 14 * 2 * 4  # 16 passes of 7 sequences
    orders = [tuple(row[0] for row in rows[i : i + 7]) for i in range(0, len(rows), 7)]
    assert all(sorted(order) == module.store.indices("train").tolist() for order in orders)
    assert len(set(orders)) > 12


@pytest.mark.parametrize("window", [1, 3, 10, 36, 37, 100])
def test_a_pass_over_windows_scores_every_frame_once(path: Path, window: int) -> None:
    module = make(path, window=window, batch_size=1)
    for passes in range(3):
        rows = [row for batch in module.train_dataloader() for row in seen(batch)]
        times = np.concatenate(list(counts(module.store, rows).values()))
        assert times.min() == 1 and times.max() <= 2
        assert (times == 2).sum() < window, passes


@pytest.mark.parametrize("window", [3, 10])
def test_every_frame_is_equally_likely_and_tiles_lie_anywhere(path: Path, window: int) -> None:
    module = make(path, window=window, batch_size=1)
    loader, passes = module.train_dataloader(), 400
    rows = [row for _ in range(passes) for batch in loader for row in seen(batch)]
    times = np.concatenate(list(counts(module.store, rows).values())) / passes
    # Only where the circle closes does a frame count twice, which is equally likely everywhere.
    assert times.min() >= 1 and times.max() < 1.15 and times.std() < 0.03
    longest = int(np.argmax(module.store.lengths))
    assert {row[3] for row in rows if row[0] == longest} == set(range(1, max(TRAIN) + 1))


@pytest.mark.parametrize("burn_in", [0, 2, 50])
def test_burn_in_is_what_lies_before_a_window(path: Path, burn_in: int) -> None:
    module = make(path, window=5, burn_in=burn_in)
    rows = []
    for batch in islice(repeated(module.train_dataloader), 40):
        assert batch.start is not None and batch.context is not None
        rows += seen(batch)
        for row, (_, begin, _, stop) in enumerate(seen(batch)):
            frames = torch.arange(begin, stop)
            assert torch.equal(batch.values[row, : stop - begin, 1], frames.float())
            assert torch.equal(batch.context[row, : stop - begin, 0], -frames.float())
    for _, begin, first, stop in rows:
        assert begin == max(0, first - burn_in) and 1 <= stop - first <= 5
    assert any(first == 0 for _, _, first, _ in rows)


def repeated(make_loader: Callable[[], Iterable[Batch]]) -> Iterable[Batch]:
    loader = make_loader()
    while True:
        yield from loader


def test_short_sequences_are_taken_whole(path: Path) -> None:
    module = make(path, window=10)
    rows = [row for _ in range(20) for batch in module.train_dataloader() for row in seen(batch)]
    for sequence, _, first, stop in rows:
        length = int(module.store.lengths[sequence])
        if length <= 10:
            assert (first, stop) == (0, length)


def test_batches_larger_than_the_split_are_full(path: Path) -> None:
    batches = list(make(path, batch_size=20).train_dataloader())
    assert len(batches) == 1 and len(batches[0].lengths) == 20


# Same seed, same batches.

WAYS = {
    "whole": {},
    "windows": {"window": 5, "burn_in": 2},
    "noise": {"window": 5, "noise": UniformDequantise()},
}


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> dict:
    return WAYS[request.param]


def test_batches_follow_from_the_seed(path: Path, way: dict) -> None:
    first, again, other = (list(make(path, seed=s, **way).train_dataloader()) for s in (3, 3, 4))
    assert all(map(equal, first, again))
    assert not all(map(equal, first, other))


def test_nothing_else_draws_on_the_batches(path: Path, way: dict) -> None:
    first = list(make(path, **way).train_dataloader())
    torch.manual_seed(5)
    np.random.seed(5)
    module = make(path, **way)
    list(module.val_dataloader())
    module.sample_frames()
    assert all(map(equal, first, module.train_dataloader()))


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_change_nothing(path: Path, way: dict, workers: int) -> None:
    for name in ("train_dataloader", "val_dataloader", "test_dataloader"):
        alone, shared = (getattr(make(path, workers=n, **way), name)() for n in (0, workers))
        for _ in range(2):
            first, second = list(alone), list(shared)
            assert len(first) == len(second) > 0
            assert all(map(equal, first, second))


def test_spawned_workers_change_nothing(path: Path) -> None:
    alone, shared = (make(path, workers=n, **WAYS["noise"]).train_dataloader() for n in (0, 1))
    shared._loader.multiprocessing_context = "spawn"
    assert all(map(equal, list(alone), list(shared)))


def test_noise_differs_from_pass_to_pass_and_item_to_item(path: Path) -> None:
    loader = make(path, noise=UniformDequantise(), batch_size=7).train_dataloader()
    draws = [batch.values[:, 0].frac().flatten() for _ in range(3) for batch in loader]
    assert len(torch.cat(draws).unique()) > 35  # of 42 draws of 2 ** 15 cells


# Scoring.


def test_scoring_takes_each_sequence_once_in_store_order(path: Path) -> None:
    module = make(path, eval_batch_size=2, window=3)
    loaders = {"valid": module.val_dataloader(), "test": module.test_dataloader()}
    for split, loader in loaders.items():
        batches = list(loader)
        assert len(batches) == len(loader) and all(batch.start is None for batch in batches)
        rows = [row for batch in batches for row in seen(batch)]
        indices = module.store.indices(split).tolist()
        assert rows == [(i, 0, 0, int(module.store.lengths[i])) for i in indices]


@pytest.mark.parametrize("split", SPLITS)
def test_scores_depend_on_neither_seed_nor_batch_size(path: Path, split: str) -> None:
    noise = UniformDequantise()
    first = make(path, noise=noise, seed=0, eval_batch_size=1)
    second = make(path, noise=noise, seed=9, eval_batch_size=100, window=2, per="sequence")
    (together,) = second.batches(split)
    for row, alone in enumerate(first.batches(split)):
        length = int(together.lengths[row])
        assert torch.equal(alone.values[0], together.values[row, :length])
    again = second.sequences(split, second.store.indices(split)[[1, 0]].tolist())
    length = int(again.lengths[0])
    assert torch.equal(again.values[0, :length], together.values[1, :length])
    assert again.start is None


def test_splits_have_noise_of_their_own(path: Path, tmp_path: Path) -> None:
    with StoreWriter(tmp_path / "a.h5", ["x"], "a", "m") as writer:
        for split in (*SPLITS, "test"):
            writer.append(np.zeros((50, 1)), split)
    module = make(tmp_path / "a.h5", noise=UniformDequantise())
    draws = [values for split in SPLITS for batch in module.batches(split) for values in batch[0]]
    assert len(torch.stack(draws).unique(dim=0)) == 4


def test_batches_and_loaders_score_the_same(path: Path) -> None:
    module = make(path, noise=UniformDequantise(), eval_batch_size=2)
    assert all(map(equal, module.batches("valid"), module.val_dataloader()))
    assert all(map(equal, module.batches("test"), module.test_dataloader()))


# Several ranks.


def ranks(path: Path, world_size: int, **options: object) -> list[SequenceDataModule]:
    modules = []
    for rank in range(world_size):
        module = make(path, **options)
        module.trainer = SimpleNamespace(
            world_size=world_size, global_rank=rank, global_step=0, accumulate_grad_batches=1
        )
        modules.append(module)
    return modules


@pytest.mark.parametrize("world_size", [1, 2, 4])
def test_ranks_share_each_batch(path: Path, way: dict, world_size: int) -> None:
    whole = list(make(path, **way).train_dataloader())
    shares = [list(m.train_dataloader()) for m in ranks(path, world_size, **way)]
    assert all(len(share) == len(whole) for share in shares)
    for step, batch in enumerate(whole):
        rows = [row for share in shares for row in seen(share[step])]
        assert sorted(rows) == sorted(seen(batch))
        assert all(len(share[step].lengths) == 4 // world_size for share in shares)


@pytest.mark.parametrize("world_size", [1, 2, 3])
@pytest.mark.parametrize("size", [1, 2, 5])
def test_ranks_score_each_sequence_once(path: Path, world_size: int, size: int) -> None:
    modules = ranks(path, world_size, eval_batch_size=size, batch_size=6)
    for split, name in (("valid", "val_dataloader"), ("test", "test_dataloader")):
        rows = [row for m in modules for batch in getattr(m, name)() for row in seen(batch)]
        assert sorted(row[0] for row in rows) == modules[0].store.indices(split).tolist()


def test_ranks_that_cannot_share_are_told(path: Path) -> None:
    with pytest.raises(ValueError, match="batch_size that 3 ranks can share evenly, found 4"):
        ranks(path, 3)[0].train_dataloader()
    with pytest.raises(ValueError, match="at least 4 sequences of split 'test'.*found 3"):
        ranks(path, 4)[0].test_dataloader()


# Under a trainer.


class Recorder(LightningModule):
    """Keeps what it is given; its one weight makes the trainer count steps."""

    def __init__(self, folder: Path | None = None) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))
        self.folder = folder
        self.trained: list[Batch] = []
        self.scored: Seen = []

    def training_step(self, batch: Batch, index: int) -> Tensor:
        self.trained.append(batch)
        return self.weight * batch.values.mean()

    def validation_step(self, batch: Batch, index: int) -> None:
        self.scored += seen(batch)

    def test_step(self, batch: Batch, index: int) -> None:
        self.scored += seen(batch)

    def on_train_end(self) -> None:
        if self.folder is not None:
            rows = {"trained": [seen(batch) for batch in self.trained], "scored": self.scored}
            torch.save(rows, self.folder / f"{self.global_rank}.pt")

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def trainer(**options: object) -> Trainer:
    quiet: dict = {
        "accelerator": "cpu",
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "num_sanity_val_steps": 0,
        "max_epochs": -1,
    }
    return Trainer(**{**quiet, **options})


class Stop(Callback):
    """Saves and stops after so many steps, wherever in a pass that is."""

    def __init__(self, step: int, path: Path) -> None:
        self.step, self.path = step, path

    def on_train_batch_end(self, trainer: Trainer, *_: object) -> None:
        if trainer.global_step == self.step:
            trainer.save_checkpoint(self.path)
            trainer.should_stop = True


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("stop", [1, 3, 5, 6, 10])
def test_a_resumed_run_goes_on_where_it_stopped(
    path: Path, tmp_path: Path, stop: int, workers: int
) -> None:
    options = {"window": 5, "noise": UniformDequantise(), "workers": workers}
    whole, first, second = Recorder(), Recorder(), Recorder()
    never_stopped = trainer(max_steps=14)
    never_stopped.fit(whole, make(path, **options))
    stopped = trainer(max_steps=14, callbacks=[Stop(stop, tmp_path / "last.ckpt")])
    stopped.fit(first, make(path, **options))
    resumed = trainer(max_steps=14)
    resumed.fit(second, make(path, **options), ckpt_path=tmp_path / "last.ckpt")
    assert [len(run.trained) for run in (whole, first, second)] == [14, stop, 14 - stop]
    assert all(map(equal, whole.trained, first.trained + second.trained))
    assert resumed.current_epoch == never_stopped.current_epoch


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"limit_train_batches": 4},
        {"limit_train_batches": 4, "accumulate_grad_batches": 2},
        {"val_check_interval": 2},
    ],
    ids=str,
)
def test_a_trainer_sees_the_batches_of_its_steps(path: Path, options: dict) -> None:
    recorder = Recorder()
    trainer(max_steps=10, **options).fit(recorder, make(path, window=5))
    steps = 10 * options.get("accumulate_grad_batches", 1)
    assert len(recorder.trained) == steps
    expected = islice(repeated(make(path, window=5).train_dataloader), steps)
    assert all(map(equal, recorder.trained, expected))


def test_workers_end_with_the_run(path: Path) -> None:
    for steps in (3, 14):
        trainer(max_steps=steps).fit(Recorder(), make(path, window=5, workers=2))
        assert multiprocessing.active_children() == []


def test_overfitting_keeps_the_order(path: Path) -> None:
    recorder = Recorder()
    trainer(max_steps=4, overfit_batches=2, limit_val_batches=0).fit(recorder, make(path, window=5))
    expected = islice(repeated(make(path, window=5).train_dataloader), 4)
    assert all(map(equal, recorder.trained, expected))


def test_a_trainer_tests_each_sequence_once(path: Path) -> None:
    recorder, module = Recorder(), SequenceDataModule(path, batch_size=2)
    trainer().test(recorder, module, verbose=False)
    assert [row[0] for row in recorder.scored] == module.store.indices("test").tolist()


def test_two_processes_share_the_batches(path: Path, tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    trainer(max_epochs=1, strategy="ddp_fork", devices=2).fit(recorder, make(path, window=5))
    first, second = (torch.load(tmp_path / f"{rank}.pt") for rank in (0, 1))
    whole = make(path, window=5).train_dataloader()
    for one, two, batch in zip(first["trained"], second["trained"], whole, strict=True):
        assert sorted(one + two) == sorted(seen(batch))
    scored = sorted(row[0] for row in first["scored"] + second["scored"])
    assert scored == make(path).store.indices("valid").tolist()  # an odd number of them


# What is asked of the data before training.


def test_sample_frames_gives_all_if_they_are_few(path: Path) -> None:
    module = make(path)
    frames = module.sample_frames()
    expected = np.concatenate([module.store.read(i)[0] for i in module.store.indices("train")])
    assert frames.dtype == torch.float32
    np.testing.assert_array_equal(frames, expected)


@pytest.mark.parametrize("limit", [1, 20, 99])
def test_sample_frames_takes_some_of_many(path: Path, limit: int) -> None:
    module = make(path, window=3)
    frames = module.sample_frames(limit)
    assert frames.shape == (limit, 2)
    assert len(frames.unique(dim=0)) == limit
    assert set(frames[:, 0].int().tolist()) <= set(module.store.indices("train").tolist())
    assert torch.equal(frames, make(path, window=3, seed=8).sample_frames(limit))
    if limit == 20:
        assert len(frames[:, 0].unique()) >= 3


def test_sample_frames_has_noise(path: Path) -> None:
    module = make(path, noise=UniformDequantise())
    frames = module.sample_frames()
    u = frames - make(path).sample_frames()
    assert (u > 0).all() and (u < 1).all() and len(u.unique()) > 190
    assert torch.equal(frames, make(path, noise=UniformDequantise(), seed=1).sample_frames())


def test_the_limit_is_the_entropy_of_the_noise(tmp_path: Path) -> None:
    path = tmp_path / "latents.h5"
    logvar = [np.array([[0.0], [2.0]]), np.array([[-1.0]] * 6), np.array([[9.0]] * 2)]
    with StoreWriter(path, ["mu", "logvar"], "a", "m") as writer:
        for rows, split in zip(logvar, ["test", "test", "train"], strict=True):
            writer.append(np.concatenate([np.zeros_like(rows), rows], axis=1), split)
    constant = 0.5 * np.log(2 * np.pi * np.e)
    frame = make(path, noise=GaussianLatents()).limit("test")
    assert frame == pytest.approx(constant + 0.5 * (1 - 1) / 2)
    sequence = make(path, noise=GaussianLatents(), per="sequence").limit("test")
    assert sequence == pytest.approx(((2 * constant + 1) + (6 * constant - 3)) / 2)
    assert make(path).limit("test") is None
    assert make(path, noise=UniformDequantise()).limit("test") is None


# Preparing.


def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    (tmp_path / "prep_for_test.py").write_text(text)
    monkeypatch.chdir(tmp_path)


def test_a_missing_store_is_prepared(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "import shutil, sys; flag, out = sys.argv[1:]; assert flag == '--out'\n"
    text += f"shutil.copy({str(path)!r}, out)"
    script(tmp_path, monkeypatch, text)
    module = SequenceDataModule("made.h5", prepare="prep_for_test")
    module.prepare_data()
    (tmp_path / "prep_for_test.py").unlink()
    module.prepare_data()  # it is there: nothing to do
    module.setup()
    assert module.name == "numbers"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import sys; sys.stderr.write('working\\n'); sys.exit('no source')", "no source"),
        ("raise ValueError('levels of 17')", "ValueError: levels of 17"),
        ("", "it did not say why"),
    ],
)
def test_a_preparation_that_fails_is_relayed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, said: str
) -> None:
    script(tmp_path, monkeypatch, text)
    message = f"made.h5 is missing, and python -m prep_for_test could not write it: {said}"
    with pytest.raises(RuntimeError, match=f"^{re.escape(message)}$"):
        SequenceDataModule("made.h5", prepare="prep_for_test").prepare_data()


def test_a_preparation_that_is_no_module_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="a module like data_prep.digits, found '-c evil'"):
        SequenceDataModule(tmp_path / "a.h5", prepare="-c evil").prepare_data()


def test_without_preparation_a_missing_store_is_an_error(tmp_path: Path) -> None:
    module = SequenceDataModule(tmp_path / "a.h5")
    module.prepare_data()
    with pytest.raises(FileNotFoundError, match="no such file: write it with"):
        module.setup()


# Arguments.


def test_a_config_makes_it(path: Path) -> None:
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(SequenceDataModule, "data")
    noise = {"class_path": "seqmdn.data.UniformDequantise", "init_args": {"width": 0.5}}
    config = {"path": str(path), "noise": noise, "window": 3, "per": "sequence"}
    module = parser.instantiate(parser.parse_object({"data": config})).data
    module.setup()
    assert module.noise.width == 0.5 and module.unit == "nats/walk"
    with pytest.raises(Exception, match="widht"):
        parser.parse_object({"data": {**config, "noise": {**noise, "init_args": {"widht": 1}}}})
    help_text = " ".join(parser.format_help().split())
    assert "as far as there are any, that a model sees and is not scored on" in help_text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "batch_size of 1 or more, found 0"),
        ({"window": 0}, "window of 1 or more, found 0"),
        ({"burn_in": -1}, "burn_in of 0 or more, found -1"),
        ({"burn_in": 3}, "burn_in 0 without a window, found 3"),
        ({"eval_batch_size": 0}, "eval_batch_size of 1 or more, found 0"),
        ({"workers": -1}, "workers of 0 or more"),
        ({"seed": -1}, "seed of 0 or more"),
        ({"per": "pixel"}, "per to be 'frame' or 'sequence', found 'pixel'"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(path: Path, options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SequenceDataModule(path, **options)


def test_a_split_that_is_missing_is_named(tmp_path: Path) -> None:
    with StoreWriter(tmp_path / "a.h5", ["x"], "a", "m") as writer:
        writer.append([[0], [1]], "train")
    module = make(tmp_path / "a.h5")
    for call in (module.val_dataloader, lambda: module.describe("valid")):
        with pytest.raises(ValueError, match="sequences of split 'valid', found none"):
            call()
    with pytest.raises(ValueError, match="expected a split of train, valid, test, found 'dev'"):
        list(module.batches("dev"))


def test_noise_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    with StoreWriter(tmp_path / "a.h5", ["x"], "a", "m") as writer:
        writer.append([[0], [1]], "train")
    with pytest.raises(ValueError, match="found 1 columns: choose the noise"):
        make(tmp_path / "a.h5", noise=GaussianLatents())


def test_setup_comes_first(path: Path) -> None:
    with pytest.raises(ValueError, match=r"setup\(\) to be called before"):
        SequenceDataModule(path).train_dataloader()
