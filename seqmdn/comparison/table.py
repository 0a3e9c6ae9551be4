"""The table of a comparison, for a README."""

from collections.abc import Mapping
from typing import Any

from seqmdn.comparison.summary import SCORES

__all__ = ["difference_to", "markdown_table"]


def markdown_table(result: Mapping[str, Any]) -> str:
    """Return the table of a comparison, best model in bold, for a README.

    The column "minus best" is the difference to the best model, paired sequence by sequence. Scores
    beside the likelihood have columns where a model has some.
    """
    models, unit = result["models"], result["unit"]
    best = min(models, key=lambda name: models[name]["nll"])
    limit = result.get("limit")
    head = ["model", f"NLL, {unit}", "bits/dim", f"minus best, {unit}"]
    head += [f"above the limit, {unit}"] if limit is not None else []
    scored = any("crps" in entry for entry in models.values())
    adapted = "paired_adapted" in result
    head += [f"adapted, {unit}", "minus best adapted"] if adapted else []
    head += ["CRPS", "energy score", "in 90 % intervals"] if scored else []
    head += ["parameters", "training, s"]
    rows = []
    for name, entry in models.items():
        delta = difference_to(result, name, best)
        cells = [
            f"**{name}**" if name == best else name,
            f"{entry['nll']:.3f} ± {entry['stderr']:.3f}",
            f"{entry['bits_per_dim']:.3f}",
            "" if delta is None else f"{delta['delta']:+.3f} ± {delta['stderr']:.3f}",
        ]
        cells += [f"{entry['gap_to_limit']:.3f}"] if limit is not None else []
        cells += _adapted_cells(result, name) if adapted else []
        cells += _score_cells(entry) if scored else []
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
    if adapted:
        words += (
            " Adapted: of weights that learn from every frame once it is scored, each sequence "
            f"anew, by Adam at a rate of {models[best]['adapted']['rate']:g}."
        )
    if scored:
        words += (
            " CRPS and energy score are in the data's own units, lower is better; 90 % of the "
            "values should lie in 90 % intervals."
        )
    return f"{table}\n\n{words}\n"


def _adapted_cells(result: Mapping[str, Any], name: str) -> list[str]:
    entries = {model: entry["adapted"] for model, entry in result["models"].items()}
    best = min(entries, key=lambda model: entries[model]["nll"])
    shown = f"{entries[name]['nll']:.3f} ± {entries[name]['stderr']:.3f}"
    if name == best:
        return [f"**{shown}**", ""]
    delta = difference_to(result, name, best, "paired_adapted")
    return [shown, "" if delta is None else f"{delta['delta']:+.3f} ± {delta['stderr']:.3f}"]


def _score_cells(entry: Mapping[str, Any]) -> list[str]:
    if "crps" not in entry:
        return [""] * len(SCORES)
    cells = [f"{entry[key]:.4f} ± {entry[f'{key}_stderr']:.4f}" for key in SCORES[:2]]
    share, error = (100 * entry[key] for key in ("coverage_90", "coverage_90_stderr"))
    return [*cells, f"{share:.1f} ± {error:.1f} %"]


def difference_to(
    result: Mapping[str, Any], name: str, best: str, pairs: str = "paired"
) -> dict[str, float] | None:
    """Return the pair ``name`` minus ``best``, whichever way round it stands; None for the best."""
    paired = result[pairs]
    if f"{name} - {best}" in paired:
        return paired[f"{name} - {best}"]
    if f"{best} - {name}" in paired:
        turned = paired[f"{best} - {name}"]
        return {
            "delta": -turned["delta"],
            "stderr": turned["stderr"],
            **({"sign_test_p": turned["sign_test_p"]} if "sign_test_p" in turned else {}),
        }
    return None
