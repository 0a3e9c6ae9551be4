"""A report on the disk: the page, its numbers, and its pictures where they are wanted."""

from collections.abc import Iterator
from pathlib import Path

from matplotlib.figure import Figure

from seqmdn.files import save_json, save_text
from seqmdn.plotting.page import encoded, style, write
from seqmdn.report import density as of_density
from seqmdn.report import figures
from seqmdn.report import run as of_run
from seqmdn.report.examples import examples_figure
from seqmdn.report.markup import picture, text, times
from seqmdn.report.sheet import SHEET
from seqmdn.report.words import verdicts
from seqmdn.runs import Diagnostics

__all__ = ["write_report"]

_WARN = ' class="warn"'


def write_report(
    found: Diagnostics, out: Path, command: str = "", pictures: bool = False
) -> list[Path]:
    """Write a page, its numbers beside it as JSON, and its pictures in a folder beside it.

    Args:
        found: What is known of the run.
        out: The page, .html. The numbers bear its name with .json, the folder of pictures without
            an ending.
        command: What was typed to make it.
        pictures: Whether to write the pictures as PNG, too.

    Returns:
        What was written.

    Raises:
        ValueError: If the name ends otherwise.
        OSError: If a file cannot be written.
    """
    if out.suffix.lower() not in (".html", ".htm"):
        raise ValueError(f"a report's name ends in .html; found {str(out)!r}")
    drawn: dict[str, bytes] = {}
    written = []
    with style():
        for name, figure in _figures(found):
            drawn[name] = encoded(figure, ".svg")
            if pictures:
                path = out.with_suffix("") / f"{name}.png"
                write(figure, path)
                written.append(path)
    numbers = out.with_suffix(".json")
    save_json(numbers, {"command": command, **found.plain()})
    save_text(out, _page(found, drawn, command))
    return [out, numbers, *written]


def _figures(found: Diagnostics) -> Iterator[tuple[str, Figure]]:
    unit, density = found.likelihood["unit"], found.density
    yield (
        "likelihood",
        figures.likelihood_figure(
            found.per_sequence, found.likelihood["nll"], unit, found.about["scored"]
        ),
    )
    names = found.about["features"]
    if density is not None:
        names = density["names"]
        if density["uniformity"]["of"] == "rosenblatt":
            histogram = density["rosenblatt"]
            yield "histogram", figures.histogram_figure(histogram, "the Rosenblatt transform")
        elif len(names) == 1:
            yield "histogram", figures.histogram_figure(density["pit"][0], "the PIT")
        yield "reliability", figures.reliability_figure(density)
        if len(names) > 1:
            yield "features", figures.features_figure(density)
        yield "coverage", figures.coverage_figure(density)
        if density["components"] is not None:
            yield "components", figures.components_figure(density["components"])
    examples = examples_figure(found.worst, found.typical, found.attributes, names)
    if examples is not None:
        yield "examples", examples
    if "nll" in found.curves:
        yield "curves", figures.curves_figure(found.curves, unit)


def _page(found: Diagnostics, drawn: dict[str, bytes], command: str) -> str:
    def draw(name: str, words: str, wide: bool = False) -> str:
        return picture(drawn[name], words, wide) if name in drawn else ""

    density, about = found.density, found.about
    title = f"{about['run']}: {about['data']}, {about['split']}"
    said = "".join(
        f"<li{_WARN if warning else ''}>{text(words)}</li>" for warning, words in verdicts(found)
    )
    verdict = f'<ul class="verdicts">{said}</ul>\n' if said else ""
    ran = f"{about['params']:,} parameters, trained for {times(about['seconds'])}"
    parts = [of_run.likelihood(found, draw)]
    if density is not None:
        parts += [
            of_density.scores(density),
            of_density.calibration(density, draw),
            of_density.intervals(density, draw),
        ]
        if density["components"] is not None:
            parts.append(of_density.components(density, draw))
    parts.append(of_run.worst(found, draw))
    if "nll" in found.curves:
        parts.append(of_run.curves(found, draw))
    parts += [of_run.about(found, command), of_run.how(found)]
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{text(title)}</title>\n<style>{SHEET}</style>\n</head>\n<body>\n<main>\n"
        f"<h1>{text(about['run'])}</h1>\n"
        f'<p class="lead">Can this model be believed? {text(about["model"])} with '
        f"{text(about.get('head', 'its own head').partition('(')[0])} on {text(about['data'])}, "
        f"{text(about['split'])} part; {text(ran)}.</p>\n"
        + verdict
        + "\n".join(parts)
        + "\n</main>\n</body>\n</html>\n"
    )
