"""One diagnosed run for all pages."""

from pathlib import Path

import pytest

from seqmdn.runs import Diagnostics, diagnose


@pytest.fixture(scope="session")
def found(small_run: Path) -> Diagnostics:
    """What is known of the small run, to be read only."""
    return diagnose(small_run, draws=40)
