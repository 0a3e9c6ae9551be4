"""The command: which one was meant, how it ends, and what it leaves behind."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import seqmdn
from seqmdn.cli import main
from tests.small import (
    words,
    write_store,
)

Refused = Callable[..., str]


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_help_names_every_command(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    main(arguments)
    printed = capsys.readouterr().out
    for command in ("compare", "fit", "evaluate", "sample"):
        assert f"\n  {command} " in printed


@pytest.mark.parametrize(
    ("command", "option"),
    [("compare", "--seeds"), ("fit", "--resume"), ("evaluate", "--split"), ("sample", "--prime")],
)
def test_every_command_has_help(
    command: str, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main([command, "--help"])
    assert not caught.value.code
    printed = capsys.readouterr().out
    assert printed.startswith(f"usage: seqmdn {command}") and option in printed


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--version"])
    assert capsys.readouterr().out == f"{seqmdn.__version__}\n"


def test_an_unknown_command_is_refused_with_the_known_ones(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["evalute"])
    assert caught.value.code == 2
    error = capsys.readouterr().err
    assert "there is no command 'evalute'" in error and "evaluate RUN" in error


@pytest.mark.parametrize("command", ["evaluate", "sample"])
def test_a_run_that_is_none(
    small_run: Path, tmp_path: Path, refused: Refused, command: str
) -> None:
    def run(path: Path) -> str:
        out = ["--out", tmp_path / "a.npz"] if command == "sample" else []
        return refused(command, path, *out)

    for path in (tmp_path / "missing", tmp_path):
        message = run(path)
        assert (
            message.startswith("there is no checkpoint") and "train one by `seqmdn fit`" in message
        )
    best = small_run / "checkpoints" / "best.ckpt"
    (tmp_path / "half.ckpt").write_bytes(best.read_bytes()[:5000])
    (tmp_path / "text.ckpt").write_text("hello\n")
    torch.save({"state_dict": torch.nn.Linear(2, 2).state_dict()}, tmp_path / "other.ckpt")
    content = torch.load(best, weights_only=True)
    content["seqmdn"]["model"]["init_args"]["head"]["init_args"]["components"] = 7
    torch.save(content, tmp_path / "mixed.ckpt")
    for name, expected in {
        "half.ckpt": "damaged or no checkpoint of seqmdn",
        "text.ckpt": "damaged or no checkpoint of seqmdn",
        "other.ckpt": "is no checkpoint of this version of seqmdn",
        "mixed.ckpt": "holds the weights of another model",
    }.items():
        message = run(tmp_path / name)
        assert message.startswith(str(tmp_path / name)) and expected in message


def test_data_that_are_not_the_models(small_run: Path, tmp_path: Path, refused: Refused) -> None:
    run = Path(shutil.copytree(small_run, tmp_path / "run"))
    wide = write_store(tmp_path / "wide.h5", features=3)
    assert "name the right store by --data" in refused("evaluate", run, "--data", wide)
    for command in (["evaluate", run], ["sample", run, "--out", tmp_path / "a.npz"]):
        assert "found no such file" in refused(*command, "--data", tmp_path / "none.h5")


def test_an_out_that_cannot_be_written(small_run: Path, tmp_path: Path, refused: Refused) -> None:
    file = tmp_path / "file"
    file.write_text("old")
    recipe = small_run.parent / "recipe"
    for out in (file, file / "run"):
        message = refused("fit", *words(recipe), "--out", out)
        assert str(file) in message and "choose another" in message and "Errno" not in message
    for ending in ("png", "npz", "h5"):
        message = refused("sample", small_run, "--out", file / f"a.{ending}")
        assert str(file) in message and "Errno" not in message
    assert file.read_text() == "old"


def test_usage_errors_end_with_status_2(
    small_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments in (
        ["sample", str(small_run)],
        ["evaluate"],
        ["evaluate", str(small_run), "--split", "tset"],
        ["evaluate", str(small_run), "--splitt", "test"],
        ["compare"],
        ["fit"],
        ["fit", "--resume"],
    ):
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        assert caught.value.code == 2, arguments
        error = capsys.readouterr().err
        assert "Traceback" not in error and error.strip()


@pytest.mark.parametrize("debug", [[], ["--debug"]])
def test_ctrl_c_elsewhere(
    small_run: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    debug: list[str],
) -> None:
    def press(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("seqmdn.cli.evaluate.evaluate", press)
    with pytest.raises(KeyboardInterrupt if debug else SystemExit) as caught:
        main(["evaluate", str(small_run), *debug])
    if not debug:
        assert isinstance(caught.value, SystemExit) and caught.value.code == 130
        assert capsys.readouterr().err == "seqmdn: interrupted\n"
