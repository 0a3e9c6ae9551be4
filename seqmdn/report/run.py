"""The sections of a report on the run: what ran, likelihood, the worst of it, learning curves."""

from collections.abc import Callable

import numpy as np

from seqmdn.report.markup import cards, number, pictures, section, table, text, times
from seqmdn.runs import Diagnostics, Scored

__all__ = ["about", "curves", "how", "likelihood", "worst"]

Draw = Callable[..., str]  # (name, words) -> a picture, where there is one of that name

_COLUMNS = 12  # of a table

_LOOK = {
    "image": "The worst-scored sequences, from the worst on, and typical ones of a middling NLL.",
    "strokes": "The worst-scored drawings and typical ones; the numbers are their NLL.",
    "series": "The worst-scored sequences and a typical one: black is what was observed, blue the "
    "median and the 90 % interval of what was expected of each frame, given those before it.",
}
_LEFT = {
    "density": "scores, calibration, intervals, sharpness, components",
}


def about(found: Diagnostics, command: str) -> str:
    """Write what ran: enough to run it again."""
    known, data = found.about, found.about["dataset"]
    features = ", ".join(known["features"][:_COLUMNS])
    more = len(known["features"]) - _COLUMNS
    features += f" and {more} more" if more > 0 else ""
    frames = f"{data['frames']:,} frames"
    versions = ", ".join(
        f"{name} {version}" for name, version in known["versions"].items() if version
    )
    rows = [
        ("model", known["model"]),
        *((name, known[name]) for name in ("backbone", "head", "transform") if name in known),
        ("parameters", f"{known['params']:,}"),
        ("weights", f"of step {known['steps']:,}"),
        ("training", f"{times(known['seconds'])}, seed {known['seed']}"),
        ("data", f"{data['name']}, in {known['unit']}; sha256 {data['sha256'][:12]}"),
        ("features", features),
        ("context", f"{known['context']} features" if known["context"] else "none"),
        ("noise", known["noise"] or "none"),
        ("scored", f"{known['split']}: {data['sequences']:,} {known['scored']}, {frames}"),
        (
            "checkpoint",
            f"{known['checkpoint']}, of the lowest validation NLL"
            if known["checkpoint"] == "best.ckpt"
            else known["checkpoint"],
        ),
        ("device", known["device"]),
        ("versions", versions),
        ("command", command),
    ]
    body = "".join(
        f'<tr><th scope="row">{text(name)}</th><td>{_code(name, value)}</td></tr>'
        for name, value in rows
    )
    return section(
        "about",
        "What ran",
        "<p>A model gives the probability density of each frame, given those before it; below is "
        "what it was made of and what it was scored on.</p>",
        f'<div class="wide about"><table><tbody>{body}</tbody></table></div>',
    )


def likelihood(found: Diagnostics, draw: Draw) -> str:
    """Write the NLL, what it is a bound of, and how it is spread."""
    known, many = found.likelihood, found.about["scored"]
    sign = "≤ " if known["bound"] else ""
    meaning = (
        "What the data cost under the model, on average: the lower, the better. Only differences "
        "between models of the same data mean something; of densities it may be negative."
    )
    items = [("NLL", sign + number(known["nll"], known["stderr"]), known["unit"], meaning)]
    if "nll_per_frame" in known:
        words = "The same, divided by the mean number of frames."
        items.append(
            ("NLL a frame", sign + number(known["nll_per_frame"]), known["frame_unit"], words)
        )
    if "bits_per_dim" in known:
        words = "What a compressor with this model needs for one value, a level, on average."
        items.append(("bits/dim", sign + number(known["bits_per_dim"]), "bits/dim", words))
    if "limit" in known:
        words = "What no model goes below on average: the data hold so much chance."
        items.append(("limit", number(known["limit"]), known["unit"], words))
    for name, each in {**known["bounds"], **known["parts"]}.items():
        words = "Another bound." if name in known["bounds"] else "Its part of the NLL."
        least = "≤ " if name in known["bounds"] else ""
        value = least + number(each["nll"], each["stderr"])
        items.append((name, value, known["unit"], words))
    bound = (
        f"It is an upper bound: {known['bound']}." if known["bound"] else "It is exact, no bound."
    )
    return section(
        "likelihood",
        "Likelihood",
        f"<p>The negative log-likelihood of {len(found.per_sequence):,} {many}, ± one standard "
        f"error over them. {text(bound)}</p>",
        cards(items),
        pictures(
            draw(
                "likelihood",
                f"How the NLL is spread over {many}; the outermost half of a percent on"
                " either side is gathered at the borders.",
            )
        ),
    )


