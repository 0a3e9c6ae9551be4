"""The one LightningModule and its callbacks, on models of a few numbers."""

import math
import os
import signal
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from lightning.pytorch import Callback, Trainer
from torch import Tensor, nn
from torch.optim import SGD, AdamW

from seqmdn.checkpoints import FORMAT, AtomicCheckpointIO
from seqmdn.data import Batch
from seqmdn.models import VRNN, DensityModel
from seqmdn.training import DensityModule, ReportProgress, StopOnInterrupt, ValidateAtEnd


class Numbers(NamedTuple):
    """As little of a batch as training asks for."""

    values: Tensor  # (B,)
    sizes: Tensor  # (B,)

    def frames(self) -> Tensor:
        return self.sizes


class Gaussian(DensityModel):
    """One normal distribution, with a matrix for good measure; keeps the names of what is asked."""

    def __init__(self, bad: float | None = None, at: int = 3) -> None:
        super().__init__()
        self.mean = nn.Parameter(torch.tensor([2.0]))
        self.matrix = nn.Parameter(torch.ones(2, 3))
        self.frozen = nn.Parameter(torch.ones(2, 2), requires_grad=False)
        self.bad, self.at = bad, at
        self.calls: list[str] = []
        self.random: list[float] = []

    def loss(self, batch: Numbers) -> Tensor:
        self.calls.append("loss")
        self.random.append(float(torch.rand(())))
        loss = (batch.values - self.mean).square().mean() + 0 * self.matrix.sum()
        step = self.calls.count("loss") - 1
        return loss * self.bad if self.bad is not None and step == self.at else loss

    def log_prob(self, batch: Numbers) -> Tensor:
        self.calls.append("log_prob")
        return -0.5 * (batch.values - self.mean).square() - 0.5 * math.log(2 * math.pi)

    def initialise(self, values: Tensor) -> None:
        self.calls.append("initialise")


VALUES = torch.tensor([0.5, -1.0, 2.0, 0.0, 3.0, 1.0, -2.0])
SIZES = torch.tensor([1, 4, 2, 5, 3, 1, 7])


def batches(size: int = 7) -> list[Numbers]:
    pairs = zip(VALUES.split(size), SIZES.split(size), strict=True)
    return [Numbers(values, sizes) for values, sizes in pairs]


class Loader:
    """Gives batches in turn; having a state, it lets a run go on in the middle of an epoch."""

    def __init__(self, items: list[Numbers]) -> None:
        self.items = items

    def __iter__(self) -> Iterator[Numbers]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    def state_dict(self) -> dict[str, int]:
        return {}

    def load_state_dict(self, state: dict[str, int]) -> None:
        pass


def train(
    module: DensityModule, *callbacks: Callback, steps: int = 6, size: int = 7, **options: Any
) -> Trainer:
    """Train on endless batches and validate on each sequence once."""
    checkpoint = options.pop("ckpt_path", None)
    trainer = Trainer(
        **{
            "accelerator": "cpu",
            "max_steps": steps,
            "val_check_interval": 2,
            "check_val_every_n_epoch": None,
            "num_sanity_val_steps": 0,
            "logger": False,
            "enable_checkpointing": False,
            "enable_progress_bar": False,
            "enable_model_summary": False,
            "callbacks": list(callbacks),
            "plugins": [AtomicCheckpointIO()],
            **options,
        }
    )
    loaders = Loader(batches() * 5), Loader(batches(size))
    trainer.fit(module, *loaders, ckpt_path=checkpoint, weights_only=True)
    return trainer


class Watch(Callback):
    """Notes the rate and the loss of each step and what each validation found."""

    def __init__(self) -> None:
        self.rates: list[float] = []
        self.losses: list[float] = []
        self.validated: list[tuple[int, float]] = []

    def on_train_batch_start(self, trainer: Trainer, *_: Any) -> None:
        self.rates.append(trainer.optimizers[0].param_groups[0]["lr"])

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        self.losses.append(float(trainer.callback_metrics["train/loss"]))

    def on_validation_end(self, trainer: Trainer, *_: Any) -> None:
        self.validated.append((trainer.global_step, float(trainer.callback_metrics["val/nll"])))


# --------------------------------------------------------------------------------------------------
# Steps
# --------------------------------------------------------------------------------------------------


