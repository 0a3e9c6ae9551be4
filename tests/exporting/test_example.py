"""The example draws a sheet of digits where there is no torch to import."""

import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

EXAMPLE = Path(__file__).parents[2] / "examples" / "draw_digits.py"
ALONE = (
    "import runpy, sys; sys.modules.update(dict.fromkeys(['torch', 'seqmdn', 'onnx'])); "
    "sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
)

run = partial(subprocess.run, capture_output=True, text=True, check=False)


def test_digits_without_torch(flow_graph: Path, tmp_path: Path) -> None:
    words = [str(EXAMPLE), str(flow_graph), str(tmp_path / "digits.png")]
    done = run([sys.executable, "-c", ALONE, *words])
    assert done.returncode == 0, done.stderr
    with Image.open(tmp_path / "digits.png") as picture:
        assert picture.size == (6 * 8 * 16, 6 * 8) and picture.mode == "L"
        sheet = np.asarray(picture)
    pixels = sheet[::6, ::6]
    # Each pixel of a row is a square of six, of one of 17 greys.
    assert (np.kron(pixels, np.ones((6, 6))) == sheet).all()
    assert 8 < len(np.unique(pixels)) <= 17
    # Sixteen drawings, and no two of them the same.
    digits = pixels.reshape(8, 16, 8).swapaxes(0, 1).reshape(16, -1)
    assert len(np.unique(digits, axis=0)) == 16


def test_torch_is_really_out_of_reach() -> None:
    done = run(
        [
            sys.executable,
            "-c",
            ALONE.replace("runpy.run_path(sys.argv[0]", "(__import__('torch')"),
            "x",
        ]
    )
    assert done.returncode == 1 and "torch" in done.stderr


def test_it_is_thirty_lines_at_most() -> None:
    assert len(EXAMPLE.read_text().splitlines()) <= 30
