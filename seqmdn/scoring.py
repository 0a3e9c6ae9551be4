"""Scores of a sequence model beside its likelihood, frame by frame, in the data's own units."""

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from lightning.pytorch.utilities import move_data_to_device
from torch import Tensor
from torch.distributions import Distribution

from seqmdn.data import Batch, Identity, Levels, Partial, Transform
from seqmdn.distributions import Classes, Flowed, Product
from seqmdn.heads import CategoricalHead
from seqmdn.metrics import ComponentUse, DensityReport, FrameMean
from seqmdn.models import DensityModel, ExactModel

__all__ = [
    "continuous_part",
    "first_part",
    "score_classes",
    "score_components",
    "score_densities",
]

_VALUES = 2**22  # numbers drawn at a time


@torch.inference_mode()
def score_densities(
    model: DensityModel, batches: Iterable[Batch], draws: int = 200, seed: int = 0
) -> DensityReport:
    """Judge the density of every frame, given the real frames before it, by the frame itself.

    The transform inside the model is undone: where it takes every feature by itself, probability
    integral transforms and quantiles stay exact, and where it is affine the CRPS does, too. What
    remains is estimated from draws that are mapped back to the data's units. Where features are
    missing, all of it is of the exact marginal of what was observed. Of frames with bits, the
    continuous features are judged, and of a world model's the latents.

    Args:
        model: The model, in evaluation mode.
        batches: Sequences, whole. They are taken apart so that draws fit into memory.
        draws: Draws of each frame, at least 19.
        seed: Seed of the draws; the state of torch's global generators is not touched.

    Returns:
        The report, whose ``compute()`` gives plain values.

    Raises:
        ValueError: If the model has no densities of single frames, or probabilities of levels, or
            there are too few draws.
        NotImplementedError: If features are missing and the head is a flow that mixes them.

    Example:
        >>> from seqmdn.models import SequenceModel
        >>> model = SequenceModel(features=2).eval()
        >>> batch = Batch(values=torch.randn(3, 10, 2), lengths=torch.tensor([10, 7, 2]))
        >>> found = score_densities(model, [batch]).compute()
        >>> found["crps_estimator"], len(found["crps_per_sequence"])
        ('exact', 3)
    """
    if isinstance(getattr(model, "transform", None), Levels):
        raise ValueError(
            "expected a density to score, found probabilities of whole levels, which have no"
            " quantiles: leave out --scores"
        )
    if not isinstance(model, ExactModel):
        raise ValueError(
            f"a {type(model).__name__} has no density of single frames to score: expected a"
            " SequenceModel or an MDN"
        )
    device = model.start.device
    report: DensityReport | None = None
    for batch in batches:
        for part in _parts(batch, draws):
            part = move_data_to_device(part, device)
            distribution, mask = model.distributions(part)
            if isinstance(distribution, Classes):
                raise ValueError(
                    "expected a density to score, found probabilities of classes, which have no"
                    " quantiles: leave out --scores; their accuracy is always there"
                )
            density, values = continuous_part(distribution, model.transform, part.values)
            if report is None:
                report = DensityReport(density.event_shape[0], draws, seed).to(device)
            report.update(density, values, mask, part.observed)
    if report is None:
        raise ValueError("expected a batch to score, found none")
    return report


@torch.inference_mode()
def score_classes(model: DensityModel, batches: Iterable[Batch]) -> dict[str, float] | None:
    """Say how often the likeliest class of a classifier is the right one.

    Args:
        model: The model, in evaluation mode.
        batches: Rows or sequences, whole.

    Returns:
        ``accuracy``, the share of frames all of whose observed features are of the class that was
        likeliest, and ``accuracy_stderr`` over sequences; None of a model that is no
        classifier, which costs nothing.

    Example:
        >>> from seqmdn.data import Identity
        >>> from seqmdn.heads import CategoricalHead
        >>> from seqmdn.models import MDN
        >>> model = MDN(1, 2, head=CategoricalHead, transform=Identity).eval()
        >>> rows = Batch(torch.zeros(8, 1, 1), torch.ones(8), torch.zeros(8, 1, 2))
        >>> score_classes(model, [rows])["accuracy"] in (0.0, 1.0)
        True
    """
    if not isinstance(model, ExactModel) or not isinstance(
        getattr(model, "head", None), CategoricalHead
    ):
        return None
    right = FrameMean()
    for batch in batches:
        batch = move_data_to_device(batch, model.start.device)
        distribution, mask = model.distributions(batch)
        agree = distribution.mode == batch.values
        if batch.observed is not None:
            agree = agree | ~batch.observed
        right.to(mask.device).update(agree.all(-1).float(), mask)
    return {"accuracy": float(right.compute()), "accuracy_stderr": float(right.stderr())}