def test_training_asks_for_the_loss_and_scoring_for_the_log_density() -> None:
    model = Gaussian()
    train(DensityModule(model, partial(SGD, lr=0.1)), steps=4)
    assert model.calls == ["loss"] * 2 + ["log_prob"] + ["loss"] * 2 + ["log_prob"]
    target = VALUES.mean()
    # Each step of SGD on (v - m)^2 goes 2 lr of the way, times the schedule's factor.
    expected = torch.tensor(2.0)
    for step in range(4):
        expected -= 0.1 * 0.5 * (1 + math.cos(math.pi * step / 4)) * 2 * (expected - target)
    torch.testing.assert_close(model.mean.detach(), expected.reshape(1))


def test_weight_decay_shrinks_matrices_only() -> None:
    model = Gaussian()
    with torch.no_grad():
        model.mean.fill_(VALUES.mean())  # where the gradient is zero
    module = DensityModule(model, partial(SGD, lr=0.1, weight_decay=0.5), schedule="constant")
    trainer = train(module, steps=3)
    torch.testing.assert_close(model.matrix.detach(), torch.full((2, 3), (1 - 0.1 * 0.5) ** 3))
    torch.testing.assert_close(model.mean.detach(), VALUES.mean().reshape(1))
    assert torch.equal(model.frozen, torch.ones(2, 2))
    groups = trainer.optimizers[0].param_groups
    assert [group["weight_decay"] for group in groups] == [0.5, 0.0]
    assert [group["params"] for group in groups] == [[model.matrix], [model.mean]]


@pytest.mark.parametrize("names", [["matrix"], ["mean"]])
def test_models_of_matrices_or_of_vectors_alone_are_optimised(names: list[str]) -> None:
    model = Gaussian()
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name in names)
    trainer = train(DensityModule(model), steps=2)
    found = [p for group in trainer.optimizers[0].param_groups for p in group["params"]]
    assert found == [getattr(model, name) for name in names]


@pytest.mark.parametrize(
    ("schedule", "warmup", "expected"),
    [
        ("constant", 0, [1, 1, 1, 1, 1, 1]),
        ("constant", 2, [1 / 3, 2 / 3, 1, 1, 1, 1]),
        ("cosine", 0, [1, 0.933013, 0.75, 0.5, 0.25, 0.066987]),
        ("cosine", 2, [1 / 3, 2 / 3, 1, 0.853553, 0.5, 0.146447]),
    ],
)
def test_the_rate_follows_the_schedule(schedule: Any, warmup: int, expected: list[float]) -> None:
    watch = Watch()
    module = DensityModule(Gaussian(), partial(AdamW, lr=0.2), schedule=schedule, warmup=warmup)
    trainer = train(module, watch, steps=6)
    assert watch.rates == pytest.approx([0.2 * factor for factor in expected], abs=1e-6)
    last = trainer.optimizers[0].param_groups[0]["lr"]
    assert last == pytest.approx(0.0 if schedule == "cosine" else 0.2, abs=1e-9)


def test_a_cosine_needs_a_budget() -> None:
    with pytest.raises(ValueError, match="cosine schedule needs a budget: set --trainer.max_steps"):
        train(DensityModule(Gaussian()), steps=-1, max_epochs=-1)
    train(DensityModule(Gaussian()), steps=-1, max_epochs=1)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_not_finite_stops_the_training(bad: float) -> None:
    model, sound = Gaussian(bad, at=3), Gaussian()
    with pytest.raises(FloatingPointError, match=f"loss at step 3 is {bad}; the gradient of mean"):
        train(DensityModule(model, schedule="constant"), steps=9)
    assert model.calls.count("loss") == 4  # no step was tried again, none was left out
    train(DensityModule(sound, schedule="constant"), steps=3)
    assert torch.equal(model.mean, sound.mean)


class Root(Gaussian):
    """A finite loss whose slope is 0 / 0, at one step or at all from it on."""

    def loss(self, batch: Numbers) -> Tensor:
        root = (0 * self.mean).sqrt().sum()
        loss = super().loss(batch)
        step = self.calls.count("loss") - 1
        return loss + root if self.bad is None and step >= self.at else loss


