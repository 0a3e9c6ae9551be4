"""What a run's model makes of the rows that it was trained on, for choosing among models."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from lightning.pytorch.utilities import move_data_to_device

from seqmdn.data import Batch, Levels
from seqmdn.metrics import bic
from seqmdn.models import Ensemble, ExactModel
from seqmdn.runs.run import Run
from seqmdn.scoring import score_components

__all__ = ["score_training"]

_FRAMES = 10_000  # of which the use of components is measured


@torch.inference_mode()
def score_training(run: Run) -> dict[str, Any] | None:
    r"""Score the kept weights on the training split: likelihood, BIC and the use of components.

    The weights are those of the lowest validation NLL, which are not at the maximum of the
    likelihood that :func:`seqmdn.metrics.bic` asks for.

    Args:
        run: The run.

    Returns:
        ``log_likelihood``, of all training frames together, in nats, their number ``frames``,
        ``bic``, in nats, and ``components``, a list of what :func:`seqmdn.scoring.score_components`
        gives, of each member of an ensemble by itself: on all training sequences, or on some,
        always the same, of 10,000 frames together. That is empty where densities are no mixtures,
        or of whole levels, or where features are missing. None where the model's likelihood is not
        exact.
    """
    model = run.model
    if not isinstance(model, ExactModel):
        return None
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model.to(device)
    total, frames = 0.0, 0
    for batch in run.data.batches("train"):
        total += float(model.log_prob(move_data_to_device(batch, device)).double().sum())
        frames += int(batch.frames().sum())
    parameters = run.description["parameters"]
    return {
        "log_likelihood": total,
        "frames": frames,
        "bic": bic(total, parameters, frames),
        "components": _components(run, model),
    }


def _components(run: Run, model: ExactModel) -> list[dict[str, Any]]:
    if isinstance(model.transform, Levels) or run.data.store.missing:
        return []
    # Members learn the same, so that components of two of them lie on each other in any case.
    members = list(model.members) if isinstance(model, Ensemble) else [model]
    found = [score_components(each, _some(run)) for each in members]  # type: ignore[arg-type]
    return [each for each in found if each is not None]


def _some(run: Run) -> Iterator[Batch]:
    """Give whole training sequences until they have enough frames."""
    data = run.data
    indices = data.store.indices("train")
    lengths = data.store.lengths[indices]
    if lengths.sum() > _FRAMES:
        order = np.random.default_rng(0).permutation(len(indices))
        count = max(1, int((lengths[order].cumsum() <= _FRAMES).sum()))
        indices = np.sort(indices[order[:count]])
    size = data.eval_batch_size
    for first in range(0, len(indices), size):
        yield data.sequences("train", indices[first : first + size].tolist())
