"""Writes rows that have a class, such as flowers or images with their digit: rows of one frame.

| set | features | classes | rows | split |
|---|---:|---:|---:|---|
| iris | 4, in cm | 3 kinds | 150 | 60, 10 and 30 % of each class, by the seed |
| digits | 64 levels, 0 to 16 | 10 digits | 1,797 | 75, 5 and 20 % of each class, by the seed |
| mnist | 784 levels, 0 to 255 | 10 digits | 70,000 | the owner's test; 5,000 of the other images |

- **A classifier's rows.** The class number (0, 1, ...) is the only value, the features are the
  context as they are, also those that never vary: p(values | context) is the probability of the
  class given the features.
- **With** ``--joint`` features and, behind them, the class number are the values, and there is no
  context: p(values) is the density of both, of which a class can be asked by conditioning.
- **Split.** Of mnist, 5,000 of the owner's training images, by the seed, are for validation. iris
  and digits come with scikit-learn; digits are split row for row as in ``data_prep.digits``.

    python -m data_prep.labelled_rows --dataset mnist --out data/mnist_rows.h5
    python -m data_prep.labelled_rows --dataset iris --joint --out data/iris_joint.h5

The Use of Multiple Measurements in Taxonomic Problems (Fisher, 1936), for iris.
"""

from __future__ import annotations

__all__ = ["DATASETS", "LabelledRows", "prepare"]

import argparse
import os
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from data_prep import mnist
from data_prep.idx import find_idx, read_idx
from data_prep.sources import origin
from data_prep.splits import split_classes
from seqmdn.data import SPLITS, Store, StoreWriter

DATASETS = ("iris", "digits", "mnist")
VALID = 5_000  # of mnist's 60,000 images for training
_SHARES = {"iris": (0.6, 0.1), "digits": (0.75, 0.05)}  # the rest is for the test
_LICENCES = {
    "iris": "CC BY 4.0 (UCI, Iris)",
    "digits": "CC BY 4.0 (UCI, Optical Recognition of Handwritten Digits)",
    "mnist": "CC BY-SA 3.0 (MNIST, LeCun, Cortes, Burges)",
}


class LabelledRows(NamedTuple):
    """Holds rows and the class of each.

    Attributes:
        features: (N, X).
        classes: (N,), whole numbers from 0.
        names: Of the X features.
        words: What the classes 0, 1, ... stand for.
        splits: The N words ``"train"``, ``"valid"`` or ``"test"``.
        sources: The files, as a store names them.
        attributes: More of the data set, such as ``height``.
    """

    features: NDArray[Any]
    classes: NDArray[Any]
    names: list[str]
    words: list[str]
    splits: list[str]
    sources: list[dict[str, str]]
    attributes: dict[str, Any]


def prepare(
    dataset: str, out: Path, source: Path | None = None, seed: int = 0, joint: bool = False
) -> list[str]:
    """Writes the store; says how many rows each part has.

    Args:
        dataset: One of iris, digits and mnist.
        out: The file to write.
        source: Folder of the four idx files; mnist alone has one.
        seed: Of the split.
        joint: Whether the features are values, too.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If there is no such data set, or a file is damaged or of other data.
    """
    if dataset not in DATASETS:
        raise ValueError(f"expected a data set of {', '.join(DATASETS)}, found {dataset!r}")
    rows = _mnist(source, seed) if dataset == "mnist" else _of_sklearn(dataset, seed)
    unit = "cm" if dataset == "iris" else "pixel level"
    option = " --source $SEQMDN_DATA/mnist" if dataset == "mnist" else ""
    with StoreWriter(
        out,
        features=[*(rows.names if joint else []), "class"],
        context=[] if joint else rows.names,
        name=f"{dataset}_{'joint' if joint else 'rows'}",
        unit=unit if joint else "class",
        step="row",
        source=rows.sources,
        licence=_LICENCES[dataset],
        command=f"python -m data_prep.labelled_rows --dataset {dataset}{option} --seed {seed}"
        f"{' --joint' if joint else ''}",
        attributes={
            "kind": "series",
            "sequence": "row",
            "classes": len(rows.words),
            "class_names": ", ".join(rows.words),
            "seed": seed,
            **rows.attributes,
        },
    ) as writer:
        for first in range(0, len(rows.splits), 4096):
            part = slice(first, first + 4096)
            features, classes = rows.features[part], rows.classes[part, None]
            values = np.concatenate([features, classes], 1) if joint else classes
            writer.append_rows(values, rows.splits[part], None if joint else features)
    counts = [rows.splits.count(split) for split in SPLITS]
    return [f"{'/'.join(map(str, counts))} rows for training, validation and the test"]


