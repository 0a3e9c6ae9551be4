"""What the arguments of a data module must be, alone and together."""

from __future__ import annotations

__all__ = ["check_arguments", "check_sets"]


def check_arguments(
    per: str,
    window: int | None,
    burn_in: int,
    length: int | None,
    text: bool,
    batch_size: int,
    eval_batch_size: int | None,
    workers: int,
    seed: int,
    scan: str | int | None = None,
    buckets: int = 1,
) -> None:
    """Refuses arguments of :class:`seqmdn.data.SequenceDataModule` that make no sense.

    Raises:
        ValueError: If a number is too small, ``per`` is another word, there is a burn-in without a
            window, texts are asked for of parts of sequences, or images are to be scanned and cut.

    Example:
        >>> check_arguments("frame", 40, 4, None, False, 32, None, 0, seed=-1)
        Traceback (most recent call last):
        ValueError: expected seed of 0 or more, found -1
    """
    least = {
        "batch_size": (batch_size, 1),
        "window": (window, 1),
        "burn_in": (burn_in, 0),
        "length": (length, 1),
        "eval_batch_size": (eval_batch_size, 1),
        "workers": (workers, 0),
        "seed": (seed, 0),
        "buckets": (buckets, 1),
    }
    for argument, (value, bound) in least.items():
        if value is not None and value < bound:
            raise ValueError(f"expected {argument} of {bound} or more, found {value}")
    if burn_in and window is None:
        raise ValueError(
            f"expected burn_in 0 without a window, found {burn_in}: whole sequences have no "
            "frames before them"
        )
    if per not in ("frame", "sequence"):
        raise ValueError(f"expected per to be 'frame' or 'sequence', found {per!r}")
    if scan is not None and length is not None:
        raise ValueError(
            f"expected whole images to scan, found a length of {length}: leave length or scan out"
        )
    parts = {"window": window, "length": length}
    for argument, value in parts.items():
        if text and value is not None:
            raise ValueError(
                f"expected whole sequences where their texts are looked at, found a {argument} of "
                f"{value}: nobody knows which part of a text it says; leave {argument} out"
            )


def check_sets(window: int | None, mark_end: bool) -> None:
    """Refuses parts and ends of sequences where frames are points that have no order.

    Raises:
        ValueError: If there is a window, or a mark of the end.

    Example:
        >>> check_sets(window=None, mark_end=False)
    """
    if window is not None or mark_end:
        raise ValueError(
            "expected whole sequences without a mark of their end where points are given, "
            f"found window {window}, mark_end {mark_end}: leave them out"
        )
