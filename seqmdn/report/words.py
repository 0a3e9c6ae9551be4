"""What the numbers of a report say, in sentences."""

from typing import Any

from seqmdn.metrics import DEAD
from seqmdn.report.markup import percent
from seqmdn.runs import Diagnostics

__all__ = ["of_components", "of_coverage", "of_uniformity", "verdicts"]

_LEVEL = 0.05  # of tests
_SMALL = 0.02  # a difference, in probability, that hardly matters


def verdicts(found: Diagnostics) -> list[tuple[bool, str]]:
    """Return what a reader should know first, and of each whether it is a warning."""
    said = []
    bad = sum(
        value != value or value in (float("inf"), float("-inf")) for value in found.per_sequence
    )
    if bad:
        said.append((True, f"{bad} sequences have no finite NLL: their mean is none either."))
    if found.density is None:
        return said + _of_curve(found)
    said += [of_coverage(found.density), of_uniformity(found.density)]
    if found.density["components"] is not None:
        said.append(of_components(found.density["components"]))
    return said + _of_curve(found)


def of_coverage(density: dict[str, Any]) -> tuple[bool, str]:
    """Say whether 90 % intervals hold what they should, beyond two standard errors.

    Example:
        >>> interval = {"level": 0.9, "central": 0.85, "central_stderr": 0.01}
        >>> of_coverage({"intervals": [interval]})[1]
        'Too sure of itself: 90 % intervals hold 85.0 ± 1.0 % of the values.'
    """
    (interval,) = [each for each in density["intervals"] if each["level"] == 0.9]
    share, error = interval["central"], interval["central_stderr"] or 0.0
    held = f"90 % intervals hold {percent(share, error)} of the values."
    if abs(share - 0.9) <= 2 * error:
        return False, f"As sure as it should be: {held}"
    if abs(share - 0.9) < _SMALL:
        return False, f"Nearly as sure as it should be: {held}"
    if share < 0.9:
        return True, f"Too sure of itself: {held}"
    return True, f"Not sure enough: {held}"


def of_uniformity(density: dict[str, Any]) -> tuple[bool, str]:
    """Say whether the test rejects calibration, and how large the deviation is.

    Example:
        >>> test = {"of": "pit", "values": 40000, "distance": 0.01, "p_value": 1e-4}
        >>> of_uniformity({"uniformity": test, "names": ["x"]})[1]
        'Calibration is rejected (p = 0.0001), but ... 1.0 % of probability: hardly of consequence.'
    """
    test = density["uniformity"]
    p = "p < 0.0001" if test["p_value"] < 1e-4 else f"p = {test['p_value']:.2g}"
    if test["p_value"] >= _LEVEL:
        return False, (
            f"Calibration is not rejected ({p}): of {test['values']:,} values, none of the "
            "deviations is more than chance gives."
        )
    size = f"the largest deviation is {percent(test['distance'])} of probability"
    if test["distance"] < _SMALL:
        return False, f"Calibration is rejected ({p}), but {size}: hardly of consequence."
    return True, f"Calibration is rejected ({p}): {size}."


def of_components(components: dict[str, Any]) -> tuple[bool, str]:
    """Say how many components are used.

    Example:
        >>> of_components({"dead": 1, "of": 5, "effective": 3.21})[1]
        '1 of 5 components is dead: it explains less than 5 % of an equal share.'
    """
    dead, of = components["dead"], components["of"]
    if dead:
        verb, who = ("is", "it explains") if dead == 1 else ("are", "each explains")
        share = f"{100 * DEAD:g} % of an equal share"
        return True, f"{dead} of {of} components {verb} dead: {who} less than {share}."
    if pairs := components.get("same"):
        named = ", ".join(f"{j + 1} and {k + 1}" for j, k, _ in pairs)
        return True, f"Components sit on each other, and fewer would do: {named}."
    if of == 1:
        return False, "There is one component, which explains everything."
    return (
        False,
        f"All {of} components are used, as many as {components['effective']:.1f} equal ones.",
    )


def _of_curve(found: Diagnostics) -> list[tuple[bool, str]]:
    if "nll" not in found.curves:
        return []
    steps, values = found.curves["nll"]
    best = values.index(min(values))
    if len(values) < 3:
        return []
    if best == len(values) - 1:
        return [(True, "The last validation was the best one: more steps may help.")]
    if steps[best] < 0.5 * steps[-1]:
        return [
            (
                True,
                f"The best validation was at step {steps[best]:,} of {steps[-1]:,}: after it, "
                "training no longer helped; the weights are of that step.",
            )
        ]
    return []
