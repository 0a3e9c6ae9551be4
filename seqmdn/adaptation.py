"""The density of a sequence by a model that goes on learning from what it has seen of it."""

import copy
import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from seqmdn.data import Batch
from seqmdn.models import DensityModel, SequenceModel

__all__ = ["adaptive_log_prob", "check_rate"]


def adaptive_log_prob(
    model: DensityModel, batch: Batch, rate: float, scored: Callable[[], None] | None = None
) -> Tensor:
    r"""Return the log-density of every frame by weights that adapt to the frames before it.

    .. math:: \log p(y_{1:T}) = \sum_t \log p_{\theta_t}(y_t | y_{<t}), \quad
        \theta_{t+1} = \mathrm{Adam}\left(\theta_t, -\nabla \log p_{\theta_t}(y_t | y_{<t})\right)

    Each frame is scored before anything is learnt from it, so that the weights at step t are a
    function of the frames before: the product is an exact density of the sequence, like that of
    fixed weights. It tells how much of a model's loss is due to sequences unlike those it was
    trained on. Every sequence begins with the model's own weights, which stay as they are. The
    gradient of a step goes through that step alone, not through the state before it.

    Args:
        model: The model, in evaluation mode.
        batch: B sequences of at most T frames.
        rate: Learning rate of Adam. Too high a one is worse than none: choose it on sequences that
            are not the test.
        scored: Called after each frame.

    Returns:
        ``(B, T)`` in nats, 0 at frames that do not count (padding and burn-in); of these, only
        those that count are learnt from.

    Raises:
        ValueError: If the model has no densities of single frames, or the rate is not positive.
        ArithmeticError: If a log-density is not finite any more.

    References:
        Dynamic Evaluation of Neural Sequence Models (Krause, Kahembwe, Murray, Renals, 2018).
        Recurrent neural network based language model (Mikolov, Karafiat, Burget, Cernocky,
        Khudanpur, 2010).

    Example:
        >>> model = SequenceModel(features=2).eval()
        >>> batch = Batch(values=torch.full((1, 50, 2), 3.0), lengths=torch.tensor([50]))
        >>> fixed = model.frame_log_prob(batch)
        >>> adapted = adaptive_log_prob(model, batch, rate=1e-3)
        >>> bool(adapted[0, 0] == fixed[0, 0]), bool(adapted[0, -1] > fixed[0, -1])
        (True, True)
    """
    if not isinstance(model, SequenceModel):
        raise ValueError(
            f"a {type(model).__name__} has no density of single frames to learn from: expected a"
            " SequenceModel"
        )
    check_rate(rate)
    own = model.state_dict()
    # A scorer's inference mode would keep gradients out; cuDNN has none of a network in evaluation.
    with (
        torch.inference_mode(False),
        torch.enable_grad(),
        torch.backends.cudnn.flags(enabled=False),
    ):
        result = torch.zeros(batch.values.shape[:2], device=batch.values.device)
        learner = copy.deepcopy(model)
        # Copies, as gradients cannot be computed with what inference mode has made.
        batch = Batch._make(None if field is None else field.clone() for field in batch)
        for index, row in enumerate(result):
            learner.load_state_dict(own)
            _score(learner, batch.part(index, index + 1), rate, row, scored)
    return result


def check_rate(rate: float) -> None:
    """Raise ValueError if nothing can adapt at this learning rate.

    Example:
        >>> check_rate(1e-4)
    """
    if not 0 < rate < math.inf:
        raise ValueError(f"expected a positive learning rate to adapt with, found {rate}")


def _score(
    learner: SequenceModel,
    batch: Batch,
    rate: float,
    result: Tensor,  # (T,)
    scored: Callable[[], None] | None,
) -> None:
    """Score one sequence, frame by frame, and learn from each."""
    optimiser = torch.optim.Adam(learner.parameters(), lr=rate)
    counted = batch.mask()[0].tolist()
    density: Any  # torch's own takes no mask
    previous, seen = None, None
    with torch.no_grad():
        state = learner.begin(batch.text)
    for t in range(int(batch.lengths[0])):
        context = None if batch.context is None else batch.context[:, t]
        density, state = learner.step(previous, context, state, observed=seen)
        seen = None if batch.observed is None else batch.observed[:, t]
        z, ladj = learner.transform.call_and_ladj(batch.values[:, t], seen)
        log_prob = density.log_prob(z) if seen is None else density.log_prob(z, seen)
        log_prob = (log_prob + ladj).sum()
        if counted[t]:
            result[t] = log_prob.detach()
            if not result[t].isfinite():
                raise ArithmeticError(
                    f"the log-density of frame {t} is {float(result[t])} after adaptation with a "
                    f"rate of {rate:g}: choose a lower one"
                )
            optimiser.zero_grad()
            log_prob.neg().backward()
            optimiser.step()
        if scored is not None:
            scored()
        previous, state = z.detach(), tuple(each.detach() for each in state)
