"""A recipe to run the commands on, and what they say where they fail."""

from collections.abc import Callable
from pathlib import Path

import pytest

from seqmdn.cli import main

Refused = Callable[..., str]


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Refused:
    """Run a command that must fail; return its one message."""

    def run(*arguments: object, status: int = 1) -> str:
        command = [str(word) for word in arguments]
        before = sorted(tmp_path.rglob("*"))
        capsys.readouterr()
        with pytest.raises(SystemExit) as caught:
            main(command)
        assert caught.value.code == status
        printed = capsys.readouterr()
        assert printed.out == "" and "Traceback" not in printed.err
        assert printed.err.startswith("seqmdn: ") and printed.err.endswith("\n")
        message = printed.err.removeprefix("seqmdn: ")
        assert message.count("\n") == 1 and message.strip(), f"not one line: {message!r}"
        # With --debug, the error itself.
        with pytest.raises(Exception) as error:  # noqa: B017, PT011
            main([*command, "--debug"])
        assert not isinstance(error.value, SystemExit)
        assert sorted(tmp_path.rglob("*")) == before, "something was left behind"
        return message.strip()

    return run


@pytest.fixture(scope="module")
def recipe(small_run: Path) -> Path:
    return small_run.parent / "recipe"
