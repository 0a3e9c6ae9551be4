"""Measurements of seqmdn against what else computes the same, both sides in one run."""
