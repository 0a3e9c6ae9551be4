"""Losses and gradients that are NaN or infinite: what is done about them, and what is said."""

import copy
import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor
from torch.optim import Optimizer

from seqmdn.models import DensityModel
from seqmdn.processes import gathered

__all__ = [
    "NonFinite",
    "OnNan",
    "find_gradient",
    "find_sequences",
    "first_parameter",
    "loss_or_nan",
    "of_all",
]

OnNan = Literal["stop", "skip", "rollback"]

_EVERY = 50  # steps between two copies of weights and optimiser
_IN_A_ROW = 10
_TOLD = 10  # steps that are told one by one
_NAMED = 5  # sequences of one step that are
_REMEDY = (
    "lower the learning rate, clip gradients (--trainer.gradient_clip_val 1) or look for outliers "
    "in the data"
)


class NonFinite:
    """What happens to the steps of a training whose loss or gradient is not finite.

    - ``"stop"`` ends the training at the first of them.
    - ``"skip"`` leaves the step out: weights and optimiser stay as they are.
    - ``"rollback"`` leaves it out, and gives weights and optimiser what they had at an earlier
      step whose loss and gradient were finite, of which a copy is kept every 50 steps.

    Steps are counted on in any case, so that the batches and the learning rate of a step are the
    same whatever happened before. After 10 steps in a row that had to be left out, or 10 times back
    to the same copy, the training ends: something else is wrong.

    Args:
        on_nan: Which of them.

    Attributes:
        left_out: Number of steps that were left out.
        rolled_back: How often weights and optimiser went back.
        told: The first 10 of these steps: ``step``, ``what`` and ``sequences``, numbers of the
            store.

    Raises:
        ValueError: If there is no such choice.
    """

    def __init__(self, on_nan: OnNan = "stop") -> None:
        if on_nan not in ("stop", "skip", "rollback"):
            raise ValueError(f"on_nan must be 'stop', 'skip' or 'rollback', found {on_nan!r}")
        self.on_nan = on_nan
        self.left_out = 0
        self.rolled_back = 0
        self.told: list[dict[str, Any]] = []
        self.pending = False  # whether a loss of the step under way was not finite
        self._in_a_row = 0
        self._returns = 0  # to the same copy
        self._copy: tuple[dict[str, Tensor], dict[str, Any]] | None = None

    def found(self, step: int, what: str, sequences: list[int], parameter: str | None) -> None:
        """Note what was found at a step, or end the training there.

        Args:
            step: The step.
            what: What is not finite, such as ``"loss is nan"``.
            sequences: The sequences of the store that it is due to, as far as that is known.
            parameter: Which parameter is not finite, or has a gradient that is not.

        Raises:
            FloatingPointError: If the training is to end.
        """
        subject, _, state = what.partition(" is ")
        words = f"the {subject} at step {step} is {state}{_named(sequences)}"
        words += "" if parameter is None else f"; {parameter} is not finite"
        if self.on_nan == "stop":
            raise FloatingPointError(
                f"{words}: {_REMEDY}, or leave such steps out (--on-nan skip or rollback)"
            )
        self.pending = True
        if len(self.told) < _TOLD:
            self.told.append({"step": step, "what": what, "sequences": sequences[:_NAMED]})
        tries = {
            "steps in a row left out": self._in_a_row,
            "times back to the same weights": self._returns,
        }
        for name, count in tries.items():
            if count >= _IN_A_ROW:
                raise FloatingPointError(f"after {count} {name}, {words}: {_REMEDY}")

    def good(self, step: int, model: nn.Module, optimizer: Optimizer) -> None:
        """Note that loss and gradient of a step are finite, before the step is taken."""
        self._in_a_row = 0
        if self.on_nan == "rollback" and (self._copy is None or step % _EVERY == 0):
            weights = {name: each.detach().clone() for name, each in model.state_dict().items()}
            self._copy = weights, copy.deepcopy(optimizer.state_dict()["state"])
            self._returns = 0

    def leave_out(self, model: nn.Module, optimizer: Optimizer) -> None:
        """Take no step, for want of a gradient, and go back where that was asked for."""
        self.pending = False
        self.left_out += 1
        self._in_a_row += 1
        if self._copy is not None:
            weights, state = self._copy
            model.load_state_dict(weights)
            # The learning rate is that of the step; what Adam knows of gradients is older.
            groups = optimizer.state_dict()["param_groups"]
            optimizer.load_state_dict({"state": copy.deepcopy(state), "param_groups": groups})
            self.rolled_back += 1
            self._returns += 1
        optimizer.zero_grad(set_to_none=True)

    def summary(self) -> dict[str, Any]:
        """Return what ``metrics.json`` says of it, nothing where all was finite.

        Example:
            >>> NonFinite("skip").summary()
            {}
        """
        if not self.left_out:
            return {}
        counts = {"left_out": self.left_out, "rolled_back": self.rolled_back}
        return {"not_finite": {"on_nan": self.on_nan, **counts, "first": self.told}}

    def restore(self, summary: dict[str, Any]) -> None:
        """Go on from the summary of a training that is resumed."""
        known = summary.get("not_finite", {})
        self.left_out, self.rolled_back = known.get("left_out", 0), known.get("rolled_back", 0)
        self.told = list(known.get("first", []))


