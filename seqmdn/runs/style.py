"""Sequences whose manner a draw goes on in."""

from pathlib import Path

import numpy as np
import torch

from seqmdn.data import Batch, Store, collate, read_pen_file, stroke_frames
from seqmdn.runs.run import Run

__all__ = ["read_style"]


def read_style(run: Run, style: str, split: str = "test") -> Batch:
    """Read what draws of a model of strokes go on from.

    Args:
        run: The run.
        style: The number of a sequence of the split, from 0; or a file: a store of strokes, or
            one's own strokes as :func:`seqmdn.data.read_pen_file` reads them, in the unit and with
            the vertical axis of the store that the model was trained on. All sequences of a file
            are taken.
        split: Where a number counts.

    Returns:
        Sequences in the model's columns, with their texts where the model reads texts.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the model is none of strokes, the number is out of range, or the file is
            neither, or lacks the texts.
    """
    data = run.data
    if data.store.names[:3] != ["dx", "dy", "eos"] or data.context:
        raise ValueError(
            f"a style is for models of whole pen strokes [dx, dy, eos], this one is of "
            f"{data.store.names} with a context of {data.context} features: use --prime"
        )
    if style.isdecimal():
        indices = data.store.indices(split)
        if int(style) >= len(indices):
            raise ValueError(
                f"expected a style from 0 to {len(indices) - 1} of the split {split!r}, found "
                f"{style}"
            )
        found = data.sequences(split, indices[[int(style)]])
    else:
        found = _read(Path(style), data.text)
        if data.mark_end:
            mark = torch.zeros_like(found.values[..., :1])
            found = found._replace(values=torch.cat((found.values, mark), dim=-1))
    if data.mark_end:  # it goes on
        found.values[..., -1] = 0
    return found


def _read(path: Path, wants_text: bool) -> Batch:
    """Read all sequences of a file as frames [dx, dy, eos]."""
    if path.suffix.lower() in (".json", ".csv"):
        drawings = read_pen_file(path)
        frames = [stroke_frames(drawing.strokes) for drawing in drawings]
        texts = [drawing.text for drawing in drawings]
    elif path.suffix.lower() in (".h5", ".hdf5"):
        with Store(path) as store:
            if store.names[:3] != ["dx", "dy", "eos"]:
                raise ValueError(f"{path}: expected strokes [dx, dy, eos], found {store.names}")
            frames = [store.read(index)[0].astype(np.float64) for index in range(len(store))]
            texts = [store.text(index) for index in range(len(store))]
    else:
        raise ValueError(
            f"expected the number of a sequence, a store .h5, or strokes in .json or .csv as a "
            f"style, found {str(path)!r}"
        )
    if not wants_text:
        return collate([(each, None, None) for each in frames])
    if not all(texts):
        raise ValueError(
            f"{path}: expected what each of the strokes says, found some without a text: write it "
            'beside them ("text" in .json, NAME.txt beside NAME.csv)'
        )
    return collate([(each, None, None) for each in frames], texts=[text or "" for text in texts])
