"""Every place where bytes from elsewhere come in: a small file that is right, and its reader."""

from tests.hostile import doors_of_arrays, doors_of_runs, doors_of_sound, doors_of_text
from tests.hostile.door import DOORS

__all__ = ["DOORS"]

# Importing them is what fills it.
_ = (doors_of_runs, doors_of_text, doors_of_arrays, doors_of_sound)
