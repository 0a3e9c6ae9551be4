"""Pieces of a page: numbers as many digits as they deserve, and nothing that is not escaped."""

import math

import pytest

from seqmdn.report.markup import cards, number, percent, picture, pictures, section, table, times
from tests.report.pages import Page


@pytest.mark.parametrize(
    ("value", "error", "written"),
    [
        (1234.5678, 12.3, "1,235 ± 12"),
        (-0.0123456, 0.00098, "-0.01235 ± 0.00098"),
        (3.0, 0.0, "3.000"),
        (3.0, math.nan, "3.000"),
        (116.0, None, "116.0"),
        (1234.0, None, "1234"),
        (0.0, None, "0"),
        (2.5e-7, None, "2.5e-07"),
        (3.2e12, None, "3.2e+12"),
        (math.inf, 1.0, "–"),
        (math.nan, None, "–"),
        (None, None, "–"),
    ],
)
def test_numbers(value: float | None, error: float | None, written: str) -> None:
    assert number(value, error) == written


def test_shares_and_times() -> None:
    assert percent(0.89951, 0.00249) == "90.0 ± 0.2 %"
    assert percent(None) == percent(math.nan) == "–"
    assert [times(s) for s in (0.4, 119, 121, 7199)] == ["0 s", "119 s", "2 min", "2 h 0 min"]


def test_nothing_reaches_a_page_unescaped() -> None:
    evil = '<b a="1">&'
    written = section(
        "x",
        evil,
        table([evil, evil], [(evil, evil)], evil),
        cards([(evil, evil, evil, evil)]),
        pictures(picture(b"<svg/>", evil), picture(b"<svg/>", evil, wide=True)),
        pictures("", ""),
    )
    page = Page(written)
    assert page.text.count(evil) == 1 + 5 + 4 + 2
    assert len(page.pictures) == 2 and 'alt="&lt;b a=&quot;1&quot;&gt;&amp;"' in written
