"""Splits by shares and a seed."""

import argparse

import pytest

from data_prep.splits import parse_shares, split_percent, split_shares


def test_shares_are_those_asked_for() -> None:
    names = [f"{number}" for number in range(200)]
    splits = split_shares(names, seed=1)
    counts = [list(splits.values()).count(split) for split in ("train", "valid", "test")]
    assert counts == [160, 20, 20] and set(splits) == set(names)
    assert splits == split_shares(names, seed=1) != split_shares(names, seed=2)


def test_percentages_do_not_depend_on_the_order() -> None:
    names = [f"{number}" for number in range(60)]
    splits = split_percent(names, 3, (90, 5, 5))
    counts = [list(splits.values()).count(split) for split in ("train", "valid", "test")]
    assert counts == [54, 3, 3]
    assert splits == split_percent(names[::-1], 3, (90, 5, 5))
    assert splits != split_percent(names, 4, (90, 5, 5))
    assert set(split_percent(names, 3, (95, 5, 0)).values()) == {"train", "valid"}
    with pytest.raises(ValueError, match="by 90/5/5 percent, found 5, none for test"):
        split_percent(names[:5], 3, (90, 5, 5))


def test_shares_are_three_that_sum_to_100() -> None:
    assert parse_shares("70,20,10") == (70, 20, 10)
    for word in ("80,20", "80,10,5", "90,20,-10", "a,b,c", ""):
        with pytest.raises(argparse.ArgumentTypeError, match="three shares that sum to 100"):
            parse_shares(word)
