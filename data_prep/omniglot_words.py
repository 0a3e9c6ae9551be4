"""Writes words of real pen strokes: letters of one person each, set side by side.

Reads the Latin alphabet of the archives that :mod:`data_prep.omniglot` reads, where 20 people drew
the 26 lower-case letters once each, and the words of ``words.txt``.

- **Letters** keep the sizes that their person gave them. Their points are brought to whole pixels,
  repeated ones are left away, and those that a line through the others passes within
  ``--tolerance`` pixels, too (:func:`seqmdn.data.simplify`); 0 keeps nearly all. The vertical axis
  points up.
- **Words.** All letters of a word are of one person. They stand on a base line, which g, p, q and
  y cross with the lower 2/5 of their height, and j, whose height counts its dot, with the lower
  3/10. Between letters lie 4 to 10 pixels, drawn with the seed. The pen stops at the last point.
- **Training words are varied**, since only 14 people drew 26 letters for them, each once: a model
  would learn these 364 drawings by heart. Each letter of each word is bent anew before its points
  are thinned: a linear map whose entries lie ``--bend`` (standard deviation) from the identity's,
  then two waves along each axis, each of about that share of the letter's height. Each word is
  slanted by a factor within ``--slant`` of 0 (x gains so much of y) and made larger or smaller by
  one within ``--size`` of 1, then rounded to whole pixels. Words of validation and test are as
  their people drew them.
- **Split** by people, as :mod:`data_prep.omniglot` splits them (14/2/4), and by words (80/5/15 % of
  the list), so that neither a person nor a word of the test is seen in training. Pairs of a person
  and a word come in random order, each once before any comes again: above as many as there are
  (some 9,800/90/520), words come again with other distances.
- **Frames** [dx, dy, eos] are those of :mod:`data_prep.omniglot`: whole pixels, so that the density
  is unbounded; train with ``UniformDequantise(centred=True)``. The text is the word.

    python -m data_prep.omniglot_words --source FOLDER --out data/omniglot_words.h5

Human-level concept learning through probabilistic program induction (Lake, Salakhutdinov,
Tenenbaum, 2015), https://github.com/brendenlake/omniglot
"""

from __future__ import annotations

__all__ = ["WORDS", "prepare", "read_words", "set_word"]

import re
import string
from collections.abc import Iterator, Sequence
from itertools import islice, product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data_prep.letters import Letter, bend_letter, thin, vary
from data_prep.omniglot import (
    ARCHIVES,
    pixel_size,
    read_drawings,
    split_writers,
    whole_pixels,
)
from data_prep.sources import command_line, origin, require_file, run
from data_prep.splits import split_shares
from data_prep.strokes import PenSequence, drop_repeats, write_strokes
from seqmdn.data import SPLITS, stroke_frames
from seqmdn.reading import read_text

ALPHABET = "Latin"
WORDS = Path(__file__).with_name("words.txt")
TRAIN, VALID = 0.8, 0.05  # of the words; the others are for the test
BELOW = {"g": 0.4, "p": 0.4, "q": 0.4, "y": 0.4, "j": 0.3}  # of the height, under the base line
NEAREST, FURTHEST = 4, 10  # pixels between two letters

Points = NDArray[np.float64]


def prepare(
    source: Path,
    out: Path,
    words: Path = WORDS,
    count: int = 8000,
    valid: int = 88,
    test: int = 520,
    tolerance: float = 1.0,
    bend: float = 0.1,
    slant: float = 0.2,
    size: float = 0.2,
    seed: int = 0,
) -> list[str]:
    """Writes the store from the folder that holds the archives; says how many points a letter has.

    Raises:
        ValueError: If the archives or the list of words are not what they should be, there are no
            words or letters for a split, or an option makes no sense.
    """
    if min(count, valid, test) < 1 or not (0 <= size < 1 and min(slant, bend) >= 0):
        raise ValueError(
            "expected at least 1 word a split, a bend and a slant of 0 or more and a size from 0 "
            f"to below 1, found {count}, {valid} and {test} words, bend {bend}, slant {slant} and "
            f"size {size}"
        )
    people, who = _read_people(source, seed)
    thinned = {
        person: {letter: thin(strokes, tolerance) for letter, strokes in letters.items()}
        for person, letters in people.items()
    }
    listed = read_words(words)
    which = split_shares(listed, seed, TRAIN, VALID)
    sequences = []
    for number, (split, wanted) in enumerate(zip(SPLITS, (count, valid, test), strict=True)):
        pairs = list(
            product(
                [person for person in people if who[person] == split],
                [word for word in listed if which[word] == split],
            )
        )
        if not pairs:
            raise ValueError(
                f"{words}: expected words for each of {', '.join(SPLITS)}, found {len(listed)} in "
                f"all, none for {split}: give more"
            )
        rng = np.random.default_rng([seed, number])
        for person, word in islice(_shuffled(pairs, rng), wanted):
            if split == "train":
                bent = [bend_letter(people[person][letter], bend, rng) for letter in word]
                strokes = set_word(word, [thin(letter, tolerance) for letter in bent], rng)
                strokes = vary(strokes, rng.uniform(-slant, slant), rng.uniform(1 - size, 1 + size))
            else:
                strokes = set_word(word, [thinned[person][letter] for letter in word], rng)
            sequences.append(PenSequence(stroke_frames(strokes), split, word))
    points = np.mean(
        [sum(map(len, letter)) for each in thinned.values() for letter in each.values()]
    )
    said = write_strokes(
        out,
        sequences,
        name="omniglot_words",
        unit="pixel",
        sequence="word",
        y_axis="up",
        source=[*(origin(source / name) for name in ARCHIVES), origin(words)],
        licence="MIT (Omniglot)",
        command="python -m data_prep.omniglot_words --source $SEQMDN_DATA/omniglot "
        f"--count {count} --valid {valid} --test {test} --tolerance {tolerance} --bend {bend} "
        f"--slant {slant} --size {size} --seed {seed}"
        + ("" if words == WORDS else f" --words {words.name}"),
        left_out=[],
        resolution=1,
        text_is="transcription",
        attributes={
            "points_a_letter": points,
            "tolerance": tolerance,
            "bend": bend,
            "slant": slant,
            "size": size,
            "seed": seed,
        },
    )
    return [f"{points:.1f} points a letter", *said]


