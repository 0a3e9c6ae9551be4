"""The table of a comparison."""

from pathlib import Path

from seqmdn.comparison import markdown_table, summarise
from tests.comparison.runs import frames_of, in_other_units, runs_of, with_adapted, with_scores
from tests.small import cells


def test_the_differences_are_to_the_best_whichever_stands_first() -> None:
    for better in ("a", "b"):
        result = summarise(
            Path("recipe"), runs_of(a=2.0 - (better == "a"), b=2.0 - (better == "b")), ""
        )
        _, _, *rows = cells(markdown_table(result))
        for name, _, _, delta, *_ in rows:
            assert (delta == "") == (name == f"**{better}**")
            assert delta in ("", "+1.000 ± 0.000")


def test_scores_have_columns_where_there_are_some() -> None:
    scored = with_scores(1.0, 0, crps=2.0, energy_score=5.0, coverage_90=0.84)
    plain = runs_of(b=2.0)
    table = markdown_table(summarise(Path("recipe"), scored | plain, ""))
    head, _, a, b = cells(table)
    assert head[4:] == ["CRPS", "energy score", "in 90 % intervals", "parameters", "training, s"]
    assert a[4:7] == ["2.0000 ± 0.3000", "5.0000 ± 0.3000", "84.0 ± 30.0 %"]
    assert b[4:] == ["", "", "", "5", "1"]
    assert "in the data's own units" in table
    (half,) = with_scores(1.0, 1).items()
    some = summarise(Path("recipe"), scored | dict([half]) | plain, "")
    assert "crps" not in some["models"]["a"], "one of its runs has no scores"
    assert markdown_table(some).count("CRPS") == 0


def test_the_accuracy_of_classifiers_has_a_column() -> None:
    found = with_scores(1.0, 0, accuracy=0.9825) | runs_of(b=2.0)
    table = markdown_table(summarise(Path("recipe"), found, ""))
    head, _, a, b = cells(table)
    assert head[4:] == ["accuracy", "parameters", "training, s"]
    assert a[4] == "98.25 ± 30.00 %" and b[4] == "" and "CRPS" not in table
    assert "how often the likeliest class is the right one" in table


def test_other_likelihoods_have_columns_where_there_are_some() -> None:
    found = with_adapted(runs_of(a=3.0, b=2.0), a=1.0, b=1.5)
    head, _, a, b = cells(markdown_table(summarise(Path("recipe"), found, "")))
    assert head[4:6] == ["adapted", "parameters"]
    assert a[:5] == ["a", "4.000 ± 0.577", "1.000", "+1.000 ± 0.000", "**2.000 ± 0.577**"]
    assert b[4] == "2.500 ± 0.577"
    more = with_adapted(runs_of(seed=1, a=3.0, b=2.0), a=1.0, b=1.5)
    frames = {task: frames_of(task, run) for task, run in (found | more).items()}
    table = markdown_table(summarise(Path("recipe"), found | more, "", frames=frames))
    head, _, a, b = cells(table)
    assert head[4:7] == ["adapted", "together", "together, adapted"]
    assert [cell[:7] for cell in a[4:7]] == ["**2.000", "4.000 ±", "**2.000"]
    assert [cell[:7] for cell in b[4:7]] == ["2.500 ±", "**3.000", "2.500 ±"]
    assert "each sequence anew, by Adam at a rate of 0.001." in table
    assert "the 2 seeds' densities of each frame, averaged." in table


def test_other_units_have_columns_where_every_model_has_them() -> None:
    found = in_other_units(runs_of(a=3.0, b=2.0))
    for run in found.values():
        run["unit"] = "nats/word"
    table = markdown_table(summarise(Path("recipe"), found, ""))
    head, _, a, b = cells(table)
    assert head[4:] == [
        "nats/pen point",
        "standardised, nats/word",
        "standardised, nats/pen point",
        "parameters",
        "training, s",
    ]
    # Means of the sequences' own NLLs are the first columns; these are the runs' own numbers.
    assert a[4:7] == ["1.0000", "-4.000", "-1.0000"] and b[4:7] == ["0.7500", "-5.000", "-1.2500"]
    assert "Standardised: in units of the training part's standard deviation" in table
    half = runs_of(c=2.0)
    list(half.values())[0]["unit"] = "nats/word"
    for some in (found | half, half):
        plain = markdown_table(summarise(Path("recipe"), some, ""))
        assert "tandardised" not in plain and "pen point" not in plain
