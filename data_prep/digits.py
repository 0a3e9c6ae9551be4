"""Writes scikit-learn's handwritten digits as sequences of picture rows.

Each of the 1,797 pictures is 8 frames (rows, from the top) of 8 pixels with levels 0 to 16. The
data set comes with scikit-learn: there is nothing to download. The digit is the text of its
sequence.

    python -m data_prep.digits --out data/digits.h5
"""

from __future__ import annotations

__all__ = ["prepare"]

import argparse
import sys
from pathlib import Path

from data_prep.splits import split_classes
from seqmdn.data import Store, StoreWriter, file_sha256

TRAIN, VALID = 0.75, 0.05  # the rest is for the test


def prepare(out: Path, seed: int = 0) -> None:
    """Writes the store; the permutation that splits each digit alike follows from the seed."""
    try:
        import sklearn.datasets
    except ImportError:
        raise ModuleNotFoundError(
            "the digits come with scikit-learn, which is not installed: pip install scikit-learn"
        ) from None
    digits = sklearn.datasets.load_digits()
    source = Path(sklearn.datasets.__file__).parent / "data" / "digits.csv.gz"
    with StoreWriter(
        out,
        features=[f"column {column}" for column in range(8)],
        name="digits",
        unit="pixel level",
        step="row",
        source=[{"file": source.name, "sha256": file_sha256(source)}],
        licence="CC BY 4.0 (UCI, Optical Recognition of Handwritten Digits)",
        command=f"python -m data_prep.digits --seed {seed}",
        attributes={
            "kind": "image",
            "sequence": "image",
            "height": 8,
            "width": 8,
            "levels": 17,
            "seed": seed,
        },
    ) as writer:
        splits = split_classes(digits.target, (TRAIN, VALID), seed)
        for image, target, split in zip(digits.images, digits.target, splits, strict=True):
            writer.append(image, split, text=str(target))


def main(arguments: list[str] | None = None) -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m data_prep.digits",
        description="Write scikit-learn's 8x8 digits as one HDF5 store.",
    )
    parser.add_argument(
        "--out", type=Path, default=Path("data/digits.h5"), help="default: %(default)s"
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="seed of the split, default: %(default)s"
    )
    options = parser.parse_args(arguments)
    try:
        prepare(options.out, options.seed)
    except (OSError, ValueError, ImportError) as error:
        sys.exit(f"data_prep.digits: {error}")
    print(f"wrote {Store(options.out)}")


if __name__ == "__main__":
    main()
