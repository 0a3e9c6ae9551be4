"""Texts as code points and back."""

import pytest
import torch

from seqmdn.data import decode, encode


@pytest.mark.parametrize(
    "texts",
    [["a"], ["be", "a"], ["über", "Straße 7", " x "], ["γλώσσα", "日本語", "𝄞🖋", "e\u0301"]],
    ids=str,
)
def test_what_was_encoded_is_decoded(texts: list[str]) -> None:
    codes = encode(texts)
    assert codes.dtype == torch.int64 and codes.shape == (len(texts), max(map(len, texts)))
    assert decode(codes) == texts
    for row, text in zip(codes.tolist(), texts, strict=True):
        assert row == [ord(c) for c in text] + [0] * (codes.shape[1] - len(text))


def test_more_padding_says_nothing() -> None:
    codes = torch.nn.functional.pad(encode(["ab", "c"]), (0, 3))
    assert decode(codes) == ["ab", "c"]


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ([], "at least one text, found none"),
        (["a", ""], "one character or more, found an empty one at place 1: leave out"),
        (["a\0b"], r"found the character 0 in 'a\\x00b' at place 0"),
    ],
)
def test_what_is_no_text_is_refused(texts: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        encode(texts)