def test_a_gradient_that_is_not_finite_stops_the_training() -> None:
    message = "the gradient at step 3 is not finite; the gradient of mean is not finite: lower the"
    with pytest.raises(FloatingPointError, match=message):
        train(DensityModule(Root()))


@pytest.mark.parametrize(("on_nan", "taken"), [("skip", 8), ("rollback", 5)])
def test_a_step_that_is_not_finite_is_left_out(on_nan: Any, taken: int) -> None:
    # Back to the weights before the first step, 8 - 3 further ones are taken.
    model, sound = Gaussian(math.nan, at=3), Gaussian()
    options: dict[str, Any] = {"optimizer": partial(SGD, lr=0.1), "schedule": "constant"}
    module = DensityModule(model, on_nan=on_nan, **options)
    trainer = train(module, steps=9)
    train(DensityModule(sound, **options), steps=taken)
    assert trainer.global_step == 9 and model.calls.count("loss") == 9
    assert torch.equal(model.mean, sound.mean)
    assert module.nonfinite.left_out == 1


def test_a_step_of_several_batches_is_left_out_as_a_whole() -> None:
    model, sound = Gaussian(math.nan, at=2), Gaussian()
    options: dict[str, Any] = {"optimizer": partial(SGD, lr=0.1), "schedule": "constant"}
    more: dict[str, Any] = {"accumulate_grad_batches": 2, "val_check_interval": 4}
    train(DensityModule(model, on_nan="skip", **options), steps=2, **more)
    train(DensityModule(sound, **options), steps=1, **more)
    assert model.calls.count("loss") == 4
    assert torch.equal(model.mean, sound.mean)


@pytest.mark.parametrize(
    ("on_nan", "words"),
    [("skip", "10 steps in a row left out"), ("rollback", "10 steps in a row left out")],
)
def test_too_many_in_a_row_stop_the_training(on_nan: Any, words: str) -> None:
    model = Root()
    message = f"after {words}, the gradient at step 13 is not finite"
    with pytest.raises(FloatingPointError, match=message):
        train(DensityModule(model, on_nan=on_nan), steps=20)
    assert model.mean.isfinite().all()


@pytest.mark.parametrize(
    "clip", [{}, {"gradient_clip_val": 1.0}, {"gradient_clip_val": 0.5}], ids=str
)
def test_the_norm_of_the_gradient_is_logged_as_it_is_before_it_is_clipped(clip: dict) -> None:
    watch, model = Watch(), Gaussian()
    options: dict[str, Any] = {"optimizer": partial(SGD, lr=0.1), "schedule": "constant"}
    trainer = train(DensityModule(model, **options), watch, steps=1, **clip)
    slope = 2 * (2.0 - float(VALUES.mean()))
    assert float(trainer.callback_metrics["train/grad_norm"]) == pytest.approx(slope)
    taken = min(slope, clip.get("gradient_clip_val", slope))
    assert model.mean.item() == pytest.approx(2.0 - 0.1 * taken)


def test_a_gradient_may_be_clipped_by_value() -> None:
    model = Gaussian()
    options: dict[str, Any] = {"optimizer": partial(SGD, lr=0.1), "schedule": "constant"}
    clip: dict[str, Any] = {"gradient_clip_val": 0.25, "gradient_clip_algorithm": "value"}
    train(DensityModule(model, **options), steps=1, **clip)
    assert model.mean.item() == pytest.approx(2.0 - 0.1 * 0.25)


def test_random_numbers_depend_on_seed_and_step_alone(tmp_path: Path) -> None:
    def drawn(seed: int, before: int, *callbacks: Callback, **options: Any) -> list[float]:
        torch.manual_seed(before)
        model = Gaussian()
        train(DensityModule(model, seed=seed), *callbacks, **options)
        return model.random

    first = drawn(0, before=1)
    assert drawn(0, before=2) == first
    assert drawn(0, before=3, val_check_interval=1) == first
    assert len(set(first + drawn(1, before=1))) == 12


def test_every_process_draws_random_numbers_of_its_own() -> None:
    class Second(DensityModule):
        global_rank = 1

    first, second = Gaussian(), Gaussian()
    train(DensityModule(first), steps=3)
    train(Second(second), steps=3)
    assert len(set(first.random + second.random)) == 6


