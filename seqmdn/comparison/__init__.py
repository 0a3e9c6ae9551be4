"""The parts of a comparison: what to train, what may be resumed, and the tables it becomes."""

__all__ = [
    "Budget",
    "Cell",
    "Task",
    "add_folds",
    "add_training",
    "cells_of",
    "check_resumable",
    "check_tasks",
    "component_warnings",
    "distinct",
    "equal_params",
    "equal_seconds",
    "equal_steps",
    "fold_tasks",
    "grid_of",
    "grid_tables",
    "markdown_table",
    "pairs_with_first",
    "paper_table",
    "plan",
    "possible",
    "read_frames",
    "read_training",
    "recipe_models",
    "reuse",
    "revision_warning",
    "selection_words",
    "sign_test",
    "summarise",
    "sweep_cells",
    "time_drawing",
]

from seqmdn.comparison.budget import Budget, equal_params, equal_seconds, equal_steps
from seqmdn.comparison.checks import check_tasks, possible
from seqmdn.comparison.folds import add_folds, fold_tasks
from seqmdn.comparison.grid import grid_tables, pairs_with_first
from seqmdn.comparison.otherwise import read_frames
from seqmdn.comparison.paper import paper_table
from seqmdn.comparison.resumption import check_resumable, revision_warning
from seqmdn.comparison.reuse import distinct, reuse
from seqmdn.comparison.selection import (
    add_training,
    component_warnings,
    read_training,
    selection_words,
)
from seqmdn.comparison.signs import sign_test
from seqmdn.comparison.summary import summarise
from seqmdn.comparison.sweep import grid_of, sweep_cells
from seqmdn.comparison.table import markdown_table
from seqmdn.comparison.tasks import Cell, Task, cells_of, plan, recipe_models
from seqmdn.comparison.timing import time_drawing
