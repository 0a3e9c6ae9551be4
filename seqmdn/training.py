"""Training: the one LightningModule, and the callbacks of a run."""

import math
import signal
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from types import FrameType
from typing import Any, Literal, Self

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities import GradClipAlgorithmType
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor
from torch.distributed.tensor import DTensor
from torch.nn.utils import clip_grads_with_norm_, get_total_norm
from torch.optim import AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR

from seqmdn.data import SequenceDataModule
from seqmdn.metrics import NegativeLogLikelihood
from seqmdn.models import DensityBatch, DensityModel
from seqmdn.nonfinite import (
    NonFinite,
    OnNan,
    find_gradient,
    find_sequences,
    first_parameter,
    loss_or_nan,
    of_all,
)
from seqmdn.processes import share_loss
from seqmdn.sharding import shard

__all__ = ["DensityModule", "ReportProgress", "StopOnInterrupt", "ValidateAtEnd"]


class DensityModule(LightningModule):
    """Trains a model of a density and reports its negative log-likelihood.

    The random numbers of a batch (dropout) are a function of the seed, the step, the process and,
    where a step accumulates several batches, the batch's place in it alone, so that a run resumed
    in its middle is the run that was never stopped.

    Of several processes, each computes the loss of its part of a batch, which then counts as much
    as there is in it (:meth:`seqmdn.models.DensityModel.loss_weight`): the step is that of one
    process with the whole batch. The norm of its gradient is logged as it is before it is clipped.

    Args:
        model: The model.
        optimizer: Makes the optimiser from parameter groups; weight decay applies to matrices only.
        schedule: ``"cosine"`` falls to 0 over the run's steps, ``"constant"`` stays.
        warmup: Steps over which the rate rises linearly at the start.
        per: ``"frame"`` reports nats a frame, ``"sequence"`` nats a sequence.
        seed: Seed of the steps' random numbers.
        description: What a checkpoint must carry so that the model can be built again; plain
            values.
        on_nan: What happens to a step whose loss or gradient is not finite
            (:class:`seqmdn.nonfinite.NonFinite`): ``"stop"`` ends the training, ``"skip"`` leaves
            the step out, ``"rollback"`` leaves it out and goes back to weights that were good.

    Raises:
        FloatingPointError: During training, if a loss or a gradient is not finite and ``on_nan`` is
            ``"stop"``, or too many are.
    """

    def __init__(
        self,
        model: DensityModel,
        optimizer: Callable[[Iterable[dict[str, Any]]], Optimizer] = AdamW,
        schedule: Literal["constant", "cosine"] = "cosine",
        warmup: int = 0,
        per: Literal["frame", "sequence"] = "frame",
        seed: int = 0,
        description: dict[str, Any] | None = None,
        on_nan: OnNan = "stop",
    ) -> None:
        super().__init__()
        self.model = model
        self.optimizer = optimizer
        self.schedule = schedule
        self.warmup = warmup
        self.per = per
        self.seed = seed
        self.description = description or {}
        self.nll = NegativeLogLikelihood()
        self.nonfinite = NonFinite(on_nan)
        self._batches: list[tuple[Any, int]] = []  # of the step under way
        self._seconds_before = 0.0
        self._started: float | None = None
        self._ended: float | None = None

    @property
    def seconds(self) -> float:
        """Wall time spent in training so far, over all resumptions, in seconds."""
        if self._started is None:
            return self._seconds_before
        return self._seconds_before + (self._ended or time.monotonic()) - self._started

    def configure_model(self) -> None:
        shard(self.model, self.trainer)

    def on_train_start(self) -> None:
        self._started = time.monotonic()

    def on_train_end(self) -> None:
        self._ended = time.monotonic()

    def training_step(self, batch: DensityBatch, index: int) -> Tensor:
        place = index % self.trainer.accumulate_grad_batches
        # A step may be shorter, at the end of an epoch.
        self._batches = [*(self._batches if place else []), (batch, place)]
        torch.manual_seed(self._seed(place))
        loss, refused = loss_or_nan(self.model, batch)
        own, whole = share_loss(loss, self.model.loss_weight(batch))
        if not torch.isfinite(whole):
            rows = find_sequences(self.model, batch, self._seed(place))
            self._not_finite(
                f"loss is {whole.item()}", self._numbers(rows, place), None if refused else loss
            )
        for name, value in {"loss": whole, **self.model.logged()}.items():
            self.log(f"train/{name}", value, batch_size=len(batch.frames()))
        return own

    def configure_gradient_clipping(
        self,
        optimizer: Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        parameters = [each for group in optimizer.param_groups for each in group["params"]]
        norm = get_total_norm(each.grad for each in parameters if each.grad is not None)
        whole = norm.full_tensor() if isinstance(norm, DTensor) else norm
        self.log("train/grad_norm", whole)
        finite = bool(torch.isfinite(whole))
        if not finite and not self.nonfinite.pending and not self._scaled_too_much():
            sequences = [
                number
                for batch, place in self._batches
                for number in self._numbers(
                    find_gradient(self.model, batch, self._seed(place)), place
                )
            ]
            self._not_finite("gradient is not finite", sequences)
        left_out = self.nonfinite.pending
        if left_out:
            self.nonfinite.leave_out(self.model, optimizer)
        elif finite:
            self.nonfinite.good(self.global_step, self.model, optimizer)
        if self.nonfinite.on_nan != "stop":
            self.log("train/left_out", float(self.nonfinite.left_out))
        if left_out or not gradient_clip_val:
            return
        if gradient_clip_algorithm == GradClipAlgorithmType.VALUE:
            self.clip_gradients(optimizer, gradient_clip_val, gradient_clip_algorithm)
        else:
            # As clip_grad_norm_ does it, with the norm that is known already.
            clip_grads_with_norm_(parameters, gradient_clip_val, whole)

    def validation_step(self, batch: DensityBatch, index: int) -> None:
        self._score(batch, self.model.validation_log_prob(batch))

    def test_step(self, batch: DensityBatch, index: int) -> None:
        self._score(batch, self.model.log_prob(batch))

    def on_validation_epoch_end(self) -> None:
        self._report("val/nll")

    def on_test_epoch_end(self) -> None:
        self._report("test/nll")

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        matrices = [p for p in self.parameters() if p.requires_grad and p.ndim >= 2]
        vectors = [p for p in self.parameters() if p.requires_grad and p.ndim < 2]
        groups: list[dict[str, Any]] = [
            {"params": matrices},
            {"params": vectors, "weight_decay": 0.0},
        ]
        optimizer = self.optimizer([group for group in groups if group["params"]])
        total = self.trainer.estimated_stepping_batches
        if self.schedule == "cosine" and not math.isfinite(total):
            raise ValueError(
                "a cosine schedule needs a budget: set --trainer.max_steps or max_epochs"
            )

        def factor(step: int) -> float:
            if step < self.warmup:
                return (step + 1) / (self.warmup + 1)
            if self.schedule == "constant":
                return 1.0
            done = (step - self.warmup) / max(1, total - self.warmup)
            return 0.5 * (1 + math.cos(math.pi * min(1.0, done)))

        scheduler = LambdaLR(optimizer, factor)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "interval": "step"},
        }

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["seqmdn"] = (
            self.description
            | {"seconds": self.seconds, "steps": self.global_step}
            | self.nonfinite.summary()
        )

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self._seconds_before = checkpoint["seqmdn"]["seconds"]
        self.nonfinite.restore(checkpoint["seqmdn"])

    def _seed(self, place: int) -> int:
        """Return the seed of this process and of the batch at a place in the step under way."""
        return (hash((self.seed, self.global_step, self.global_rank)) + place) % 2**63

    def _not_finite(self, what: str, sequences: list[int], loss: Tensor | None = None) -> None:
        """Gather what all processes know of a step that went wrong, and do what the user chose."""
        every, parameter = of_all(sequences, first_parameter(self.model, loss))
        self.nonfinite.found(self.global_step, what, every, parameter)

    def _numbers(self, rows: list[int], place: int) -> list[int]:
        """Return the numbers in the store of sequences of the batch at a place in the step."""
        keys = getattr(self.trainer, "datamodule", None)
        if not rows or not isinstance(keys, SequenceDataModule):
            return []
        number = self.global_step * self.trainer.accumulate_grad_batches + place
        known = keys.training_keys(number)
        return [known[row].sequence for row in rows]

    def _scaled_too_much(self) -> bool:
        """Say whether gradients may be too large only because float16 has its loss scaled.

        Its scaler leaves such a step out by itself, and scales less from then on.
        """
        scaler = getattr(self.trainer.precision_plugin, "scaler", None)
        return scaler is not None and scaler.get_scale() > 1

    def _score(self, batch: DensityBatch, log_prob: Tensor) -> None:
        frames = batch.frames()
        sizes = frames if self.per == "frame" else torch.ones_like(frames)
        self.nll.update(log_prob, sizes)

    def _report(self, name: str) -> None:
        self.log(name, self.nll.compute(), sync_dist=True)
        # The loggers' own count of steps is one off after some resumptions.
        self.log("step", float(self.global_step), sync_dist=True)
        self.log("seconds", self.seconds, sync_dist=True)
        self.nll.reset()


