"""Exact densities of continuous sequences.

A head is a module whose ``forward(h)`` returns a ``torch.distributions.Distribution``: the loss is
``-head(h).log_prob(y)``, a draw is ``head(h).sample()``, and there is nothing else to learn. Heads
live in :mod:`seqmdn.heads`, the distributions they return in :mod:`seqmdn.distributions`.

This module imports nothing, so that asking for the version costs nothing.
"""

__all__ = ["__version__"]

__version__ = "0.1.0"
