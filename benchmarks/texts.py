"""The texts of the workloads: the same for every contender, new in every round, from one seed."""

from __future__ import annotations

import numpy as np

QUERIES = (
    "how much protein should a female eat",
    "Was ist die Hauptstadt von Deutschland?",
    "À quelle température cuire une baguette ?",
    "绿茶要用多少度的水冲泡？",  # noqa: RUF001
)
"""Questions of 8 to 12 tokens."""
_WORDS = (
    "protein woman daily average requirement grams the of for and is 南瓜 的 做法 家常 semantische Suche Anfrage "
    "Antwort recherche sémantique requête vecteur поиск запрос ответ consulta respuesta búsqueda model passage"
).split(" ")
_ONE_TOKEN = ["the", "of", "for", "and", "is", "model", "protein", "woman", "average", "message"]
_AROUND = 4
_LONGEST = 600
_SHARE_OF_LONG = 1 / 30
_TEXT = (
    "the price of bread rose again while the harbour slept under a quiet snow and nobody asked the old captain why "
    "his ship had carried protein powder from Lisbon to Hamburg in the winter of the great storm"
).split(" ")


def queries(seed: int, count: int) -> list[str]:
    """Return ``count`` questions, all different, so that no cache can help."""
    return [f"{QUERIES[number % len(QUERIES)]} {seed}{number}" for number in range(count)]


def passages(seed: int, count: int) -> list[str]:
    """Return texts of mixed lengths as in a real corpus: log-normal around 50 tokens, one in thirty beyond 512."""
    random = np.random.default_rng(seed)
    sizes = np.clip(random.lognormal(3.5, 0.8, count), 3, 300).astype(int)
    sizes[: round(count * _SHARE_OF_LONG)] = _LONGEST
    return [" ".join(random.choice(_WORDS, size)) for size in random.permutation(sizes)]


def of_tokens(seed: int, count: int, tokens: int) -> list[str]:
    """Return texts of so many tokens with ``passage: `` before them, and with the start and end of a text."""
    random = np.random.default_rng(seed)
    return [" ".join(random.choice(_ONE_TOKEN, tokens - _AROUND)) for _ in range(count)]


def short_passages(start: int, count: int) -> list[str]:
    """Return passages of 12 to 60 words, numbered from ``start``, all different."""
    made = []
    for number in range(start, start + count):
        random = np.random.default_rng(number)
        made.append(f"{number} " + " ".join(random.choice(_TEXT, random.integers(12, 60))))
    return made
