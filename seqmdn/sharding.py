"""Models whose training does not fit on one device: each process keeps a share of the weights."""

from collections.abc import Mapping
from typing import Any

from lightning.pytorch import Trainer
from lightning.pytorch.strategies import ModelParallelStrategy
from torch.distributed.fsdp import fully_shard, register_fsdp_forward_method

from seqmdn.models import DensityModel

__all__ = ["ShardedStrategy", "shard", "sharded_options"]

_METHODS = ("loss", "log_prob", "validation_log_prob")


class ShardedStrategy(ModelParallelStrategy):
    """Fully sharded data parallelism: weights, gradients and optimiser are dealt out.

    Each process has its own sequences, as in data parallelism, and between steps its share of the
    weights alone; all of them are brought together for a step's loss and gradient. With R devices
    and Adam, each one holds 4 / R of what the weights take, and during a step the weights. Numbers
    are those of data parallelism. Checkpoints hold whole tensors in one file, as those of one
    process do.

    Lightning's own ``fsdp`` is PyTorch's first form of it and needs a GPU; this is the second one
    (FSDP2), and runs on CPUs as well.

    References:
        ZeRO: Memory Optimizations Toward Training Trillion Parameter Models (Rajbhandari, Rasley,
        Ruwase, He, 2020).
        PyTorch FSDP: Experiences on Scaling Fully Sharded Data Parallel (Zhao et al., 2023).
    """

    def __init__(self) -> None:
        super().__init__(tensor_parallel_size=1, save_distributed_checkpoint=False)

    def setup_environment(self) -> None:
        self._data_parallel_size = self.num_nodes * self.num_processes
        super().setup_environment()


def sharded_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return a trainer's options with the strategy that ``fsdp`` stands for.

    Example:
        >>> sharded_options({"strategy": "fsdp", "devices": 2})["strategy"].__class__.__name__
        'ShardedStrategy'
        >>> sharded_options({"strategy": "ddp", "devices": 2})
        {'strategy': 'ddp', 'devices': 2}
    """
    if options.get("strategy") != "fsdp":
        return dict(options)
    return {**options, "strategy": ShardedStrategy()}


def shard(model: DensityModel, trainer: Trainer) -> None:
    """Deal out a model's weights where the trainer's strategy is to shard them.

    Args:
        model: The model, changed in place.
        trainer: What is about to train it.
    """
    strategy = trainer.strategy
    if not isinstance(strategy, ShardedStrategy) or hasattr(model, "unshard"):
        return
    fully_shard(model, mesh=strategy.device_mesh["data_parallel"])
    for method in _METHODS:  # a model is not called, but asked for these
        register_fsdp_forward_method(model, method)
