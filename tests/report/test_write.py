"""The page as a whole: valid, complete, of one file, and looked at in a browser."""

import base64
import dataclasses
import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seqmdn.report import write_report
from seqmdn.runs import Diagnostics
from tests.report.pages import Page

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PICTURES = ["likelihood", "histogram", "reliability", "features", "coverage", "components"]
LATER = ["examples", "curves"]


def test_the_page_is_whole_and_has_every_picture(found: Diagnostics, tmp_path: Path) -> None:
    written = write_report(found, tmp_path / "a.html", "seqmdn report run <x>", pictures=True)
    page = Page((tmp_path / "a.html").read_text())
    sections = ["likelihood", "scores", "calibration", "intervals", "components", "worst"]
    assert page.ids == [*sections, "curves", "about", "how"]
    assert "seqmdn report run <x>" in page.text
    for word in ("CRPS", "energy score", "RMSE", "MAE of the median", "R²", "NLL"):
        assert word in page.headings
    for part in (found.about["dataset"]["sha256"][:12], found.about["versions"]["torch"]):
        assert part in page.text
    assert len(page.pictures) == len(PICTURES + LATER)
    for source in page.pictures:
        kind, data = source.split(",", 1)
        assert kind == "data:image/svg+xml;base64"
        assert b"<svg" in base64.b64decode(data, validate=True)
    names = [f"{name}.png" for name in PICTURES + LATER]
    assert [path.name for path in written] == ["a.html", "a.json", *names]
    for path in written[2:]:
        assert path.parent == tmp_path / "a"
        with Image.open(path) as picture:
            assert picture.format == "PNG" and np.asarray(picture.convert("L")).std() > 5
    numbers = json.loads((tmp_path / "a.json").read_text(), parse_constant=pytest.fail)
    assert numbers["likelihood"]["nll"] == found.likelihood["nll"]
    assert numbers["density"] == found.density
    assert numbers["command"] == "seqmdn report run <x>"


def test_the_same_run_is_the_same_page(found: Diagnostics, tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_report(found, tmp_path / f"{name}.html")
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()
    assert not (tmp_path / "a").exists()


def test_what_does_not_apply_is_named_and_not_shown(found: Diagnostics, tmp_path: Path) -> None:
    alone = [dataclasses.replace(each, judged=None) for each in found.worst]
    reasons = {"density": "it is <none>", "bits/dim": "why"}
    bare = dataclasses.replace(found, density=None, worst=alone, curves={}, left_out=reasons)
    write_report(bare, tmp_path / "a.html")
    page = Page((tmp_path / "a.html").read_text())
    assert page.ids == ["likelihood", "worst", "about", "how"]
    assert "it is <none>" in page.text and "bits/dim" in page.text
    assert "CRPS" not in page.text and "%" not in page.text
    assert len(page.pictures) == 2  # the spread of the likelihood, and the sequences themselves


def test_another_ending_is_refused(found: Diagnostics, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="ends in .html; found"):
        write_report(found, tmp_path / "a.pdf")
    assert not list(tmp_path.iterdir())


def browse(page: Path, *options: str) -> str:
    browser = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if browser is None:
        pytest.skip("needs a browser: none of " + ", ".join(BROWSERS) + " is installed")
    done = subprocess.run(
        [
            browser,
            *("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"),
            f"--user-data-dir={page.parent / 'profile'}",
            *options,
            page.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    return done.stdout


def test_a_browser_shows_it_in_light_and_dark(found: Diagnostics, tmp_path: Path) -> None:
    write_report(found, tmp_path / "a.html")
    shown = {}
    for name, scheme in (("light", 1), ("dark", 0)):
        browse(
            tmp_path / "a.html",
            "--window-size=900,1200",
            f"--blink-settings=preferredColorScheme={scheme}",
            f"--screenshot={tmp_path / name}.png",
        )
        with Image.open(tmp_path / f"{name}.png") as picture:
            shown[name] = np.asarray(picture.convert("L"), dtype=float)
    for picture in shown.values():
        assert picture.shape == (1200, 900) and picture.std() > 15, "blank"
        # Words and pictures all the way down, not an empty half.
        assert all(part.std() > 5 for part in np.array_split(picture, 4))
    assert shown["light"].mean() > 190 and shown["dark"].mean() < 150


@pytest.mark.parametrize("width", [390, 1300])
def test_nothing_reaches_beyond_the_window(found: Diagnostics, tmp_path: Path, width: int) -> None:
    write_report(found, tmp_path / "page.html")
    look = (
        "<script>onload = () => document.body.append('measured ' + JSON.stringify({"
        "wide: document.documentElement.scrollWidth, window: innerWidth,"
        "pictures: [...document.images].filter(i => i.naturalWidth > 0).length}))</script>"
    )
    (tmp_path / "a.html").write_text((tmp_path / "page.html").read_text() + look)
    dom = browse(tmp_path / "a.html", f"--window-size={width},1000", "--dump-dom")
    measured = re.search(r"measured (\{.*?\})", dom)
    assert measured is not None
    seen = json.loads(measured[1])
    assert seen["wide"] <= seen["window"] <= max(width, 500)
    assert seen["pictures"] == len(PICTURES + LATER), "a picture that no browser can draw"
