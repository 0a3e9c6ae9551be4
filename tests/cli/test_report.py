"""Reporting on a run from the command line."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from seqmdn.cli import main
from tests.report.pages import Page

Refused = Callable[..., str]


def test_report_writes_the_page_into_the_run(
    small_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Path(shutil.copytree(small_run, tmp_path / "run"))
    main(["report", str(run), "--draws", "40", "--split", "valid", "--pictures"])
    page = Page((run / "report.html").read_text())
    assert f"seqmdn report {run} --draws 40 --split valid --pictures" in page.text
    assert json.loads((run / "report.json").read_text())["about"]["split"] == "valid"
    assert len(list((run / "report").glob("*.png"))) == 8
    told = capsys.readouterr()
    assert told.out.startswith(f"{run / 'report.html'}, ")
    assert told.out.endswith("KiB; beside it report.json and 8 pictures\n")
    assert "sequences" in told.err


def test_a_checkpoint_wants_a_name_for_its_page(
    small_run: Path, tmp_path: Path, refused: Refused, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = small_run / "checkpoints" / "best.ckpt"
    assert "name a file by --out" in refused("report", checkpoint)
    main(["report", str(checkpoint), "--draws", "40", "--out", str(tmp_path / "new" / "a.html")])
    assert "there are no CSV logs" in (tmp_path / "new" / "a.html").read_text()
    assert not (small_run / "report.html").exists()


def test_report_refuses_before_it_works(small_run: Path, tmp_path: Path, refused: Refused) -> None:
    assert "must end in .html; found 'a.pdf'" in refused(
        "report", small_run, "--out", tmp_path / "a.pdf"
    )
    assert "39 draws or more" in refused("report", small_run, "--draws", 5)
    assert "no checkpoint" in refused("report", tmp_path)
