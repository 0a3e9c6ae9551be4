"""The table of a comparison or a sweep as a paper shows it, in markdown and in LaTeX."""

from collections.abc import Mapping
from typing import Any, Literal

from seqmdn.comparison.bounds import bound_words, sign
from seqmdn.comparison.pairs import difference_to

__all__ = ["paper_table"]

# What else than the NLL a cell may be chosen by, and how its column is called.
_CRITERIA = {"bic": "BIC, nats", "cross_validation": "cross-validation, {unit}"}


def paper_table(result: Mapping[str, Any], form: Literal["markdown", "latex"] = "markdown") -> str:
    r"""Return a table ready for a paper: costs beside scores, and what cannot be told apart.

    In bold is the best model and every other one whose paired difference to it is within two
    standard errors. A sweep has a column for each of its keys, ``--`` where a model has no such
    key, and, where they are known, BIC and cross-validation, in bold the lowest. The p-values are
    those of two-sided sign tests against the best, each by itself.

    Args:
        result: What ``compare.json`` or ``sweep.json`` holds.
        form: ``"markdown"``, or ``"latex"``, for the package booktabs.

    Returns:
        The table, and what its reader must know: below it in markdown, as its caption in LaTeX.
    """
    models, unit = result["models"], result["unit"]
    latex = form == "latex"
    pm = r" $\pm$ " if latex else " ± "
    best = min(models, key=lambda name: models[name]["nll"])
    cells: Mapping[str, Any] = result.get("sweep", {}).get("cells", {})
    keys: list[str] = result.get("sweep", {}).get("keys", [])
    criteria = {key: head for key, head in _CRITERIA.items() if _known(models, key)}
    limit, timed = result.get("limit"), "draw" in result
    head = ["model", *keys, "parameters", f"NLL, {unit}", "minus best", "p (sign test)"]
    head += [title.format(unit=unit) for title in criteria.values()]
    head += ["above the limit"] if limit is not None else []
    head += ["training, s", *(["drawing, ms/frame"] if timed else [])]
    rows = []
    for name, entry in models.items():
        pair = difference_to(result, name, best)
        bold = pair is None or pair["delta"] <= 2 * pair["stderr"]
        settings = cells[name]["settings"] if cells else {}
        nll = f"{sign(entry)}{entry['nll']:.3f}{pm}{entry['stderr']:.3f}".replace("-", "−")
        row = [cells[name]["model"] if cells else name]
        row += [str(settings.get(key, "--")) for key in keys]
        row += [f"{entry['params']:,}", _bold(nll, latex) if bold else nll]
        row += (
            ["", ""]
            if pair is None
            else [
                f"{pair['delta']:+.3f}{pm}{pair['stderr']:.3f}".replace("-", "−"),
                _p_value(pair.get("sign_test_p")),
            ]
        )
        row += [_criterion(models, name, key, latex) for key in criteria]
        row += [f"{entry['gap_to_limit']:.3f}"] if limit is not None else []
        row += [f"{entry['seconds']:.0f}"]
        row += [f"{1000 * entry['draw_seconds']:.2f}"] if timed else []
        rows.append(row)
    words = _words(result)
    if latex:
        return _latex(head, rows, words, 1 + len(keys))
    rule = ["---"] * (1 + len(keys)) + ["---:"] * (len(head) - 1 - len(keys))
    lines = ["| " + " | ".join(row) + " |" for row in [head, rule, *rows]]
    return "\n".join(lines) + f"\n\n{words}\n"


def _words(result: Mapping[str, Any]) -> str:
    data, budget = result["dataset"], result.get("budget", {})
    seeds = len(next(iter(result["models"].values()))["seeds"])
    words = (
        f"Test part of {data['name']}: {data['test_sequences']:,} sequences, "
        f"{data['test_frames']:,} frames; {seeds} seed{'s' if seeds > 1 else ''} a model. "
        f"± is one standard error over sequences{' and seeds' if seeds > 1 else ''}; differences "
        "to the best are paired, sequence by sequence; bold: the best, and what is within two "
        "standard errors of it; p-values are two-sided, not corrected for their number."
    )
    if (limit := result.get("limit")) is not None:
        words += f" No model can be below {limit:.2f} {result['unit']}."
    words += f" {said}" if (said := bound_words(result["models"])) else ""
    if budget.get("held") == "steps" and not isinstance(budget["steps"], dict):
        words += f" Every model has {budget['steps']:,} steps."
    if budget.get("held") == "seconds":
        clock = "of a processor" if budget["clock"] == "processor" else "on the clock"
        seconds = budget["seconds"]
        shown = f"{seconds:,.0f}" if seconds >= 100 else f"{seconds:.3g}"
        words += (
            f" Every model has the steps that fit into {shown} s {clock}, validation not counted."
        )
    if budget.get("held") == "params":
        words += (
            f" {budget['key']} is chosen so that every model has {budget['params']:,} parameters, "
            "to 1 %."
        )
    if _known(result["models"], "bic"):
        words += (
            " BIC is −2 log L + P log N, of the log-likelihood of all N training frames at the "
            "weights of the lowest validation NLL, in nats: that is not its maximum."
        )
    if (cut := result.get("cross_validation")) is not None:
        words += (
            f" Cross-validation is the NLL of the {cut['sequences']:,} sequences of training and "
            f"validation, cut anew into {cut['folds']} parts (seed {cut['seed']}), each scored by "
            "a training without its part; that was stopped by a share of the others as large as "
            "that of the validation split. The test part has no share in it."
        )
    if (draw := result.get("draw")) is not None:
        words += f" Drawing is of one frame of {draw['sequences']} sequences at once."
    return words


def _known(models: Mapping[str, Any], key: str) -> bool:
    return any(key in entry for entry in models.values())


def _criterion(models: Mapping[str, Any], name: str, key: str, latex: bool) -> str:
    """Write a cell's BIC or NLL of cross-validation, with its error where it has one."""
    entry = models[name]
    if key not in entry:
        return "--"
    if key == "bic":
        shown = f"{entry[key]:,.1f}"
    else:
        pm = r" $\pm$ " if latex else " ± "
        shown = f"{entry[key]:.3f}{pm}{entry[f'{key}_stderr']:.3f}"
    lowest = entry[key] == min(each[key] for each in models.values() if key in each)
    shown = shown.replace("-", "−")
    return _bold(shown, latex) if lowest else shown


def _latex(head: list[str], rows: list[list[str]], words: str, left: int) -> str:
    columns = "l" * left + "r" * (len(head) - left)
    body = [" & ".join(_escaped(cell) for cell in row) + r" \\" for row in rows]
    return "\n".join(
        [
            "% needs \\usepackage{booktabs}",
            r"\begin{table}",
            r"\centering",
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            " & ".join(_escaped(cell) for cell in head) + r" \\",
            r"\midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}",
            rf"\caption{{{_escaped(words)}}}",
            r"\end{table}",
            "",
        ]
    )


def _escaped(text: str) -> str:
    r"""Write what LaTeX would read as a command.

    Example:
        >>> _escaped("rmdn_lowrank, 1 %, −2 ± 1")
        'rmdn\\_lowrank, 1 \\%, $-$2 $\\pm$ 1'
    """
    for letter in "_%&#":
        text = text.replace(letter, f"\\{letter}")
    return (
        text.replace("−", "$-$").replace("±", r"$\pm$").replace("<", "$<$").replace("≤", r"$\le$")
    )


def _bold(text: str, latex: bool) -> str:
    return rf"\textbf{{{text}}}" if latex else f"**{text}**"


def _p_value(p: float | None) -> str:
    if p is None:
        return ""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"
