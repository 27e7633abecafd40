"""Reads the fenced blocks of Markdown, a ``curl`` command, and an abbreviated answer.

An answer in the documents shows what matters: keys may be missing, ``"..."`` stands for any value, for the rest of a
list, or for part of a string, and floats stand for any number. A key that ends in ``_id`` shows the id of the writer's
server: the first time it is seen it is taken to mean the id of this one, from then on everywhere.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SERVER = "localhost:9200"
_ANY = "..."


@dataclass(frozen=True)
class Block:
    """A fenced block; ``line`` is that of its first line of text, 1-based."""

    path: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.path.name}:{self.line}"


def blocks_of(path: Path) -> Iterator[Block]:
    """Yield the fenced blocks in their order."""
    text = path.read_text(encoding="utf-8")
    for match in _FENCE.finditer(text):
        yield Block(path, text.count("\n", 0, match.start()) + 2, match[1], match[2])


@dataclass(frozen=True)
class Request:
    """What a ``curl`` command sends."""

    method: str
    path: str
    body: str | None


def read_curl(command: str) -> Request:
    """Return the request of one ``curl`` command to the server of the documents; ValueError for any other command."""
    program, *words = shlex.split(command.replace("\\\n", " "))
    method, body, url = None, None, None
    rest = iter(words)
    for word in rest:
        if word == "-X":
            method = next(rest)
        elif word == "-d":
            body = next(rest)
        elif word == "-H":
            if next(rest) != "Content-Type: application/json":
                raise ValueError(f"another header in [{command}]")
        elif not word.startswith("-") and url is None:
            url = word
        elif word != "-s":
            raise ValueError(f"[{word}] in [{command}]")
    if program != "curl" or url is None or not url.startswith(_SERVER):
        raise ValueError(f"not one curl to {_SERVER}: [{command}]")
    if body is not None:
        json.loads(body)
    return Request(method or ("GET" if body is None else "POST"), url.removeprefix(_SERVER) or "/", body)


@dataclass
class Names:
    """Which text of a document means which text here."""

    meant: dict[str, str] = field(default_factory=dict)

    def put(self, text: str) -> str:
        """Return ``text`` with every name of the document replaced."""
        for shown, here in self.meant.items():
            text = text.replace(shown, here)
        return text

    def differences(self, shown: Any, got: Any, where: str = "answer") -> list[str]:
        """Say where an answer is not as shown; learns ids."""
        if shown == _ANY or (isinstance(shown, float) and isinstance(got, int | float)):
            return []
        if isinstance(shown, dict) and isinstance(got, dict):
            return self._keys(shown, got, where)
        if isinstance(shown, list) and isinstance(got, list):
            return self._items(shown, got, where)
        if isinstance(shown, str) and isinstance(got, str):
            return [] if self._same_text(shown, got, where) else [f"{where} is {got!r}, not {self.put(shown)!r}"]
        return [] if shown == got and type(shown) is type(got) else [f"{where} is {got!r}, not {shown!r}"]

    def _keys(self, shown: dict[str, Any], got: dict[str, Any], where: str) -> list[str]:
        problems = []
        for key, value in shown.items():
            here = next(iter(got), key) if key == _ANY else self.put(key)
            if here not in got:
                problems.append(f"{where} has no {here!r}, but {sorted(got)}")
            else:
                problems += self.differences(value, got[here], f"{where}.{here}")
        return problems

    def _items(self, shown: list[Any], got: list[Any], where: str) -> list[str]:
        if shown and shown[-1] == _ANY and len(got) >= len(shown) - 1:
            shown, got = shown[:-1], got[: len(shown) - 1]
        if len(shown) != len(got):
            return [f"{where} has {len(got)} items, not {len(shown)}"]
        pairs = enumerate(zip(shown, got, strict=True))
        return [text for i, (a, b) in pairs for text in self.differences(a, b, f"{where}[{i}]")]

    def _same_text(self, shown: str, got: str, where: str) -> bool:
        if where.endswith("_id") and shown not in self.meant and self.put(shown) == shown:
            self.meant[shown] = got
            return True
        pattern = ".*".join(re.escape(part) for part in self.put(shown).split(_ANY))
        return re.fullmatch(pattern, got, re.DOTALL) is not None