def worst(found: Diagnostics, draw: Draw) -> str:
    """Write which sequences the model expected least, and what they look like."""
    unit, kind = found.likelihood["unit"], str(found.attributes.get("kind", "series"))
    expected = all(each.judged is not None for each in found.worst)
    single = all(len(each.values) == 1 for each in found.worst)
    middle = float(np.nanmedian(found.per_sequence)) if found.per_sequence else None
    heads, rows = ["no. in the store", f"NLL, {unit}"], []
    heads += [] if single else ["frames"]
    texts = any(each.text for each in found.worst)
    heads += ["text"] if texts else []
    names = found.density["names"][:_COLUMNS] if found.density is not None and single else []
    heads += [f"{name}: value, expected (90 %)" for name in names]
    context = min((0 if each.context is None else each.context.shape[1]) for each in found.worst)
    inputs = list(found.attributes.get("context", []))[: min(context, _COLUMNS)] if single else []
    heads += inputs
    for each in found.worst:
        row = [f"{each.index}", number(each.nll)]
        row += [] if single else [f"{len(each.values)}"]
        row += [(each.text or "")[:60]] if texts else []
        row += [_expectation(each, feature) for feature in range(len(names))]
        row += [
            number(float(x))
            for x in (each.context[0, : len(inputs)] if each.context is not None else ())
        ]
        rows.append(row)
    return section(
        "worst",
        "What was expected least",
        f"<p>The {found.about['scored']} of the highest NLL; the median of all is {number(middle)} "
        f"{text(unit)}. They are where the model, or the data, should be looked at first.</p>",
        table(heads, rows),
        pictures(
            draw(
                "examples",
                _LOOK.get(kind if expected or kind == "strokes" else "", _LOOK["image"]),
                wide=True,
            )
        ),
    )


def curves(found: Diagnostics, draw: Draw) -> str:
    """Write how training went."""
    return section(
        "curves",
        "Learning curves",
        "<p>The loss of training batches and the NLL of the validation part while the model was "
        "trained; the weights kept are those of the lowest validation NLL.</p>",
        pictures(
            draw(
                "curves",
                "Training loss of single batches and validation NLL against steps. "
                "The steep first tenth may reach beyond the picture.",
            )
        ),
    )


def how(found: Diagnostics) -> str:
    """Write what was left out and why, and what is estimated."""
    parts = []
    if found.left_out:
        rows = "".join(
            f"<li><b>{text(_LEFT.get(name, name))}</b>: {text(reason)}.</li>"
            for name, reason in found.left_out.items()
        )
        parts.append(f"<p>Left out, since it does not apply to this run:</p><ul>{rows}</ul>")
    if (density := found.density) is not None:
        probabilities, quantiles = (
            "exact" if density["exact"][key] else "from draws"
            for key in ("probabilities", "quantiles")
        )
        parts.append(
            f"<p>Probabilities (PIT, coverage) are {probabilities}, quantiles (widths, medians) "
            f"{quantiles}. Draws: {density['draws']} "
            f"of each frame, seed {density['seed']}; regions and the energy score come from them. "
            "Standard errors take whole sequences as independent.</p>"
        )
    parts.append("<p>All numbers are in the JSON file of the same name beside the page.</p>")
    return section("how", "How it was found", *parts)


def _expectation(each: Scored, feature: int) -> str:
    if each.judged is None or each.median is None or each.low is None or each.high is None:
        return "–"
    low, high = number(float(each.low[0, feature])), number(float(each.high[0, feature]))
    value, median = each.judged[0, feature], each.median[0, feature]
    if each.observed is not None and not each.observed[0, feature]:
        return f"missing, {number(float(median))} ({low} to {high})"
    return f"{number(float(value))}, {number(float(median))} ({low} to {high})"


def _code(name: str, value: str) -> str:
    code = name in ("model", "backbone", "head", "transform", "command")
    return f"<code>{text(value)}</code>" if code else text(value)