def loss_or_nan(model: DensityModel, batch: Any) -> tuple[Tensor, bool]:
    """Return a model's loss, NaN where its density refuses parameters that are NaN.

    That NaN has a gradient for every parameter, for which other processes may be waiting.

    Args:
        model: The model.
        batch: The batch.

    Returns:
        The loss ``()``, and whether it was refused.
    """
    try:
        return model.loss(batch), False
    except (ValueError, torch.linalg.LinAlgError) as error:
        if not _of_numbers(error):
            raise
        every = [each.sum() for each in model.parameters() if each.requires_grad]
        return math.nan * torch.stack(every).sum(), True


@torch.no_grad()
def find_sequences(model: DensityModel, batch: Any, seed: int) -> list[int]:
    """Return the places in a batch of the sequences whose density is not finite.

    The random numbers are those of the loss, and the batch statistics of layers stay as they are.
    """

    def bad(part: Any) -> list[bool]:
        torch.manual_seed(seed)
        try:
            found: list[bool] = (~model.validation_log_prob(part).isfinite()).tolist()
        except (ValueError, torch.linalg.LinAlgError) as error:
            if not _of_numbers(error):
                raise
            found = [True] * len(part.frames())
        return found

    with _kept(model):
        found = bad(batch)
        if all(found) and hasattr(batch, "part"):  # one may have made the density refuse them all
            found = [bad(batch.part(row, row + 1))[0] for row in range(len(found))]
    return [row for row, wrong in enumerate(found) if wrong]


def find_gradient(model: DensityModel, batch: Any, seed: int) -> list[int]:
    """Return the place in a batch of the first sequence whose gradient is not finite, if one is.

    By halves: a gradient is not finite where that of one of its halves is not.
    """
    parameters = [each for each in model.parameters() if each.requires_grad]

    def bad(first: int, last: int) -> bool:
        torch.manual_seed(seed)
        with torch.enable_grad():
            loss, refused = loss_or_nan(model, batch.part(first, last))
            found = torch.autograd.grad(loss, parameters, allow_unused=True)
        return refused or not _finite(each for each in found if each is not None)

    first, last = 0, len(batch.frames())
    if not hasattr(batch, "part"):
        return []
    with _kept(model):
        if not bad(first, last):
            return []
        while last - first > 1:
            middle = (first + last) // 2
            if bad(first, middle):
                last = middle
            elif bad(middle, last):
                first = middle
            else:  # what is wrong with all of them is wrong with none alone
                return []
    return [first]


def first_parameter(model: nn.Module, loss: Tensor | None = None) -> str | None:
    """Name the first parameter that is not finite, or the first whose gradient is not.

    Args:
        model: The model.
        loss: What is to be differentiated; None where gradients are there already.
    """
    named = [(name, each) for name, each in model.named_parameters() if each.requires_grad]
    for name, parameter in named:
        if not _finite([parameter]):
            return f"the parameter {name}"
    gradients: Iterable[Tensor | None] = (each.grad for _, each in named)
    if loss is not None and loss.requires_grad:
        each = [parameter for _, parameter in named]
        gradients = torch.autograd.grad(loss, each, retain_graph=True, allow_unused=True)
    for (name, _), gradient in zip(named, gradients, strict=True):
        if gradient is not None and not _finite([gradient]):
            return f"the gradient of {name}"
    return None


def of_all(sequences: list[int], parameter: str | None) -> tuple[list[int], str | None]:
    """Return the sequences that all processes have found, and the first parameter that one has."""
    found = gathered((sequences, parameter))
    every = [sequence for own, _ in found for sequence in own]
    return every, next((name for _, name in found if name is not None), None)


@contextmanager
def _kept(model: nn.Module) -> Iterator[None]:
    """Leave the model's buffers and the random numbers as they are."""
    buffers = [(each, each.clone()) for each in model.buffers()]
    generator = torch.get_rng_state()
    try:
        yield
    finally:
        torch.set_rng_state(generator)
        with torch.no_grad():
            for own, before in buffers:
                own.copy_(before)


def _finite(tensors: Iterable[Tensor]) -> bool:
    # Of what is dealt out to several processes, each looks at its own share.
    own = (each.to_local() if isinstance(each, DTensor) else each for each in tensors)
    return all(math.isfinite(float(each.detach().abs().amax())) for each in own if each.numel())


def _of_numbers(error: Exception) -> bool:
    """Say whether an error is of numbers that are not finite, which densities refuse."""
    words = ("NaN", "satisfy the constraint")  # of seqmdn's own, and of torch's
    return isinstance(error, torch.linalg.LinAlgError) or any(w in str(error) for w in words)


def _named(sequences: list[int]) -> str:
    if not sequences:
        return ""
    few = ", ".join(map(str, sequences[:_NAMED]))
    more = f" and {len(sequences) - _NAMED} more" if len(sequences) > _NAMED else ""
    return f", of sequence{'s' if len(sequences) > 1 else ''} {few}{more} of the store"
