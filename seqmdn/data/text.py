"""Texts that belong to sequences, as tensors of Unicode code points and back."""

from __future__ import annotations

__all__ = ["decode", "encode"]

from collections.abc import Sequence

import torch
from torch import Tensor


def encode(texts: Sequence[str]) -> Tensor:  # (B, U)
    """Gives the code points of texts, each padded with 0 to the longest of them.

    What a character means is left to whatever reads them: a model knows its own alphabet.

    Raises:
        ValueError: If there are no texts, one is empty, or one holds the character 0 itself.

    Example:
        >>> encode(["be", "a"]).tolist()
        [[98, 101], [97, 0]]
    """
    if not texts:
        raise ValueError("expected at least one text, found none")
    for place, text in enumerate(texts):
        if not text or "\0" in text:
            found = "an empty one" if not text else f"the character 0 in {text!r}"
            raise ValueError(
                f"expected texts of one character or more, found {found} at place {place}: leave "
                "out its sequence, or write what it says"
            )
    codes = torch.zeros(len(texts), max(map(len, texts)), dtype=torch.int64)
    for row, text in zip(codes, texts, strict=True):
        row[: len(text)] = torch.tensor([ord(character) for character in text])
    return codes


def decode(codes: Tensor) -> list[str]:  # (B, U)
    """Gives the texts that :func:`encode` made these code points of.

    Example:
        >>> decode(encode(["be", "a"]))
        ['be', 'a']
    """
    return ["".join(chr(code) for code in row if code) for row in codes.tolist()]
