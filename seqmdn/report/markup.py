"""Pieces of a page: numbers with their errors, tables, pictures; all text is escaped here."""

import base64
import html
import math
from collections.abc import Iterable, Sequence

__all__ = ["cards", "number", "percent", "picture", "pictures", "section", "table", "text", "times"]


def text(words: object) -> str:
    """Write words so that they are shown as they are, no line ending before a %.

    Example:
        >>> text("a < b & c")
        'a &lt; b &amp; c'
    """
    return html.escape(f"{words}").replace(" %", "\N{NO-BREAK SPACE}%")


def number(value: float | None, error: float | None = None) -> str:
    """Write a number with two digits of its standard error, or with four digits.

    Example:
        >>> number(91.87205, 0.46763), number(0.000123456), number(None), number(20000.0)
        ('91.87 ± 0.47', '0.0001235', '–', '20,000')
    """
    if value is None or not math.isfinite(value):
        return "–"
    if error is not None and math.isfinite(error) and error > 0:
        decimals = min(8, max(0, 1 - math.floor(math.log10(error))))
        return f"{value:,.{decimals}f} ± {error:,.{decimals}f}"
    if 1e-4 <= abs(value) < 1e4:
        return f"{value:#.4g}".rstrip(".")  # of a table, with as many digits in every row
    return f"{value:,.0f}" if value == 0 or 1e4 <= abs(value) < 1e9 else f"{value:.3g}"


def percent(value: float | None, error: float | None = None) -> str:
    """Write a share in hundredths.

    Example:
        >>> percent(0.91299, 0.00216), percent(0.5), percent(1.0, 0.0)
        ('91.3 ± 0.2 %', '50.0 %', '100.0 %')
    """
    if value is None or not math.isfinite(value):
        return "–"
    shown = f" ± {100 * error:.1f}" if error is not None and error > 0 else ""
    return f"{100 * value:.1f}{shown} %"


def times(seconds: float) -> str:
    """Write a time as a person says it.

    Example:
        >>> times(19.2), times(300), times(7260)
        ('19 s', '5 min', '2 h 1 min')
    """
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], caption: str = "") -> str:
    """Write a table whose first column names the rows; wide ones scroll by themselves."""
    head = "".join(f'<th scope="col">{text(word)}</th>' for word in heads)
    body = "".join(
        f'<tr><th scope="row">{text(first)}</th>'
        + "".join(f"<td>{text(cell)}</td>" for cell in rest)
        + "</tr>"
        for first, *rest in rows
    )
    above = f"<caption>{text(caption)}</caption>" if caption else ""
    return (
        f'<div class="wide"><table>{above}<thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def cards(items: Iterable[tuple[str, str, str, str]]) -> str:
    """Write figures beside each other: what it is called, its value, its unit, what it means."""
    return (
        '<div class="cards">'
        + "".join(
            f'<div class="card"><h3>{text(name)}</h3><p class="value">{text(value)}'
            f' <span class="unit">{text(unit)}</span></p><p>{text(words)}</p></div>'
            for name, value, unit, words in items
        )
        + "</div>"
    )


def picture(content: bytes, words: str, wide: bool = False) -> str:
    """Write an SVG picture as a part of the page; the words stand below it, and for it."""
    data = base64.b64encode(content).decode()
    kind = ' class="broad"' if wide else ""
    return (
        f'<figure{kind}><img alt="{text(words)}" src="data:image/svg+xml;base64,{data}">'
        f"<figcaption>{text(words)}</figcaption></figure>"
    )


def pictures(*parts: str) -> str:
    """Write pictures beside each other, nothing where there are none."""
    inside = "".join(parts)
    return f'<div class="pictures">{inside}</div>' if inside else ""


def section(name: str, title: str, *parts: str) -> str:
    """Write a section that can be linked to, of paragraphs and pieces that are written already."""
    return f'<section id="{name}"><h2>{text(title)}</h2>{"".join(parts)}</section>'
