"""The sections of a report that judge the density of frames: scores, calibration, sharpness."""

from collections.abc import Callable
from typing import Any

import numpy as np

from seqmdn.report.markup import cards, number, percent, pictures, section, table, text
from seqmdn.report.words import of_components, of_uniformity

__all__ = ["calibration", "components", "intervals", "scores"]

Draw = Callable[..., str]  # (name, words) -> a picture, where there is one of that name

_ROWS = 12  # features of a table


def scores(density: dict[str, Any]) -> str:
    """Write scores beside the likelihood, and the errors of point forecasts."""
    exact, unit = density["exact"], density["unit"]
    means = "in closed form" if exact["mean"] else f"from {density['draws']} draws"
    medians = "in closed form" if exact["quantiles"] else f"from {density['draws']} draws"
    how = "in closed form" if exact["crps"] else f"from {density['draws']} draws"
    items = [
        (
            "CRPS",
            _measured(density["crps"]),
            unit,
            f"The distance of each feature's distribution from the value that came; of a single "
            f"number, its absolute error. Lower is better; {how}.",
        ),
        (
            "energy score",
            _measured(density["energy_score"]),
            unit,
            "The same of whole frames, which sees how features depend on each other; from draws.",
        ),
        (
            "RMSE",
            _measured(density["rmse"]),
            unit,
            f"Root of the mean squared error where the density's mean is the forecast; {means}.",
        ),
        (
            "MAE of the median",
            _measured(density["mae_of_median"]),
            unit,
            f"Mean absolute error where the density's median is the forecast, which has the "
            f"smallest; {medians}.",
        ),
        (
            "R²",
            number(density["r2"]),
            "of 1",
            "The share of the variance that the mean explains, a mean over features. Where several "
            "values are right, a good density may have a low one.",
        ),
    ]
    sample = (
        "all of them"
        if density["sequences"] == density["of_sequences"]
        else f"{density['sequences']:,} of {density['of_sequences']:,} sequences, chosen at random "
        f"with seed {density['seed']}"
    )
    return section(
        "scores",
        "Scores and errors",
        f"<p>How close the density, or one number in its place, comes to what was observed, in "
        f"{text(unit)}, ± one standard error over sequences. From here on: {text(sample)}, "
        f"{density['frames']:,} frames.</p>",
        cards(items),
    )


def calibration(density: dict[str, Any], draw: Draw) -> str:
    """Write whether probabilities are what they say, and of which features they are not."""
    test = density["uniformity"]
    if test["of"] == "rosenblatt":
        what = (
            "Each value is replaced by the probability that the model gave to lower ones, given "
            "the features before it in its frame (the Rosenblatt transform)."
        )
    else:
        what = (
            "Each value is replaced by the probability that the model gave to lower ones (the "
            "probability integral transform, PIT)."
        )
    one = test["of"] == "rosenblatt" or len(density["names"]) == 1
    thin = "; thin lines are single features" if len(density["names"]) > 1 else ""
    bonferroni = "" if one else ", of the worst feature, Bonferroni over all"
    parts = [
        f"<p>{what} Under the true density these numbers are spread evenly between 0 and 1: a U "
        "shape says that the model is too sure, a hump that it is not sure enough, a slope that it "
        "is shifted.</p>",
        f"<p>{text(of_uniformity(density)[1])} <span class='unit'>Kolmogorov-Smirnov test of "
        f"{test['values']:,} values, distance {percent(test['distance'])}"
        f"{bonferroni}.</span></p>",
        pictures(
            draw(
                "histogram",
                "Grey: the band that all bars of a calibrated model lie in, in 95 of "
                "100 cases (simultaneous, binomial with Bonferroni). Orange bars are outside it.",
            ),
            draw(
                "reliability",
                "Reliability of quantiles: the share of values below each predicted quantile, "
                f"minus its probability{thin}. Grey: 95 % band of all quantiles of a feature at "
                "once (Kolmogorov-Smirnov).",
            ),
            draw(
                "features",
                "PIT histograms of the features that are furthest from flat, each with "
                "its own 95 % band.",
                wide=len(density["names"]) > 2,
            ),
        ),
    ]
    if len(density["names"]) > 1:
        parts.append(_features(density))
    return section("calibration", "Calibration", *parts)


def intervals(density: dict[str, Any], draw: Draw) -> str:
    """Write coverage and size of intervals and regions, and how sharp that is."""
    unit, several = density["unit"], len(density["names"]) > 1
    size = "side" if several else "length"
    rows = [
        (
            f"{100 * each['level']:g} %",
            percent(each["central"], each["central_stderr"]),
            number(each["width"]),
            number(each["spread"]),
            percent(each["highest_density"], each["highest_density_stderr"]),
            number(each["side"]),
        )
        for each in density["intervals"]
    ]
    heads = (
        "level",
        "intervals hold",
        f"width, {unit}",
        "width of knowing nothing",
        "regions hold",
        f"{size} of regions, {unit}",
    )
    nine = next(each for each in density["intervals"] if each["level"] == 0.9)
    sharp = nine["width"] / nine["spread"] if nine["spread"] else None
    cube = ", as the side of a cube of the same volume" if several else ""
    return section(
        "intervals",
        "Intervals, regions and sharpness",
        "<p>A central interval leaves out as much probability below as above; a highest-density "
        "region is the smallest set of whole frames with that probability, in several pieces where "
        f"there are several modes. Each should hold its level. Their size{cube} is how sharp the "
        "density is: of two calibrated models, the sharper one says more.</p>",
        table(heads, rows),
        f"<p>Sharpness: 90 % intervals are {percent(sharp)} as wide as the one that holds 90 % of "
        "all these values without a model.</p>",
        pictures(
            draw(
                "coverage",
                "By how much intervals and regions hold more (above 0: not sure "
                "enough) or less (below: too sure) than their level, ± 2 standard errors.",
            )
        ),
    )


def components(density: dict[str, Any], draw: Draw) -> str:
    """Write what each component of the mixture does."""
    return section(
        "components",
        "Components",
        "<p>A mixture explains each frame by one of its components; the share that each explains, "
        "its mean responsibility, says whether it is needed.</p>",
        f"<p>{text(of_components(density['components'])[1])}</p>",
        pictures(
            draw(
                "components",
                "Bars: mean responsibility on real frames; ticks: the mean "
                "weight that the model gave beforehand.",
            )
        ),
    )


def _features(density: dict[str, Any]) -> str:
    of, names = density["features"], density["names"]
    order = np.argsort([-(each or 0) for each in of["distance"]], kind="stable")
    rows = [
        (
            names[i],
            number(of["rmse"][i]),
            number(of["mae_of_median"][i]),
            number(of["r2"][i]),
            percent(of["coverage_90"][i]),
            number(of["width_90"][i]),
            percent(of["distance"][i]),
        )
        for i in order[:_ROWS].tolist()
    ]
    unit = density["unit"]
    heads = (
        "feature",
        f"RMSE, {unit}",
        "MAE of the median",
        "R²",
        "90 % intervals hold",
        "their width",
        "PIT distance",
    )
    shown = f"the {_ROWS} of {len(names)} " if len(names) > _ROWS else ""
    caption = f"Feature by feature, {shown}furthest from calibrated first"
    return table(heads, rows, caption)


def _measured(score: dict[str, Any]) -> str:
    return number(score["value"], score["stderr"])
