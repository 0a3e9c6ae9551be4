"""Several processes that train or score one model together: who is first, what all know.

Where there is one process alone, nothing here does anything.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch
from torch import Tensor, distributed

__all__ = [
    "check_started",
    "count_and_rank",
    "first_on_node",
    "first_process",
    "gathered",
    "in_turn",
    "joined",
    "of_first",
    "share_loss",
]

T = TypeVar("T")

# Who launches processes tells each of them its place: torchrun, Lightning, SLURM, Open MPI.
_PLACES = (
    "RANK",
    "LOCAL_RANK",
    "GROUP_RANK",
    "NODE_RANK",
    "SLURM_PROCID",
    "OMPI_COMM_WORLD_RANK",
)


def first_process() -> bool:
    """Say whether this process writes files and speaks for all, by what its launcher has told it.

    Example:
        >>> first_process()
        True
    """
    return not any(_told(name) for name in _PLACES)


def first_on_node() -> bool:
    """Say whether this process prepares files for all that run on the same machine.

    Example:
        >>> first_on_node()
        True
    """
    return not any(_told(name) for name in ("LOCAL_RANK", "SLURM_LOCALID"))


def count_and_rank() -> tuple[int, int]:
    """Return how many processes there are, and which of them this is.

    Example:
        >>> count_and_rank()
        (1, 0)
    """
    if not _together():
        return 1, 0
    return distributed.get_world_size(), distributed.get_rank()


def check_started(expected: int) -> None:
    """Refuse processes that a launcher has started and that would not know of each other.

    Args:
        expected: How many of them are to work together.

    Raises:
        ValueError: If there are more.

    Example:
        >>> check_started(1)
    """
    if (found := _told("WORLD_SIZE")) > expected:
        raise ValueError(
            f"expected {expected} process{'es' if expected > 1 else ''}, found {found} that were "
            "started: train by --trainer.strategy ddp with --trainer.devices for each machine and "
            "--trainer.num_nodes, and start any other command once"
        )


def gathered(own: T) -> list[T]:
    """Return what every process has, in the order of their ranks; all of them must call it.

    Args:
        own: Of this process; whatever can be pickled.

    Example:
        >>> gathered("alone")
        ['alone']
    """
    if not _together():
        return [own]
    found: list[T] = [own] * distributed.get_world_size()
    distributed.all_gather_object(found, own)
    return found


def of_first(own: T) -> T:
    """Return what the first process has; all of them must call it.

    Example:
        >>> of_first("alone")
        'alone'
    """
    if not _together():
        return own
    found = [own]
    distributed.broadcast_object_list(found)
    return found[0]


def in_turn(parts: list[list[T]]) -> list[T]:
    """Return in one list what was dealt out to processes in turn, as it was before.

    Example:
        >>> in_turn([["a", "c", "e"], ["b", "d"]])
        ['a', 'b', 'c', 'd', 'e']
    """
    total = sum(map(len, parts))
    return [parts[place % len(parts)][place // len(parts)] for place in range(total)]


def share_loss(loss: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    r"""Make of each process's loss its share of the loss of the whole batch.

    .. math:: L = \frac{\sum_r w_r L_r}{\sum_r w_r}, \qquad L'_r = \frac{R \, w_r}{\sum_q w_q} L_r

    Gradients are averaged over the R processes, and the mean of the :math:`L'_r` is L; that of the
    :math:`L_r` is not, where they are means over unequal numbers of frames.

    Args:
        loss: Of this process ``()``, a mean that weighs ``weight``.
        weight: How much there is in this process's part of the batch ``()``, such as frames.

    Returns:
        What is to be differentiated, :math:`L'_r`, and L, without gradient, alike in all processes.

    Example:
        >>> own, whole = share_loss(torch.tensor(2.0), torch.tensor(5))
        >>> own, whole
        (tensor(2.), tensor(2.))
    """
    if not _together():
        return loss, loss.detach()
    sums = torch.stack((weight.detach().double(), weight.detach().double() * loss.detach()))
    own = sums[0].clone()
    distributed.all_reduce(sums)
    # A batch of weights that are all 0 teaches nothing.
    total = sums[0].clamp(min=torch.finfo(loss.dtype).tiny)
    share = distributed.get_world_size() * own / total
    return loss * share.to(loss), (sums[1] / total).to(loss)


@contextmanager
def joined() -> Iterator[None]:
    """Let processes that torchrun has started know of each other, until the block ends.

    What they send each other are numbers of the CPU, so that it works with every device.
    """
    if _together() or not distributed.is_torchelastic_launched():
        yield
        return
    distributed.init_process_group("gloo")
    if torch.cuda.is_available():
        torch.cuda.set_device(_told("LOCAL_RANK") % torch.cuda.device_count())
    try:
        yield
    finally:
        distributed.destroy_process_group()


def _together() -> bool:
    return distributed.is_available() and distributed.is_initialized()


def _told(name: str) -> int:
    return int(os.environ.get(name) or 0)