def test_every_batch_of_a_step_draws_random_numbers_of_its_own() -> None:
    model = Gaussian()
    train(DensityModule(model), steps=2, accumulate_grad_batches=2, val_check_interval=4)
    assert len(set(model.random)) == 4
    alone = Gaussian()
    train(DensityModule(alone), steps=2)
    assert alone.random == model.random[::2]


def test_the_loss_of_a_step_is_logged() -> None:
    watch, model = Watch(), Gaussian()
    train(DensityModule(model, partial(SGD, lr=0.1), schedule="constant"), watch, steps=2)
    first, target = 2.0, float(VALUES.mean())
    second = first - 0.1 * 2 * (first - target)
    expected = [float((VALUES - mean).square().mean()) for mean in (first, second)]
    assert watch.losses == pytest.approx(expected)


# --------------------------------------------------------------------------------------------------
# Scores
# --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 2, 3, 7])
@pytest.mark.parametrize("per", ["frame", "sequence"])
def test_scores_are_means_over_sequences_whatever_the_batches(per: Any, size: int) -> None:
    watch, model = Watch(), Gaussian()
    module = DensityModule(model, partial(SGD, lr=0.1), per=per)
    trainer = train(module, watch, steps=4, size=size)

    def by_hand(mean: float) -> float:
        nats = [0.5 * (v - mean) ** 2 + 0.5 * math.log(2 * math.pi) for v in VALUES.tolist()]
        sizes = SIZES.tolist() if per == "frame" else [1] * 7
        return sum(n / s for n, s in zip(nats, sizes, strict=True)) / 7

    assert [step for step, _ in watch.validated] == [2, 4]
    assert watch.validated[-1][1] == pytest.approx(by_hand(model.mean.item()), rel=1e-6)
    assert watch.validated[0][1] != pytest.approx(watch.validated[1][1], rel=1e-3)
    (found,) = trainer.test(module, Loader(batches(size)), verbose=False)
    assert found["test/nll"] == pytest.approx(by_hand(model.mean.item()), rel=1e-6)


def test_a_score_of_nan_is_reported_as_such() -> None:
    model, watch = Gaussian(), Watch()
    model.log_prob = lambda batch: torch.where(batch.values > 2, math.nan, 0.0)  # type: ignore[method-assign]
    train(DensityModule(model), watch, steps=2)
    assert math.isnan(watch.validated[0][1])


def test_progress_is_told_after_every_step_and_validation() -> None:
    told: list[tuple[int, int, float | None]] = []
    watch = Watch()
    train(DensityModule(Gaussian()), watch, ReportProgress(lambda *words: told.append(words)))
    (_, first), (_, second), (_, third) = watch.validated
    assert told == [
        (1, 6, None),
        (2, 6, None),
        (2, 6, first),
        (3, 6, first),
        (4, 6, first),
        (4, 6, second),
        (5, 6, second),
        (6, 6, second),
        (6, 6, third),
    ]
    assert len({first, second, third}) == 3


def test_the_sanity_check_is_no_progress() -> None:
    told: list[tuple[int, int, float | None]] = []
    report = ReportProgress(lambda *words: told.append(words))
    train(DensityModule(Gaussian()), report, steps=1, num_sanity_val_steps=1)
    assert told == [(1, 1, None)]


@pytest.mark.parametrize(
    ("steps", "interval", "expected"), [(5, 2, [2, 4, 5]), (4, 2, [2, 4]), (3, 9, [3])]
)
def test_the_last_step_is_validated(steps: int, interval: int, expected: list[int]) -> None:
    watch = Watch()
    train(
        DensityModule(Gaussian()), watch, ValidateAtEnd(), steps=steps, val_check_interval=interval
    )
    assert [step for step, _ in watch.validated] == expected


# --------------------------------------------------------------------------------------------------
# What is kept
# --------------------------------------------------------------------------------------------------


