"""The style sheet loads nothing and knows dark screens, narrow ones and paper."""

import re

from seqmdn.report.sheet import SHEET


def test_it_is_whole_and_alone() -> None:
    assert SHEET.count("{") == SHEET.count("}")
    assert "url(" not in SHEET and "@import" not in SHEET and "</" not in SHEET
    for case in ("prefers-color-scheme: dark", "@media print", "color-scheme: light dark"):
        assert case in SHEET


def test_every_colour_has_its_dark_one_and_paper() -> None:
    blocks = re.findall(r":root \{([^}]*)\}", SHEET)
    names = [set(re.findall(r"(--[a-z]+):", block)) for block in blocks]
    assert len(names) == 3 and names[0] == names[1] == names[2]
    assert set(re.findall(r"var\((--[a-z]+)\)", SHEET)) == names[0]
