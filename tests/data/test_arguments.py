"""Arguments of a data module that make no sense, alone or together."""

from pathlib import Path

import pytest

from seqmdn.data import SequenceDataModule


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "batch_size of 1 or more, found 0"),
        ({"window": 0}, "window of 1 or more, found 0"),
        ({"length": 0}, "length of 1 or more, found 0"),
        ({"length": 4, "text": True}, "whole sequences .* a length of 4: .* leave length out"),
        ({"window": 4, "text": True}, "whole sequences .* a window of 4: .* leave window out"),
        ({"length": 4, "scan": "pixel"}, "whole images to scan, found a length of 4: leave"),
        ({"burn_in": -1}, "burn_in of 0 or more, found -1"),
        ({"burn_in": 3}, "burn_in 0 without a window, found 3"),
        ({"eval_batch_size": 0}, "eval_batch_size of 1 or more, found 0"),
        ({"workers": -1}, "workers of 0 or more"),
        ({"seed": -1}, "seed of 0 or more"),
        ({"per": "pixel"}, "per to be 'frame' or 'sequence', found 'pixel'"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SequenceDataModule(Path("a.h5"), **options)
