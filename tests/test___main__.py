"""``python -m seqmdn`` is the command."""

import subprocess
import sys

import seqmdn


def test_the_module_is_the_command() -> None:
    words = [sys.executable, "-m", "seqmdn", "--version"]
    found = subprocess.run(words, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == seqmdn.__version__
