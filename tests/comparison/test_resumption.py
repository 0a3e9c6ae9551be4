"""Whether a comparison can go on with what is there of it."""

from pathlib import Path

import pytest

from seqmdn.comparison import Task, check_resumable
from tests.small import words


def test_only_the_configuration_it_was_begun_under_goes_on(small_run: Path) -> None:
    recipe = small_run.parent / "recipe"
    new = Task("rmdn", 0, tuple(words(recipe, "--seed", "7")), small_run.parent / "new")
    check_resumable([Task("rmdn", 0, tuple(words(recipe)), small_run), new])
    longer = Task("rmdn", 0, tuple(words(recipe, "--trainer.max_steps", "13")), small_run)
    message = "run was begun under another configuration: expected trainer.max_steps 13, found 12"
    with pytest.raises(ValueError, match=message):
        check_resumable([new, longer])