@torch.inference_mode()
def score_components(model: DensityModel, batches: Iterable[Batch]) -> dict[str, Any] | None:
    """Say what the components of a model's mixtures explain, and which overlap.

    Of frames with bits, those of the continuous features are looked at.

    Args:
        model: The model, in evaluation mode.
        batches: Sequences, whole.

    Returns:
        What :meth:`seqmdn.metrics.ComponentUse.compute` gives; None where the densities are no
        mixtures.

    Raises:
        ValueError: If the model has no densities of single frames, or features are missing.

    Example:
        >>> from seqmdn.models import SequenceModel
        >>> model = SequenceModel(features=2).eval()
        >>> batch = Batch(values=torch.randn(3, 10, 2), lengths=torch.tensor([10, 7, 2]))
        >>> found = score_components(model, [batch])
        >>> len(found["responsibility"]), round(sum(found["responsibility"]), 4)
        (5, 1.0)
    """
    if not isinstance(model, ExactModel):
        raise ValueError(
            f"a {type(model).__name__} has no density of single frames: expected a SequenceModel"
            " or an MDN"
        )
    use = ComponentUse()
    for batch in batches:
        batch = move_data_to_device(batch, model.start.device)
        if batch.observed is not None and not bool(batch.observed[batch.mask()].all()):
            raise ValueError("expected whole frames, found some with missing features")
        distribution, mask = model.distributions(batch)
        use.update(*continuous_part(distribution, model.transform, batch.values), mask)
    return use.compute()


def first_part(distribution: Any) -> Any:
    """Return the density of what stands first in a frame whose parts are independent, or of all.

    That is, the offsets of a pen without its bits, the latents of a world model without its reward.

    Example:
        >>> from seqmdn.models import WorldModel
        >>> model = WorldModel(features=6, latents=4)
        >>> first_part(model.step(None)[0]).event_shape
        torch.Size([4])
    """
    while isinstance(distribution, Product):
        distribution = distribution.parts[0]
    return distribution


def continuous_part(
    distribution: Distribution, transform: Transform, values: Tensor
) -> tuple[Flowed, Tensor]:
    """Return the density of what has one, in the data's units, and its values ``(B, T, C)``.

    Args:
        distribution: Of frames in the transform's units, batch shape ``(B, T)``.
        transform: Of the model.
        values: Frames ``(B, T, D)``, in the data's units.

    Raises:
        ValueError: If the frames have other parts, such as bits, and the transform is not one of
            what stands before them alone.

    Example:
        >>> from seqmdn.heads import StrokeHead
        >>> from seqmdn.models import SequenceModel
        >>> model = SequenceModel(3, head=StrokeHead, transform=Partial)
        >>> batch = Batch(values=torch.zeros(1, 5, 3), lengths=torch.tensor([5]))
        >>> distribution, _ = model.distributions(batch)
        >>> density, values = continuous_part(distribution, model.transform, batch.values)
        >>> density.event_shape, values.shape
        (torch.Size([2]), torch.Size([1, 5, 2]))
    """
    density = first_part(distribution)
    if density is distribution:
        return Flowed(distribution, transform), values
    C = density.event_shape[0]
    if isinstance(transform, Identity):
        return Flowed(density, transform), values[..., :C]
    if not isinstance(transform, Partial) or transform.columns != C:
        raise ValueError(
            f"expected a transform of the {C} continuous features alone, found {transform}: use "
            "seqmdn.data.Partial"
        )
    return Flowed(density, transform.first), values[..., :C]


def _parts(batch: Batch, draws: int) -> Iterator[Batch]:
    """Take a batch apart into ones of which all draws fit into memory, a sequence at the least."""
    size = max(1, _VALUES // (draws * batch.values[0].numel()))
    for first in range(0, len(batch.values), size):
        yield batch.part(first, first + size)
