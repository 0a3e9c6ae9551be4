"""A store that is missing is written by the module that prepares it."""

import re
from pathlib import Path

import pytest

from seqmdn.data import SequenceDataModule
from tests.data.numbers import write


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("store"))


def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    (tmp_path / "prep_for_test.py").write_text(text)
    monkeypatch.chdir(tmp_path)


def test_a_missing_store_is_prepared(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "import shutil, sys; flag, out = sys.argv[1:]; assert flag == '--out'\n"
    text += f"shutil.copy({str(path)!r}, out)"
    script(tmp_path, monkeypatch, text)
    module = SequenceDataModule("made.h5", prepare="prep_for_test")
    module.prepare_data()
    (tmp_path / "prep_for_test.py").unlink()
    module.prepare_data()  # it is there: nothing to do
    module.setup()
    assert module.name == "numbers"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import sys; sys.stderr.write('working\\n'); sys.exit('no source')", "no source"),
        ("raise ValueError('levels of 17')", "ValueError: levels of 17"),
        ("", "it did not say why"),
    ],
)
def test_a_preparation_that_fails_is_relayed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, said: str
) -> None:
    script(tmp_path, monkeypatch, text)
    message = f"made.h5 is missing, and python -m prep_for_test could not write it: {said}"
    with pytest.raises(RuntimeError, match=f"^{re.escape(message)}$"):
        SequenceDataModule("made.h5", prepare="prep_for_test").prepare_data()


def test_a_preparation_that_is_no_module_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="a module like data_prep.digits, found '-c evil'"):
        SequenceDataModule(tmp_path / "a.h5", prepare="-c evil").prepare_data()
