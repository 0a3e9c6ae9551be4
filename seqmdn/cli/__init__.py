"""The command ``seqmdn``: a file for each of compare, fit, evaluate and sample."""

__all__ = ["main"]

from seqmdn.cli.command import main
