"""What is an option of the comparison, and what is left to its trainings."""

import pytest

from seqmdn.cli.compare_options import compare_parser


def test_what_is_not_of_the_comparison_is_left_to_the_trainings() -> None:
    words = ["r", "--sweep", "head.components=1,2", "--folds", "5", "--trainer.max_steps", "9"]
    options, others = compare_parser().parse_known_args(words)
    assert (options.sweep, options.folds) == (["head.components=1,2"], 5)
    assert others == ["--trainer.max_steps", "9"]
    assert compare_parser().parse_known_args(["r"])[0].folds is None


def test_the_help_says_what_folds_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        compare_parser().parse_known_args(["--help"])
    shown = " ".join(capsys.readouterr().out.split())
    assert "--folds F for --sweep, also cross-validation" in shown
    assert "The test split is left alone" in shown and "agree to 1 %" in shown
