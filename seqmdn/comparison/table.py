"""The table of a comparison, for a README."""

from collections.abc import Mapping
from typing import Any

from seqmdn.comparison.bounds import bound_names, bound_words, sign
from seqmdn.comparison.pairs import difference_to
from seqmdn.comparison.summary import SCORES

__all__ = ["markdown_table"]

# Likelihoods beside that of the runs as they are: what their columns are called, and what they are.
_SHOWN = {"adapted": "adapted", "ensemble": "together", "ensemble_adapted": "together, adapted"}
_WORDS = {
    "adapted": "Adapted: weights that learn from every frame once it is scored, each sequence anew,"
    " by Adam at a rate of {rate:g}.",
    "ensemble": "Together: the {members} seeds' densities of each frame, averaged.",
}


def markdown_table(result: Mapping[str, Any]) -> str:
    """Return the table of a comparison, best model in bold, for a README.

    The column "minus best" is the difference to the best model, paired sequence by sequence. Scores
    beside the likelihood have columns where a model has some, and so have likelihoods a frame and
    in standardised units where those of sequences are compared. Where a model's likelihood is only
    bounded, its NLL stands after ≤, and other bounds have columns.
    """
    models, unit = result["models"], result["unit"]
    best = min(models, key=lambda name: models[name]["nll"])
    limit = result.get("limit")
    head = ["model", f"NLL, {unit}", "bits/dim", f"minus best, {unit}"]
    head += [f"above the limit, {unit}"] if limit is not None else []
    scored = any("crps" in entry for entry in models.values())
    normalised = all("normalised" in entry for entry in models.values())
    if normalised:
        step = result["frame_unit"]
        head += [step, f"standardised, {unit}", f"standardised, {step}"]
    bounds = bound_names(models)
    head += [f"{name}, {of}" for name in bounds for of in _units(name, unit)]
    others = [key for key in _SHOWN if f"paired_{key}" in result]
    head += [_SHOWN[key] for key in others]
    head += ["CRPS", "energy score", "in 90 % intervals"] if scored else []
    classified = any("accuracy" in entry for entry in models.values())
    head += ["accuracy"] if classified else []
    head += ["parameters", "training, s"]
    rows = []
    for name, entry in models.items():
        delta = difference_to(result, name, best)
        cells = [
            f"**{name}**" if name == best else name,
            _nll(entry, entry),
            f"{entry['bits_per_dim']:.3f}",
            "" if delta is None else f"{delta['delta']:+.3f} ± {delta['stderr']:.3f}",
        ]
        cells += [f"{entry['gap_to_limit']:.3f}"] if limit is not None else []
        if normalised:
            other = entry["normalised"]
            cells += [f"{entry['nll_per_frame']:.4f}", f"{other['nll']:.3f}"]
            cells += [f"{other['nll_per_frame']:.4f}"]
        for bound in bounds:
            cells += _bound_cells(entry, bound, len(_units(bound, unit)))
        cells += [_other_cell(models, name, key) for key in others]
        cells += _score_cells(entry) if scored else []
        cells += [_accuracy_cell(entry)] if classified else []
        cells += [f"{entry['params']:,}", f"{entry['seconds']:.0f}"]
        rows.append(cells)
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    data = result["dataset"]
    words = (
        f"Test part of {data['name']}: {data['test_sequences']:,} sequences, "
        f"{data['test_frames']:,} frames. ± is one standard error; differences are paired, "
        "sequence by sequence; lower is better."
    )
    if limit is not None:
        words += f" No model can be below {limit:.2f} {unit}."
    if normalised:
        words += (
            " Standardised: in units of the training part's standard deviation, the literature's."
        )
    words += f" {said}" if (said := bound_words(models)) else ""
    for key in others:
        if key in _WORDS:
            words += " " + _WORDS[key].format(**models[best][key])
    if scored:
        words += (
            " CRPS and energy score are in the data's own units, lower is better; 90 % of the "
            "values should lie in 90 % intervals."
        )
    if classified:
        words += " Accuracy: how often the likeliest class is the right one, higher is better."
    return f"{table}\n\n{words}\n"


def _nll(entry: Mapping[str, Any], found: Mapping[str, Any]) -> str:
    return f"{sign(entry)}{found['nll']:.3f} ± {found['stderr']:.3f}"


def _units(bound: str, unit: str) -> list[str]:
    """Give the units of a bound's columns: levels are known by their bits, too."""
    return [unit, "bits/dim"] if bound.startswith("dequantised") else [unit]


def _bound_cells(entry: Mapping[str, Any], bound: str, count: int) -> list[str]:
    if bound not in entry.get("bounds", ()):
        return [""] * count
    found = entry["bounds"][bound]
    return [_nll(entry, found), *([f"{found['bits_per_dim']:.3f}"] if count > 1 else [])]


def _other_cell(models: Mapping[str, Any], name: str, key: str) -> str:
    best = min(models, key=lambda model: models[model][key]["nll"])
    shown = f"{models[name][key]['nll']:.3f} ± {models[name][key]['stderr']:.3f}"
    return f"**{shown}**" if name == best else shown


def _score_cells(entry: Mapping[str, Any]) -> list[str]:
    if "crps" not in entry:
        return [""] * len(SCORES)
    cells = [f"{entry[key]:.4f} ± {entry[f'{key}_stderr']:.4f}" for key in SCORES[:2]]
    share, error = (100 * entry[key] for key in ("coverage_90", "coverage_90_stderr"))
    return [*cells, f"{share:.1f} ± {error:.1f} %"]


def _accuracy_cell(entry: Mapping[str, Any]) -> str:
    if "accuracy" not in entry:
        return ""
    return f"{100 * entry['accuracy']:.2f} ± {100 * entry['accuracy_stderr']:.2f} %"
