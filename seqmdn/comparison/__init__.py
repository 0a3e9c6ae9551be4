"""The parts of a comparison: what to train, what may be resumed, and the table it becomes."""

__all__ = [
    "Task",
    "check_resumable",
    "git_revision",
    "markdown_table",
    "plan",
    "recipe_models",
    "revision_warning",
    "summarise",
]

from seqmdn.comparison.resumption import check_resumable, revision_warning
from seqmdn.comparison.revision import git_revision
from seqmdn.comparison.table import markdown_table, summarise
from seqmdn.comparison.tasks import Task, plan, recipe_models
