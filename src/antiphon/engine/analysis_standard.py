"""The words of a text by Unicode's rules (UAX #29), as one regular expression that runs inside tantivy."""

from __future__ import annotations

import re
import unicodedata

_EXTEND = r"[\p{wb=Extend}\p{wb=Format}\p{wb=ZWJ}]*"
_LETTER = rf"(?:[\p{{wb=ALetter}}\p{{wb=Hebrew_Letter}}]{_EXTEND})"
_NUMBER = rf"(?:\p{{wb=Numeric}}{_EXTEND})"
_JOINER = rf"(?:\p{{wb=ExtendNumLet}}{_EXTEND})"
_KATAKANA = rf"(?:\p{{wb=Katakana}}{_EXTEND})+"
_IN_LETTERS = rf"(?:[\p{{wb=MidLetter}}\p{{wb=MidNumLet}}\p{{wb=Single_Quote}}]{_EXTEND})"
_IN_NUMBERS = rf"(?:[\p{{wb=MidNum}}\p{{wb=MidNumLet}}\p{{wb=Single_Quote}}]{_EXTEND})"
_ALPHANUMERIC = rf"(?:{_LETTER}+(?:{_IN_LETTERS}{_LETTER}+)*|{_NUMBER}+(?:{_IN_NUMBERS}{_NUMBER}+)*)+"
_WORD = rf"{_JOINER}*(?:{_ALPHANUMERIC}|{_KATAKANA})(?:{_JOINER}+(?:{_ALPHANUMERIC}|{_KATAKANA}))*{_JOINER}*"
_SINGLE = rf"[\p{{Han}}\p{{Hiragana}}]{_EXTEND}"
_SOUTHEAST_ASIAN = r"[\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]+"

STANDARD = f"{_SOUTHEAST_ASIAN}|{_WORD}|{_SINGLE}"
URL_EMAIL = (
    r"(?:https?|ftp|file)://[^\s<>\"]*[^\s<>\".,;:!?)\]}']"
    r"|[\p{L}\p{N}._%+-]+@[\p{L}\p{N}-]+(?:\.[\p{L}\p{N}-]+)+|" + STANDARD
)
LETTERS = r"\p{L}+"

_ALONE = "\u3041-\u3096\u3400-\u4dbf\u4e00-\u9fff"
_NEXT = rf"(?=[\x00-\x7f\u3001-\u3020{_ALONE}\u30a1-\u30fc\uac00-\ud7a3\uff01-\uff65]|\Z)"
STRETCHES = re.compile(rf"[{_ALONE}]{_NEXT}|(?:[^{_ALONE}]|[{_ALONE}](?!{_NEXT}))+")
"""Parts of a text in which ``STANDARD`` finds the words one by one: an ideograph is a word by itself, unless something
unusual, such as a combining mark, follows."""

_MARKS = "'.,:;"
_SPACED = "".join(chr(code) if chr(code).isalnum() or chr(code) in f"{_MARKS}_" else " " for code in range(128))


def plainly_spaced(text: str) -> str | None:
    """Return a text with blanks for all that ``STANDARD`` leaves out; None for one that takes a closer look."""
    if not text.isascii():
        return None
    text = f" {text.translate(_SPACED)} "
    for mark in _MARKS:  # within a word or a number each may belong to it
        if mark in text:
            text = text.replace(f"{mark} ", "  ").replace(f" {mark}", "  ")
            if mark in text:
                return None
    return None if "_" in text else text


def standard_type(word: str) -> str:
    """Return Lucene's type of a word that the standard tokenizer found."""
    if "://" in word:
        return "<URL>"
    if "@" in word:
        return "<EMAIL>"
    if any(character.isalpha() for character in word):
        name = unicodedata.name(word[0], "")
        for start, kind in _SCRIPTS:
            if name.startswith(start):
                return kind
        return "<ALPHANUM>"
    return "<NUM>"


_SCRIPTS = (
    ("CJK", "<IDEOGRAPHIC>"),
    ("HIRAGANA", "<HIRAGANA>"),
    ("KATAKANA", "<KATAKANA>"),
    ("HALFWIDTH KATAKANA", "<KATAKANA>"),
    ("HANGUL", "<HANGUL>"),
    ("THAI", "<SOUTHEAST_ASIAN>"),
    ("LAO", "<SOUTHEAST_ASIAN>"),
    ("KHMER", "<SOUTHEAST_ASIAN>"),
    ("MYANMAR", "<SOUTHEAST_ASIAN>"),
)
