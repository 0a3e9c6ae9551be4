"""What a number of parameters costs: criteria that need no held-out data."""

import math

__all__ = ["bic"]


def bic(log_likelihood: float, parameters: int, frames: int) -> float:
    r"""Returns the Bayesian information criterion, in nats; smaller is better.

    .. math:: -2 \log L + P \log N

    Half its difference is an approximate log-ratio of the evidence for two models, for few
    parameters and many frames, at the maximum of the likelihood. A network that is stopped early is
    not there, and many of its parameters do nothing: held-out likelihoods tell more.

    Args:
        log_likelihood: of all training frames together, in nats.
        parameters: P, the trainable numbers of the model.
        frames: N, training frames.

    Raises:
        ValueError: If there are no frames.

    References:
        Estimating the Dimension of a Model, Gideon Schwarz, 1978.

    Example:
        >>> round(bic(-100.0, parameters=3, frames=50), 3)
        211.736
    """
    if frames < 1 or parameters < 0:
        raise ValueError(
            f"expected frames of 1 or more and parameters of 0 or more; found {frames} and"
            f" {parameters}."
        )
    return -2 * log_likelihood + parameters * math.log(frames)
