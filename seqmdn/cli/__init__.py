"""The command ``seqmdn``: a file for each of compare, fit, evaluate, report, sample and encode."""

__all__ = ["main"]

from seqmdn.cli.command import main
