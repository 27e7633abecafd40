"""Text -> terms: words as the ``standard`` analyser finds them, lower-cased."""

from __future__ import annotations

import unicodedata


def terms_of(text: str) -> list[str]:
    """Return the words of ``text`` in order.

    Letters, digits, marks and underscores make a word; an apostrophe or full stop joins two letters, a full stop or
    comma two digits; each ideograph and each hiragana is a word of its own. Everything else separates.
    """
    words: list[str] = []
    word = ""
    for position, character in enumerate(text):
        if _stands_alone(character):
            words += [word, character]
            word = ""
        elif _is_wordlike(character) or (word and _joins(word[-1], character, text[position + 1 : position + 2])):
            word += character
        else:
            words.append(word)
            word = ""
    words.append(word)
    return [word.lower() for word in words if any(character.isalnum() for character in word)]


def _is_wordlike(character: str) -> bool:
    return character.isalnum() or character == "_" or unicodedata.category(character).startswith("M")


def _joins(before: str, character: str, after: str) -> bool:
    if character in "'\u2019.":
        return (before.isalpha() and after.isalpha()) or (before.isdigit() and after.isdigit())
    return character == "," and before.isdigit() and after.isdigit()


def _stands_alone(character: str) -> bool:
    code = ord(character)
    return (
        0x3041 <= code <= 0x3096
        or 0x3400 <= code <= 0x4DBF
        or 0x4E00 <= code <= 0x9FFF
        or 0xF900 <= code <= 0xFAFF
        or 0x20000 <= code <= 0x323AF
    )
