"""Trees of regions: disjoint, whole, and as deep as asked for."""

import copy
import pickle

import pytest

from seqmdn.distributions.regions import Regions, halved_regions, random_regions


@pytest.mark.parametrize("depth", [0, 1, 2, 3, 9])
def test_random_trees_hold_each_column_once(depth: int) -> None:
    regions = random_regions([0, 2, 0, 0, 3, 0, 4], depth, trees=3, top=[4])
    assert regions.trees == 3 and regions.depth == min(depth, 2)
    for tree in regions.leaves:
        assert sorted(d for region in tree for d in region) == [0, 1, 2, 3, 5, 6]
        assert max(map(len, tree)) - min(map(len, tree)) <= 1
    assert len(set(regions.leaves)) == (1 if depth == 0 else 3)
    assert regions == random_regions([0, 2, 0, 0, 3, 0, 4], depth, trees=3, top=[4])


def test_places_are_those_of_the_slots() -> None:
    regions = random_regions([0, 2, 0, 0, 3, 0, 4], depth=1, trees=2)
    for column in range(7):
        slots = regions.slots(continuous=not regions.categories[column])
        region, slot = regions.place(column)
        assert slots[[0, 1], region, slot].tolist() == [column, column]


def test_an_image_is_halved_along_each_side() -> None:
    regions = halved_regions(4, 2, [0] * 8 + [3], depth=2, top=(8,))
    assert regions.leaves[0] == ((0, 2), (1, 3), (4, 6), (5, 7))
    assert regions.leaves[1] == ((0, 2), (4, 6), (1, 3), (5, 7))
    with pytest.raises(ValueError, match="each of 4 x 2 pixels is a region at most, found 4"):
        halved_regions(4, 2, [0] * 8, depth=4)


def test_they_are_copied_as_what_they_are() -> None:
    regions = random_regions([0, 0, 2], depth=1, top=[2])
    regions.slots(continuous=True)
    assert copy.deepcopy(regions) == regions == pickle.loads(pickle.dumps(regions))


@pytest.mark.parametrize(
    ("leaves", "top", "message"),
    [
        ((((0,), (1,)),), (), r"hold the columns \[0, 1, 2\] once"),
        ((((0, 1), (1, 2)),), (), "once; found"),
        ((((0,), (1,), (2,)),), (), r"power of 2; found \[3\]"),
        ((((0, 1, 2),), ((0, 1), (2,))), (), r"as many leaf regions each.*\[1, 2\]"),
        ((((1, 2),),), (0,), "expected columns with categories at the top"),
    ],
)
def test_what_is_no_tree_is_refused(leaves: tuple, top: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Regions(leaves, (0, 0, 2), top)


def test_trees_of_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one column in the trees"):
        random_regions([2], depth=1, top=[0])
