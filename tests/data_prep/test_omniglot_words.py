"""Words set of real letters: one person each, on one line, and no one and nothing seen twice."""

import string
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from data_prep.omniglot import ARCHIVES
from data_prep.omniglot_words import WORDS, main, prepare, read_words, set_word
from seqmdn.data import SPLITS, Store, file_sha256
from tests.data_prep.archives import Files, member, pack, write

PEOPLE = 20
LIST = ["ab", "ba", "jig", "zoo", "quay", "pp", "kayak", "vex", "film", "thumb"]
LIST += [word[::-1] + "s" for word in LIST]  # 16 for training, 1 and 3


def letter(person: int, number: int) -> list[list[tuple[int, int]]]:
    """A hook of the person's own height, and a dot that says which letter it is."""
    return [[(0, 20 + person), (0, 0), (7, 0)], [(3, 10), (3, 10)], [(9, number)]]


@pytest.fixture(scope="module")
def files() -> Files:
    latin, other = ARCHIVES
    return {
        latin: {
            member(latin, "Latin", number, person): write(letter(person, number), 1.0)
            for person in range(1, PEOPLE + 1)
            for number in range(1, 27)
        },
        other: {member(other, "Greek", 1, 1): write(letter(1, 1), 1.0)},
    }


@pytest.fixture(scope="module")
def source(files: Files, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pack(tmp_path_factory.mktemp("raw"), files)


@pytest.fixture
def words(tmp_path: Path) -> Path:
    (tmp_path / "words.txt").write_text("\n".join(LIST) + "\n")
    return tmp_path / "words.txt"


def small(source: Path, out: Path, words: Path, **more: float) -> Store:
    prepare(source, out, words, **{"count": 60, "valid": 5, "test": 9, **more})
    return Store(out)


def points_of(store: Store, index: int) -> list[np.ndarray]:
    values, _ = store.read(index)
    ends = np.flatnonzero(values[:, 2]) + 1
    assert ends[-1] == len(values), "the pen stops at the last point"
    return np.split(values[:, :2].cumsum(0), ends[:-1])


def test_a_word_is_of_one_person_and_of_its_letters(
    source: Path, words: Path, tmp_path: Path
) -> None:
    store = small(source, tmp_path / "a.h5", words, valid=20, test=40, bend=0, slant=0, size=0)
    heights: dict[str, set[int]] = {split: set() for split in SPLITS}
    for split in SPLITS:
        for index in store.indices(split).tolist():
            strokes, word = points_of(store, index), str(store.text(index))
            assert len(strokes) == 3 * len(word)
            found = set()
            for number, sign in enumerate(word):
                hook, _, dot = strokes[3 * number : 3 * number + 3]
                assert len(hook) == 3 and len(dot) == 1
                assert string.ascii_lowercase[int(dot[0, 1] - hook[1, 1]) - 1] == sign
                height = int(hook[0, 1] - hook[1, 1])
                # Where a dot is higher, it is what the letter's height is.
                share = {"g": 0.4, "p": 0.4, "q": 0.4, "y": 0.4, "j": 0.3}.get(sign, 0.0)
                whole = max(height, string.ascii_lowercase.index(sign) + 1)
                found.add((height, hook[1, 1] + np.rint(share * whole)))
            assert len(found) == 1, "one person, one base line"
            heights[split].add(found.pop()[0])
    assert heights["train"] and len(set.union(*heights.values())) == sum(map(len, heights.values()))
    texts = [{store.text(i) for i in store.indices(split).tolist()} for split in SPLITS]
    assert not texts[0] & texts[2] and not texts[0] & texts[1] and not texts[1] & texts[2]
    assert set().union(*texts) == set(LIST)


def test_distances_between_letters_are_drawn(source: Path, words: Path) -> None:
    letters = {
        "a": [np.array([[0.0, 0.0], [5.0, 9.0]])],
        "p": [np.array([[2.0, 1.0], [2.0, 11.0]])],
    }
    chosen = [letters[letter] for letter in "ap" * 50]
    strokes = set_word("ap" * 50, chosen, np.random.default_rng(0))
    gaps = {int(b[:, 0].min() - a[:, 0].max()) for a, b in zip(strokes, strokes[1:], strict=False)}
    assert gaps == set(range(4, 11))
    np.testing.assert_array_equal(strokes[0], [[0, 0], [5, 9]])
    assert strokes[1][:, 1].tolist() == [-4, 6]


def test_only_training_words_are_varied(source: Path, words: Path, tmp_path: Path) -> None:
    plain = small(source, tmp_path / "a.h5", words, bend=0, slant=0, size=0)
    varied = small(source, tmp_path / "b.h5", words, bend=0, slant=0.3, size=0.2)
    for split in ("valid", "test"):
        for index in plain.indices(split).tolist():
            np.testing.assert_array_equal(plain.read(index)[0], varied.read(index)[0])
    slants, sizes = [], []
    for index in plain.indices("train").tolist():
        assert plain.text(index) == varied.text(index)
        before, after = (points_of(store, index)[0] for store in (plain, varied))
        (slant, size), (_, tall) = after[0] - after[1], before[0] - before[1]
        sizes.append(size / tall)
        slants.append(slant / size)
        assert (after == np.rint(after)).all()
    assert 0.78 < min(sizes) < 0.85 and 1.15 < max(sizes) < 1.22
    assert -0.32 < min(slants) < -0.2 and 0.2 < max(slants) < 0.32


def test_training_letters_are_bent_a_little_and_each_otherwise(
    source: Path, words: Path, tmp_path: Path
) -> None:
    plain = small(source, tmp_path / "a.h5", words, bend=0, slant=0, size=0)
    bent = small(source, tmp_path / "b.h5", words, bend=0.06, slant=0, size=0)
    for split in ("valid", "test"):
        for index in plain.indices(split).tolist():
            np.testing.assert_array_equal(plain.read(index)[0], bent.read(index)[0])
    ratios, own = [], []
    for index in plain.indices("train").tolist():
        assert plain.text(index) == bent.text(index)
        before, after = (points_of(store, index)[0] for store in (plain, bent))
        tall = before[0] - before[1]
        ratios.append(np.linalg.norm(after[0] - after[1]) / np.linalg.norm(tall))
        own.append(tuple((after[0] - after[1]).tolist()))
    assert 0.05 < np.std(ratios) < 0.25 and abs(np.mean(ratios) - 1) < 0.1
    assert len(set(own)) > 25, "letters of few people, hardly two of them alike"


def test_each_pair_comes_once_before_any_comes_again(
    source: Path, words: Path, tmp_path: Path
) -> None:
    store = small(source, tmp_path / "a.h5", words, count=14 * 16, bend=0, slant=0, size=0)
    counts = Counter(
        (str(store.text(i)), int(np.ptp(points_of(store, i)[0][:, 1])))
        for i in store.indices("train").tolist()
    )
    assert len(counts) == 14 * 16 and set(counts.values()) == {1}


def test_points_on_a_line_are_thinned(files: Files, words: Path, tmp_path: Path) -> None:
    many = {**files, ARCHIVES[0]: dict(files[ARCHIVES[0]])}
    line = [[(x, x // 9) for x in range(0, 27)]]
    for person in range(1, PEOPLE + 1):
        many[ARCHIVES[0]][member(ARCHIVES[0], "Latin", 1, person)] = write(line, 1.0)
    source = pack(tmp_path / "raw", many)
    points = {
        tolerance: small(
            source, tmp_path / f"{tolerance}.h5", words, tolerance=tolerance
        ).attributes
        for tolerance in (0.0, 1.0)
    }
    # Of the line, 6 points and 2 stay; a dot counts once, so every other letter has 5.
    assert points[0.0]["points_a_letter"] == pytest.approx((25 * 5 + 6) / 26)
    assert points[1.0]["points_a_letter"] == pytest.approx((25 * 5 + 2) / 26)


def test_the_store_says_what_it_is(
    source: Path, words: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--count", "20", "--valid", "3", "--test", "4", "--seed", "2"]
    for name in ("a", "b"):
        out = str(tmp_path / f"{name}.h5")
        main(["--source", str(source), "--out", out, "--words", str(words), *options])
    assert "5.0 points a letter" in capsys.readouterr().out
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()
    store = Store(tmp_path / "a.h5")
    expected = {"kind": "strokes", "sequence": "word", "y_axis": "up", "unit": "pixel"}
    expected |= {"resolution": 1.0, "text_is": "transcription", "seed": 2, "left_out": 0}
    assert {key: store.attributes[key] for key in expected} == expected
    texts = [str(store.text(index)) for index in store.indices("train").tolist()]
    assert store.attributes["alphabet"] == "".join(sorted(set("".join(texts))))
    assert store.attributes["source"][2] == {"file": "words.txt", "sha256": file_sha256(words)}
    assert "--count 20 --valid 3 --test 4" in store.attributes["command"]
    assert store.attributes["command"].endswith("--seed 2 --words words.txt")


def test_the_list_has_enough_of_every_letter() -> None:
    listed = read_words(WORDS)
    counts = Counter("".join(listed))
    assert 600 < len(listed) < 1000 and max(map(len, listed)) == 8
    assert set(counts) == set(string.ascii_lowercase) and min(counts.values()) >= 25


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("cat\nDog\n", "line 2: expected a word .*found 'Dog'"),
        ("cat\n\ndog\n", "line 2: expected a word .*found ''"),
        ("a\n", "line 1: expected a word of 2 or more"),
        ("cat\ndog\ncat\n", "line 3: expected each word once, found 'cat' as in line 1"),
        ("cat\n", "expected words for each of train, valid, test, found 1 in all"),
    ],
)
def test_a_list_that_is_none_is_one_line(
    source: Path, words: Path, tmp_path: Path, content: str, message: str
) -> None:
    words.write_text(content)
    with pytest.raises(SystemExit, match=f"^data_prep.omniglot_words: .*{message}") as error:
        main(["--source", str(source), "--out", str(tmp_path / "a.h5"), "--words", str(words)])
    assert "\n" not in str(error.value) and not (tmp_path / "a.h5").exists()


def test_a_letter_that_lacks_is_named(files: Files, words: Path, tmp_path: Path) -> None:
    lacking = {**files, ARCHIVES[0]: dict(files[ARCHIVES[0]])}
    del lacking[ARCHIVES[0]][member(ARCHIVES[0], "Latin", 3, 7)]
    with pytest.raises(ValueError, match="26 Latin letters of each person, found no c of 07"):
        prepare(pack(tmp_path / "raw", lacking), tmp_path / "a.h5", words)


@pytest.mark.parametrize(
    "wrong", [{"count": 0}, {"test": -1}, {"size": 1.0}, {"slant": -0.1}, {"bend": -0.1}]
)
def test_options_that_make_no_sense_are_refused(
    source: Path, words: Path, tmp_path: Path, wrong: dict[str, float]
) -> None:
    with pytest.raises(ValueError, match="expected at least 1 word a split"):
        small(source, tmp_path / "a.h5", words, **wrong)


def test_real_letters_have_a_dozen_points(data_root: Path, tmp_path: Path) -> None:
    said = prepare(data_root / "omniglot", tmp_path / "a.h5", count=100, valid=10, test=20)
    assert said[0] == "14.7 points a letter"
    store = Store(tmp_path / "a.h5")
    assert [len(store.indices(split)) for split in SPLITS] == [100, 10, 20]
    values = np.concatenate([store.read(index)[0] for index in range(len(store))])
    assert (values == np.rint(values)).all() and np.abs(values).max() < 250