def test_a_checkpoint_carries_description_time_and_steps(tmp_path: Path) -> None:
    module = DensityModule(Gaussian(), description={"format": FORMAT, "model": {"a": [1, None]}})
    assert module.seconds == 0
    trainer = train(module, steps=3)
    spent = module.seconds
    assert 0 < spent < 60 and module.seconds == spent  # the clock has stopped
    trainer.save_checkpoint(tmp_path / "a.ckpt")
    kept = torch.load(tmp_path / "a.ckpt", weights_only=True)
    said = kept["seqmdn"]
    assert said == {"format": FORMAT, "model": {"a": [1, None]}, "seconds": spent, "steps": 3}
    said["seconds"] = 1e6
    torch.save(kept, tmp_path / "a.ckpt")
    resumed = DensityModule(Gaussian())
    train(resumed, steps=4, ckpt_path=tmp_path / "a.ckpt")
    assert resumed.seconds > 1e6


# --------------------------------------------------------------------------------------------------
# Ctrl-C
# --------------------------------------------------------------------------------------------------


class Press(Callback):
    """Presses Ctrl-C once, while a step is under way."""

    def __init__(self, step: int) -> None:
        self.step = step
        self.pressed = False

    def on_train_batch_start(self, trainer: Trainer, *_: Any) -> None:
        if trainer.global_step == self.step - 1 and not self.pressed:
            self.pressed = True
            os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture
def handler() -> Iterator[Any]:
    before = signal.getsignal(signal.SIGINT)
    yield before
    assert signal.getsignal(signal.SIGINT) is before
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("accumulate", [1, 3])
def test_ctrl_c_ends_the_step_and_writes_a_checkpoint(
    tmp_path: Path, handler: Any, accumulate: int
) -> None:
    stop, watch, model = StopOnInterrupt(tmp_path / "a.ckpt"), Watch(), Gaussian()
    with stop:
        assert signal.getsignal(signal.SIGINT) is not handler
        trainer = train(
            DensityModule(model),
            stop,
            watch,
            Press(3),
            steps=9,
            accumulate_grad_batches=accumulate,
            val_check_interval=2 * accumulate,
        )
    assert stop.interrupted and trainer.global_step == 3
    # An epoch has 5 batches, and its end ends a step: 3 + 2, then 3 of the next.
    assert model.calls.count("loss") == {1: 3, 3: 8}[accumulate]
    assert [step for step, _ in watch.validated] == [2]  # a run never stopped has none at 3
    kept = torch.load(tmp_path / "a.ckpt", weights_only=True)
    assert kept["global_step"] == 3
    assert torch.equal(kept["state_dict"]["model.mean"], model.mean)


def test_ctrl_c_lets_a_validation_that_is_due_be_done(tmp_path: Path, handler: Any) -> None:
    stop, watch = StopOnInterrupt(tmp_path / "a.ckpt"), Watch()
    with stop:
        trainer = train(DensityModule(Gaussian()), stop, watch, Press(4), steps=9)
    assert trainer.global_step == 4
    assert [step for step, _ in watch.validated] == [2, 4]


def test_a_second_ctrl_c_stops_at_once(tmp_path: Path, handler: Any) -> None:
    with pytest.raises(KeyboardInterrupt), StopOnInterrupt(tmp_path / "a.ckpt") as stop:
        signal.raise_signal(signal.SIGINT)
        assert stop.interrupted
        signal.raise_signal(signal.SIGINT)


def test_an_error_gives_ctrl_c_back(tmp_path: Path, handler: Any) -> None:
    stop = StopOnInterrupt(tmp_path / "a.ckpt")
    with pytest.raises(FloatingPointError), stop:
        train(DensityModule(Gaussian(math.nan)), stop)


def test_threads_that_cannot_listen_do_not(tmp_path: Path, handler: Any) -> None:
    errors: list[BaseException] = []

    def run() -> None:
        try:
            with StopOnInterrupt(tmp_path / "a.ckpt"):
                pass
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert not errors


def test_validation_is_by_what_the_model_says_and_the_test_by_its_bound() -> None:
    torch.manual_seed(0)
    model = VRNN(2, latent=2, hidden=4, samples=3)
    batch = Batch(torch.randn(3, 4, 2), torch.tensor([4, 3, 2]))
    with torch.no_grad():
        for step, of_model in (("validation", model.validation_log_prob), ("test", model.log_prob)):
            module = DensityModule(model)
            getattr(module, f"{step}_step")(batch, 0)
            expected = -of_model(batch) / batch.lengths
            torch.testing.assert_close(module.nll.values(), expected)
