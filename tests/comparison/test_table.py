"""The table of a comparison."""

from pathlib import Path

from seqmdn.comparison import markdown_table, summarise
from tests.comparison.runs import runs_of, with_adapted, with_scores
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


def test_adapted_likelihoods_have_columns_where_there_are_some() -> None:
    table = markdown_table(
        summarise(Path("recipe"), with_adapted(runs_of(a=3.0, b=2.0), a=1.0, b=1.5), "")
    )
    head, _, a, b = cells(table)
    assert head[4:6] == ["adapted, nats/frame", "minus best adapted"]
    assert a[:6] == ["a", "4.000 ± 0.577", "1.000", "+1.000 ± 0.000", "**2.000 ± 0.577**", ""]
    assert b[4:6] == ["2.500 ± 0.577", "+0.500 ± 0.000"]
    assert "each sequence anew, by Adam at a rate of 0.001." in table