def read_words(path: Path) -> list[str]:
    """Reads a list of lower-case words, one a line, sorted.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a line is no word of two letters or more of a to z, or comes twice.
    """
    require_file(path, "a list of words")
    lines = read_text(path).splitlines()
    first: dict[str, int] = {}
    for number, word in enumerate(lines, 1):
        if not re.fullmatch("[a-z]{2,}", word):
            raise ValueError(
                f"{path}, line {number}: expected a word of 2 or more letters a to z, found "
                f"{word[:40]!r}: mend or remove it"
            )
        if word in first:
            raise ValueError(
                f"{path}, line {number}: expected each word once, found {word!r} as in line "
                f"{first[word]}: remove it"
            )
        first[word] = number
    return sorted(first)


def set_word(
    word: str, letters: Sequence[Sequence[Points]], rng: np.random.Generator
) -> list[Points]:
    """Sets letters side by side on the base line y = 0, the first one from x = 0 on.

    Args:
        word: What it says.
        letters: The strokes of each of its letters, y up.
        rng: What draws the distances between letters.

    Returns:
        The points (P, 2) of each stroke, in whole pixels where the letters' are.
    """
    strokes, x = [], 0.0
    for letter, own in zip(word, letters, strict=True):
        points = np.concatenate(own)
        low, high = points.min(axis=0), points.max(axis=0)
        below = np.rint(BELOW.get(letter, 0.0) * (high[1] - low[1]))
        strokes += [stroke - low + [x, -below] for stroke in own]
        x += high[0] - low[0] + rng.integers(NEAREST, FURTHEST + 1)
    return strokes


def main(arguments: list[str] | None = None) -> None:
    """Runs the command line."""
    what = "words set of Omniglot's Latin letters"
    parser = command_line("omniglot_words", what, " and ".join(ARCHIVES), folder="omniglot")
    for name, kind, default, means in (
        ("words", Path, WORDS, "file with a word a line"),
        ("count", int, 8000, "words for training"),
        ("valid", int, 88, "words for validation"),
        ("test", int, 520, "words for the test"),
        ("tolerance", float, 1.0, "pixels that a point which is left away may lie off the line"),
        ("bend", float, 0.1, "standard deviation by which letters of training words are bent"),
        ("slant", float, 0.2, "largest slant of training words"),
        ("size", float, 0.2, "largest change of size of training words"),
        ("seed", int, 0, "seed of the split, the distances and the changes"),
    ):
        shown = "words.txt beside the module" if name == "words" else "%(default)s"
        parser.add_argument(
            f"--{name}", type=kind, default=default, help=f"{means}, default: {shown}"
        )
    run(parser, prepare, arguments)


def _read_people(source: Path, seed: int) -> tuple[dict[str, dict[str, Letter]], dict[str, str]]:
    """Gives the letters of each person, and the person's split."""
    everything, _ = read_drawings(source)
    drawings = [each for each in everything if each.alphabet == ALPHABET]
    names = {f"character{at:02}": letter for at, letter in enumerate(string.ascii_lowercase, 1)}
    pixel = pixel_size(drawings) if drawings else 1.0
    people: dict[str, dict[str, Letter]] = {}
    for each in drawings:
        if each.character in names:
            strokes = drop_repeats(whole_pixels(each, pixel))[0]
            people.setdefault(each.writer, {})[names[each.character]] = strokes
    lacking = [
        f"no {letter} of {person}"
        for person, letters in people.items()
        for letter in names.values()
        if letter not in letters
    ]
    if lacking or not people:
        raise ValueError(
            f"{source}: expected the 26 {ALPHABET} letters of each person, found "
            f"{lacking[0] if lacking else 'none'}: download the archives again"
        )
    return people, split_writers(everything, seed)


def _shuffled(pairs: list[tuple[str, str]], rng: np.random.Generator) -> Iterator[tuple[str, str]]:
    """Gives all pairs in random order, then all in another one, and so on."""
    while True:
        for place in rng.permutation(len(pairs)):
            yield pairs[place]


if __name__ == "__main__":
    main()
