"""A package that is missing names the extra that brings it."""

import sys

import pytest

from seqmdn.environments.missing import import_world


def test_a_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gymnasium", None)
    with pytest.raises(ImportError, match=r"package gymnasium, .*pip install 'seqmdn\[world\]'"):
        import_world("gymnasium")