def main(arguments: list[str] | None = None) -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m data_prep.labelled_rows",
        description="Write rows with their classes as one HDF5 store.",
    )
    parser.add_argument("--dataset", choices=DATASETS, default="iris", help="default: %(default)s")
    parser.add_argument(
        "--source",
        type=Path,
        help="folder with the four idx files of mnist, default: mnist in the folder that "
        "$SEQMDN_DATA names",
    )
    parser.add_argument("--out", type=Path, help="default: data/DATASET_rows.h5 or _joint.h5")
    parser.add_argument(
        "--seed", type=int, default=0, help="seed of the split, default: %(default)s"
    )
    parser.add_argument(
        "--joint", action="store_true", help="make the features values beside their class"
    )
    options = parser.parse_args(arguments)
    form = "joint" if options.joint else "rows"
    options.out = options.out or Path(f"data/{options.dataset}_{form}.h5")
    try:
        said = prepare(**vars(options))
    except (OSError, ValueError, ImportError) as error:
        sys.exit(f"data_prep.labelled_rows: {error}")
    print("\n".join([*said, f"wrote {Store(options.out)}"]))


def _of_sklearn(dataset: str, seed: int) -> LabelledRows:
    try:
        import sklearn.datasets
    except ImportError:
        raise ModuleNotFoundError(
            f"{dataset} comes with scikit-learn, which is not installed: pip install scikit-learn"
        ) from None
    found = getattr(sklearn.datasets, f"load_{dataset}")()
    file = {"iris": "iris.csv", "digits": "digits.csv.gz"}[dataset]
    pixels = dataset == "digits"
    return LabelledRows(
        found.data,
        found.target,
        _pixels(8) if pixels else [name.removesuffix(" (cm)") for name in found.feature_names],
        [str(word) for word in found.target_names],
        split_classes(found.target, _SHARES[dataset], seed),
        [origin(Path(sklearn.datasets.__file__).parent / "data" / file)],
        {"height": 8, "width": 8, "levels": 17} if pixels else {},
    )


def _mnist(source: Path | None, seed: int) -> LabelledRows:
    root = os.environ.get("SEQMDN_DATA")
    if source is None and not root:
        raise ValueError(
            "expected --source FOLDER (with the four idx files) or $SEQMDN_DATA, found neither"
        )
    folder = source or Path(root or "") / "mnist"
    images, labels, sources = [], [], []
    for names in mnist.FILES.values():
        paths = [find_idx(folder, name) for name in names]
        sources += [origin(path) for path in paths]
        part, said = read_idx(paths[0], (mnist.SIZE, mnist.SIZE)), read_idx(paths[1])
        if len(part.records) != len(said.records) or len(said.records) < said.count:
            raise ValueError(
                f"{paths[0]}: expected {said.count} images, one for each label, found "
                f"{len(part.records)} images and {len(said.records)} labels: download both again"
            )
        if len(said.records) and said.records.max() > 9:
            raise ValueError(
                f"{paths[1]}: expected labels from 0 to 9, found {said.records.max()}: download "
                "the files again"
            )
        images.append(part.records.reshape(len(part.records), -1))
        labels.append(said.records)
    training, test = (len(part) for part in labels)
    if training <= VALID or not test:
        raise ValueError(
            f"expected more than {VALID} images for training and some for the test, found "
            f"{training} and {test}: give the owner's files"
        )
    splits = np.array(["train"] * training + ["test"] * test, dtype=object)
    splits[np.random.default_rng(seed).permutation(training)[:VALID]] = "valid"
    return LabelledRows(
        np.concatenate(images),
        np.concatenate(labels),
        _pixels(mnist.SIZE),
        [str(digit) for digit in range(10)],
        list(splits),
        sources,
        {"height": mnist.SIZE, "width": mnist.SIZE, "levels": 256},
    )


def _pixels(size: int) -> list[str]:
    return [f"row {y} column {x}" for y in range(size) for x in range(size)]


if __name__ == "__main__":
    main()
