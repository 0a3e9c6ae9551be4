"""One step of a model as a function of tensors alone: what a graph of it does."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from seqmdn.backbones import WindowBackbone
from seqmdn.exporting.draws import draw, noise
from seqmdn.exporting.parameters import parameters
from seqmdn.models import MDN, ExactModel, SequenceModel

__all__ = ["OUTPUTS", "ExportError", "Step", "unchecked"]

#: What a step may be asked for, beside the state.
OUTPUTS = ("parameters", "draw", "log_prob")


class ExportError(ValueError):
    """A model, or a part of it, that cannot be exported, and why."""


class Step(nn.Module):
    r"""Goes one step on: the frame before and the state in, the next frame's density and state out.

    Inputs, batch first, in the order of :attr:`inputs`; a model has only those that it needs:

    - ``frame`` (B, D), the frame before, in the data's units, NaN where a feature is missing and
      the model was made for that;
    - ``first`` (B,), boolean: whether a sequence begins with this step. Its ``frame`` and state are
      not read then, and may be anything of their shape, 0 for example;
    - ``context`` (B, X), of this step;
    - ``text`` (B, U), what each sequence says, in code points padded with 0, the same at each step;
    - ``uniform`` (B, U) and ``normal`` (B, N), the random numbers of a draw, uniform on (0, 1) and
      standard normal; see :mod:`seqmdn.exporting.draws`;
    - ``value`` (B, D), the frame whose log-density is asked for, in the data's units;
    - ``state_0``, ``state_1`` ..., the state after the step before, (B, ...) each.

    Outputs, in the order of :attr:`outputs`: the parameters of the density of the next frame *in
    the units of the model's transform*, and of a flow the space behind it
    (:func:`seqmdn.exporting.parameters.parameters`); ``draw`` (B, D), a frame of that density in
    the data's units, and, where the model knows, ``ended`` (B,), whether its sequence ends with it;
    ``log_prob`` (B,), the exact log-density of ``value`` in nats, in the data's units, flow
    included; ``next_state_0``, ``next_state_1`` ..., the state to hand on.

    Args:
        model: The model, in evaluation mode. An :class:`seqmdn.models.MDN` has neither frame nor
            state.
        outputs: Some of ``"parameters"``, ``"draw"`` and ``"log_prob"``; by default the first two,
            or the draw alone where features are drawn in turn.

    Raises:
        ExportError: If the model is of another kind, its density is not known here, or its state
            does not begin with zeros.

    Example:
        >>> step = Step(SequenceModel(features=2).eval())
        >>> list(step.inputs)
        ['frame', 'first', 'uniform', 'normal', 'state_0', 'state_1']
        >>> step.outputs
        ['logits', 'loc', 'diagonal', 'draw', 'next_state_0', 'next_state_1']
        >>> with torch.no_grad():
        ...     [found.shape[0] for found in step(*step.inputs.values())]
        [3, 3, 3, 3, 3, 3]
    """

    def __init__(self, model: nn.Module, outputs: Sequence[str] | None = None) -> None:
        super().__init__()
        self.model = _checked(model)
        self.asked = tuple(OUTPUTS[:2] if outputs is None else outputs)
        if not self.asked or not set(self.asked) <= set(OUTPUTS):
            raise ExportError(f"expected outputs of {OUTPUTS}, found {list(self.asked)}")
        #: Inputs of three sequences, by name: what a graph is made from.
        self.inputs = self._example()
        density, state = self._first()
        try:
            self.noise, named = noise(density), list(parameters(density))
        except NotImplementedError as error:
            raise ExportError(str(error)) from error
        if not named and "parameters" in self.asked:
            if outputs is not None:
                raise ExportError(
                    "features that are drawn in turn have no parameters before the draw, found "
                    "outputs 'parameters': ask for 'draw' or 'log_prob'"
                )
            self.asked = ("draw",)
        self._complete(state)
        #: Names of what a step returns, in its order.
        self.outputs: list[str] = []
        with unchecked(), torch.no_grad():
            found = self._step(self.inputs)
        self.outputs = list(found)
        self._check_beginning(state, found)

    def forward(self, *given: Tensor) -> tuple[Tensor, ...]:
        """Return the outputs, in the order of their names, of inputs in the order of theirs."""
        with unchecked():
            return tuple(self._step(dict(zip(self.inputs, given, strict=True))).values())

    def _step(self, given: dict[str, Tensor]) -> dict[str, Tensor]:
        model = self.model
        h, state = self._advance(given)
        density = model.head(h)
        found: dict[str, Tensor] = {}
        if "parameters" in self.asked:
            found |= parameters(density)
        if "draw" in self.asked:
            drawn = draw(density, given["uniform"], given["normal"])
            found["draw"] = model.transform.inverse(drawn)
            ended = model.ended(found["draw"], state)
            if ended is not None:
                found["ended"] = ended
        if "log_prob" in self.asked:
            found["log_prob"] = self._log_prob(density, given["value"])
        handed = state[:-1] if self._reads else state
        return found | {f"next_state_{i}": part for i, part in enumerate(handed)}

    def _advance(self, given: dict[str, Tensor]) -> tuple[Tensor, tuple[Tensor, ...]]:
        model, context = self.model, given.get("context")
        if not isinstance(model, SequenceModel):
            return model.advance(None, context, ())
        first, frame = given["first"], given["frame"]
        observed = None
        if model.missing:
            observed = ~frame.isnan() | first.unsqueeze(-1)
        z = model.transform.call_and_ladj(frame, observed)[0]
        previous = torch.where(first.unsqueeze(-1), model.start, z)
        state = tuple(each for name, each in given.items() if name.startswith("state_"))
        # What a text is made into is a part of the backbone's state, but never changes.
        begun = model.begin(given["text"]) if self._reads else None
        state = tuple(
            torch.where(
                first.view(-1, *[1] * (part.dim() - 1)), 0 if begun is None else begun[i], part
            )
            for i, part in enumerate(state)
        )
        if begun is not None:
            state = (*state, begun[-1])
        return model.advance(previous, context, state, observed=observed)

    def _log_prob(self, density: Any, value: Tensor) -> Tensor:
        if not self.model.missing:
            z, ladj = self.model.transform.call_and_ladj(value)
            return density.log_prob(z) + ladj
        observed = ~value.isnan()
        z, ladj = self.model.transform.call_and_ladj(value, observed)
        return density.log_prob(z, observed) + ladj

    @property
    def _reads(self) -> bool:
        """Whether the model reads texts."""
        return isinstance(self.model.backbone, WindowBackbone)

    def _example(self) -> dict[str, Tensor]:
        """Return inputs of three sequences, without random numbers and state."""
        model, batch = self.model, 3
        found: dict[str, Tensor] = {}
        if isinstance(model, SequenceModel):
            # A frame that every transform accepts.
            frame = model.transform.inverse(model.start.detach().expand(batch, -1))
            found["frame"] = frame.contiguous()
            found["first"] = torch.tensor([True, False, True])
        if model.context:
            found["context"] = torch.zeros(batch, model.context)
        if isinstance(model.backbone, WindowBackbone):
            found["text"] = torch.full((batch, 2), ord(model.backbone.alphabet[0]))
        return found

    @torch.no_grad()
    def _first(self) -> tuple[Distribution, tuple[Tensor, ...]]:
        """Return the densities and the states of a first step, by the model itself."""
        begun = self.model.begin(self.inputs["text"]) if self._reads else None
        h, state = self.model.advance(None, self.inputs.get("context"), begun, batch_size=3)
        return self.model.head(h), state

    def _complete(self, state: tuple[Tensor, ...]) -> None:
        """Add random numbers, a value and a state to the example."""
        model, batch = self.model, 3
        if "draw" in self.asked:
            self.inputs["uniform"] = torch.full((batch, self.noise.uniform), 0.5)
            self.inputs["normal"] = torch.zeros(batch, self.noise.normal)
        if "log_prob" in self.asked:
            self.inputs["value"] = model.transform.inverse(torch.zeros(batch, model.features))
        handed = state[:-1] if self._reads else state
        self.inputs |= {f"state_{i}": torch.zeros_like(part) for i, part in enumerate(handed)}

    def _check_beginning(self, state: tuple[Tensor, ...], found: dict[str, Tensor]) -> None:
        """Raise ExportError unless a first step here is one of the model."""
        for i, part in enumerate(state[:-1] if self._reads else state):
            mine = found[f"next_state_{i}"]
            if not torch.allclose(mine[::2], part[::2], rtol=1e-5, atol=1e-6):
                raise ExportError(
                    f"expected a {type(self.model.backbone).__name__} whose state begins with "
                    "zeros, found another one: such a step cannot be exported"
                )


@contextmanager
def unchecked() -> Iterator[None]:
    """Leave out the checks of torch's distributions, which look at values: a graph cannot."""
    before = Distribution._validate_args
    Distribution.set_default_validate_args(False)
    try:
        yield
    finally:
        Distribution.set_default_validate_args(before)


def _checked(model: nn.Module) -> ExactModel:
    """Return a model whose step is known here, in evaluation mode, or raise ExportError."""
    if not isinstance(model, SequenceModel | MDN):
        raise ExportError(
            "expected a SequenceModel, a WorldModel or an MDN, whose step is a density of the next "
            f"frame given a state, found a {type(model).__name__}: it can be exported as "
            "safetensors (--to safetensors)"
        )
    if isinstance(model, MDN) and isinstance(model.backbone, WindowBackbone):
        raise ExportError("expected an MDN of numbers, found one that reads a text")
    if model.training:
        raise ExportError(
            "expected a model in evaluation mode, found one in training: call model.eval()"
        )
    return model
