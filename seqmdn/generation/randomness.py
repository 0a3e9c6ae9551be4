"""Draws that leave no trace: neither in the global generators nor in the model's mode."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

__all__ = ["Randomness", "evaluating"]


class Randomness:
    """A stream of random numbers of its own, entered and left without touching the global one.

    Args:
        seed: Of the numbers after the first entry; each later one goes on where the last one left.
        device: The device besides the CPU that they are drawn on.

    Example:
        >>> before, randomness = torch.get_rng_state(), Randomness(0, torch.device("cpu"))
        >>> with randomness():
        ...     first = torch.rand(())
        >>> torch.equal(before, torch.get_rng_state())
        True
    """

    def __init__(self, seed: int, device: torch.device) -> None:
        self.seed = seed
        self.devices = [device] if device.type == "cuda" else []
        self.states: list[Tensor] | None = None

    @contextmanager
    def __call__(self) -> Iterator[None]:
        with torch.random.fork_rng(devices=self.devices):
            if self.states is None:
                # torch.manual_seed would seed the devices that the model is not on as well.
                torch.default_generator.manual_seed(self.seed)
                for device in self.devices:
                    with torch.cuda.device(device):
                        torch.cuda.manual_seed(self.seed)
            else:
                torch.set_rng_state(self.states[0])
                for device, state in zip(self.devices, self.states[1:], strict=True):
                    torch.cuda.set_rng_state(state, device)
            yield
            self.states = [torch.get_rng_state()]
            self.states += [torch.cuda.get_rng_state(device) for device in self.devices]


@contextmanager
def evaluating(model: torch.nn.Module) -> Iterator[None]:
    """Put a model into evaluation mode, and back into the one that it was in.

    Example:
        >>> model = torch.nn.Dropout()
        >>> with evaluating(model):
        ...     model.training
        False
        >>> model.training
        True
    """
    before = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        # Module by module: a part may have been frozen in another mode than the whole.
        for module, training in before:
            module.training = training
