"""The state of a network of the published code of uGMM-NN, as layers of ours."""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from seqmdn.backbones.ugmm.linear import UGMMLinear

__all__ = ["convert_published"]

_ENTRY = re.compile(r"(?P<layer>(?:.*\.)?)(?P<name>mu|std|k)")
_BELOW = "prev_layer."


def convert_published(state: Mapping[str, Tensor]) -> nn.Sequential:
    r"""Make layers from a ``state_dict`` of the published code: of a whole network, or of a layer.

    There a layer holds ``mu``, ``std`` (the logarithm of :math:`\sigma`) and ``k`` (logits), and
    the layer below it a second time, as a part of itself: the state of a network names layer i also
    as ``layers.{i + 1}.prev_layer``, and so on up. Each is taken once, in order; copies must agree.
    What is computed is the same, but for components dropped in training, of which a neuron keeps
    one here. The layers have no floor.

    Args:
        state: The entries, by name.

    Returns:
        The layers, from the first, in evaluation mode as they come: without dropout.

    Raises:
        ValueError: With the reason, if this is not such a state: entries of other names or shapes,
            copies that differ, layers that do not fit on each other, or numbers that are not finite
            (a scale of 0, which the published start draws now and then, is no density).

    Example:
        >>> state = {f"layers.1.{name}": torch.zeros(2, 3) for name in ("mu", "std", "k")}
        >>> convert_published(state)
        Sequential(
          (0): UGMMLinear(in_features=3, out_features=2)
        )
    """
    layers: dict[str, dict[str, Tensor]] = {}
    for name, tensor in state.items():
        found = _ENTRY.fullmatch(name)
        if found is None:
            raise ValueError(
                f"expected a state of the published uGMM-NN, whose entries end in mu, std and k, "
                f"found {name!r}: a state of this layer is loaded by load_state_dict"
            )
        layers.setdefault(found["layer"], {})[found["name"]] = tensor
    if not layers:
        raise ValueError("expected a state of the published uGMM-NN, found no entries")
    for place, parts in layers.items():
        _check(place, parts)
    top = max(layers, key=_height)
    if any(_BELOW in place for place in layers):  # which leads from the last to every other one
        order, place = [], top
        while place in layers:
            order.append(place)
            place += _BELOW
    else:
        order = sorted(layers, key=_height, reverse=True)
    chain = [layers[place] for place in order]
    for other, parts in layers.items():
        if not any(_equal(parts, each) for each in chain):
            raise ValueError(
                f"expected {other or 'the layer'} to be below {top or 'the last layer'}, found "
                "other numbers there: the copies of the state differ, so that it is not known "
                "which were meant"
            )
    made: list[nn.Module] = []
    for parts in reversed(chain):
        if made and made[-1].out_features != parts["mu"].shape[1]:
            raise ValueError(
                f"expected a layer of {made[-1].out_features} inputs, as many as the one below has "
                f"neurons, found {parts['mu'].shape[1]}"
            )
        made.append(_layer(parts))
    return nn.Sequential(*made)


def _height(place: str) -> tuple[int, ...]:
    """Order places of layers: by the numbers in them, and above what is below in the same."""
    numbers = tuple(int(each) for each in re.findall(r"\d+", place))
    return (*numbers, -place.count(_BELOW))


def _check(place: str, parts: Mapping[str, Tensor]) -> None:
    missing = [name for name in ("mu", "std", "k") if name not in parts]
    if missing:
        raise ValueError(f"expected mu, std and k at {place!r}, found no {', '.join(missing)}")
    shapes = {tuple(part.shape) for part in parts.values()}
    if len(shapes) > 1 or len(next(iter(shapes))) != 2:
        raise ValueError(f"expected one shape (out, in) at {place!r}, found {sorted(shapes)}")
    for name, part in parts.items():
        if not bool(torch.isfinite(part).all()):
            raise ValueError(
                f"expected finite numbers, found {int((~torch.isfinite(part)).sum())} others in "
                f"{place}{name}: a scale of 0 or a NaN has no density"
            )


def _equal(parts: Mapping[str, Tensor], others: Mapping[str, Tensor]) -> bool:
    return all(torch.equal(part, others[name]) for name, part in parts.items())


@torch.no_grad()
def _layer(parts: Mapping[str, Tensor]) -> UGMMLinear:
    out_features, in_features = parts["mu"].shape
    layer = UGMMLinear(in_features, out_features, floor=0.0, dtype=parts["mu"].dtype)
    layer.mean.copy_(parts["mu"])
    layer.log_scale.copy_(parts["std"])
    layer.logits.copy_(parts["k"])
    return layer