class ReportProgress(Callback):
    """Tell somebody how far the training is, after every step and every validation.

    Args:
        report: Called with (step, steps of the budget, last validation NLL or None).
    """

    def __init__(self, report: Callable[[int, int, float | None], None]) -> None:
        self.report = report
        self.nll: float | None = None

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        if not trainer.is_global_zero:
            return
        self.report(trainer.global_step, int(trainer.estimated_stepping_batches), self.nll)

    def on_validation_end(self, trainer: Trainer, *_: Any) -> None:
        if not trainer.sanity_checking:
            self.nll = float(trainer.callback_metrics["val/nll"])
            self.on_train_batch_end(trainer)


class ValidateAtEnd(Callback):
    """Validate after the last step, whatever the interval: no step is lost to the checkpoints."""

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        if trainer.global_step >= trainer.estimated_stepping_batches:
            trainer.should_stop = True  # which Lightning does after one more validation


class StopOnInterrupt(Callback):
    """On Ctrl-C, end the step under way, write a checkpoint and stop.

    A validation that is due after this step is done as well, and the checkpoints are those that it
    writes. A second Ctrl-C stops at once; the checkpoints written before remain. Ctrl-C is listened
    to inside ``with stop: trainer.fit(...)``. Of several processes, one that hears of it is enough.

    Args:
        path: Where the checkpoint goes.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.interrupted = False
        self._before: Any = None
        self._step = 0

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
            self._before = None

    def on_train_batch_start(self, trainer: Trainer, *_: Any) -> None:
        self._step = trainer.global_step

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        # Between two batches of one step, the gradients that are summed up would be lost.
        if trainer.global_step == self._step:
            return
        if trainer.world_size > 1:
            heard = trainer.strategy.reduce_boolean_decision(self.interrupted, all=False)
            self.interrupted = heard
        if not self.interrupted or trainer.should_stop:
            return
        loop = trainer.fit_loop
        assert loop._data_fetcher is not None
        if not loop.epoch_loop._should_check_val_fx(loop._data_fetcher):
            trainer.save_checkpoint(self.path)
            # Lightning validates before it stops. A run that is never interrupted does not, and
            # would choose its best step among others.
            trainer.limit_val_batches = 0
        trainer.should_stop = True

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.interrupted:
            raise KeyboardInterrupt
        self.interrupted = True
