"""Noise on the weights while a step's gradient is computed."""

from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

__all__ = ["WeightNoise"]

_PURPOSE = 1  # beside the numbers of dropout, which are a function of seed and step as well


class WeightNoise(Callback):
    r"""Computes each gradient at weights that are off by Gaussian noise.

    .. math:: g = \nabla_w L(w + \epsilon), \quad \epsilon \sim N(0, \sigma^2)

    The step is taken from w, and validation and checkpoints see w: what is learnt must not depend
    on the last digits of a weight. Matrices alone have noise, no biases. A function of seed and
    step, so that a run resumed in its middle is the run that was never stopped.

    In a configuration::

        trainer:
          callbacks:
            - class_path: seqmdn.weight_noise.WeightNoise
              init_args: {std: 0.075}

    Args:
        std: Standard deviation sigma.

    Raises:
        ValueError: If it is not positive.

    References:
        An Analysis of Noise in Recurrent Neural Networks: Convergence and Generalization (Jim,
        Giles, Horne, 1996).
        Generating Sequences With Recurrent Neural Networks (Graves, 2013), where sigma is 0.075.

    Example:
        >>> WeightNoise(std=0.0)
        Traceback (most recent call last):
        ...
        ValueError: the noise on weights needs a positive standard deviation, found 0.0
    """

    def __init__(self, std: float = 0.075) -> None:
        if not std > 0:
            raise ValueError(
                f"the noise on weights needs a positive standard deviation, found {std}"
            )
        self.std = std
        self._own: list[tuple[Tensor, Tensor]] = []

    def on_train_batch_start(
        self, trainer: Trainer, module: LightningModule, batch: Any, index: int
    ) -> None:
        # On the CPU, whose numbers are the same beside any device; each process has its own data,
        # but the weights that they share must be off by the same noise.
        place = index % trainer.accumulate_grad_batches
        seed = hash((getattr(module, "seed", 0), trainer.global_step, place, _PURPOSE))
        generator = torch.Generator().manual_seed(seed % 2**63)
        for parameter in module.parameters():
            if parameter.requires_grad and parameter.ndim >= 2:
                self._own.append((parameter, parameter.detach().clone()))
                noise = torch.randn(parameter.shape, generator=generator).mul_(self.std)
                parameter.data.add_(noise.to(parameter))

    def on_after_backward(self, trainer: Trainer, module: LightningModule) -> None:
        for parameter, own in self._own:
            parameter.data.copy_(own)
        self._own.clear()
