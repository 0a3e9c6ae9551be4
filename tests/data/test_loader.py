"""Batches under a trainer: restarts, workers, several processes."""

import multiprocessing
from itertools import islice
from pathlib import Path

import pytest
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor, nn

from seqmdn.data import (
    Batch,
    SequenceDataModule,
    UniformDequantise,
)
from tests.data.numbers import Seen, equal, make, repeated, seen, write


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("store"))


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
