"""Files become documents: JSON lines, CSV, Markdown and text, folders of them, or stdin."""

from __future__ import annotations

import hashlib
import io
import os
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from antiphon.cli.tables import read_rows
from antiphon.cli.terminal import say
from antiphon.domain.json_keys import check_keys
from antiphon.errors import IllegalArgument, JsonError

_TEXTS = {".md", ".markdown", ".txt", ".rst"}
_LINES = {".jsonl", ".ndjson"}
_TABLES = {".csv", ".tsv"}
_WALKED = _TEXTS | _LINES | _TABLES
_HEADING = re.compile(r"^#\s+(.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Item:
    """One document to write.

    ``place`` is where it came from, for messages; ``read_bytes`` how far its input is. A piece of a longer document
    has the id of that one as ``parent``, and is number ``chunk`` of ``pieces``.
    """

    id: str
    source: dict[str, Any]
    place: str
    read_bytes: int = 0
    parent: str | None = None
    chunk: int = 0
    pieces: int = 0


@dataclass(frozen=True, slots=True)
class Options:
    """``id_field`` holds the id (else ``_id`` or ``id``, else a hash of the content); ``text_field`` a file's text."""

    id_field: str | None
    text_field: str


@dataclass(frozen=True, slots=True)
class Input:
    """A file to read, None for stdin, and its ``name``: below the folder that was given, wherever that one lies."""

    path: Path | None
    name: str


def find_files(paths: list[str]) -> list[Input]:
    """Return the inputs, folders walked in order, each file once; hidden files and folders are left out.

    IllegalArgument for none, for one that is unknown, and for two texts that would be the same document.
    """
    found: list[Input] = []
    for given in paths:
        path = Path(given)
        if given == "-":
            found.append(Input(None, "stdin"))
        elif not given.strip():
            raise IllegalArgument("a path is empty: name a file or a folder, [.] for the current one")
        elif path.is_dir():
            found.extend(_inside(path))
        elif not path.exists():
            raise IllegalArgument(f"there is no file [{path}]")
        elif _reader(path) is None:
            raise IllegalArgument(f"[{path}] is of no known kind: rename it to .jsonl, .csv, .md or .txt")
        else:
            found.append(Input(path, _words(path.name)))
    return _distinct(found)


def total_bytes(inputs: list[Input]) -> int:
    """Return the size of all files; 0 when stdin, or something that is no ordinary file, is among them."""
    paths = [item.path for item in inputs]
    return sum(path.stat().st_size for path in paths if path) if all(path and path.is_file() for path in paths) else 0


def read_items(inputs: list[Input], options: Options) -> Iterator[Item]:
    """Yield the documents of all inputs, ``read_bytes`` counted over them. IllegalArgument names file and line."""
    before = 0
    for one in inputs:
        if one.path is None:
            yield from _json_lines(one.name, sys.stdin.buffer, options, before)
            continue
        reader = _reader(one.path)
        if reader is None:
            raise IllegalArgument(f"[{one.path}] is of no known kind")
        with one.path.open("rb") as content:
            yield from reader(one.name, content, options, before)
            before += os.fstat(content.fileno()).st_size


def content_hash(source: dict[str, Any]) -> str:
    """Return what identifies a document's content: 16 hexadecimal characters of SHA-256 over its sorted JSON."""
    return hashlib.sha256(orjson.dumps(source, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]


Reader = Callable[[str, BinaryIO, Options, int], Iterator[Item]]


def _inside(folder: Path) -> list[Input]:
    """The files below a folder that are of a kind that holds documents: ``.json`` there is mostly configuration.

    Linked files are read where the link lies. Linked folders are not walked, since they may hold this one: it is said.
    """
    found, links = [], []
    for path in sorted(folder.rglob("*")):
        below = path.relative_to(folder)
        hidden = any(part.startswith(".") for part in below.parts)
        if not hidden and path.suffix.lower() in _WALKED and path.is_file():
            found.append(Input(path, _words(below.as_posix())))
        elif not hidden and path.is_symlink() and (path.is_dir() or not path.exists()):
            links.append(path)
    if links:
        say(f"note: links to folders, or to nothing, are not followed ({len(links)}): name what is to be read, such as "
            f"[{_words(str(links[0]))}]")  # fmt: skip
    if not found:
        raise IllegalArgument(f"[{folder}] holds no {', '.join(sorted(_WALKED))} file")
    return found


def _distinct(inputs: list[Input]) -> list[Input]:
    kept: dict[Path | None, Input] = {}
    texts: dict[str, Path] = {}
    for one in inputs:
        real = one.path.resolve() if one.path else None
        if real in kept:
            continue
        kept[real] = one
        if one.path and one.path.suffix.lower() in _TEXTS:
            other = texts.setdefault(one.name, one.path)
            if other != one.path:
                raise IllegalArgument(
                    f"[{other}] and [{one.path}] would both be the document [{one.name}]: give a folder that holds both"
                )
    return list(kept.values())


def _words(name: str) -> str:
    """A file name that can be written as JSON: bytes that are not UTF-8 become question marks."""
    return name.encode("utf-8", "replace").decode("utf-8")


def _reader(file: Path) -> Reader | None:
    suffix = file.suffix.lower()
    if suffix in _TEXTS:
        return _text
    if suffix == ".json":
        return _json
    if suffix in _LINES:
        return _json_lines
    return _table if suffix in _TABLES else None


def _json(name: str, content: BinaryIO, options: Options, before: int) -> Iterator[Item]:
    """One document, an array of them, or lines of them."""
    raw = content.read()
    try:
        whole = orjson.loads(raw)
    except orjson.JSONDecodeError:
        yield from _json_lines(name, io.BytesIO(raw), options, before)
        return
    _check_keys(raw, whole, name)
    for number, source in enumerate(whole if isinstance(whole, list) else [whole], 1):
        yield _item(source, f"{name}:[{number}]", options, before + len(raw))


def _json_lines(name: str, content: BinaryIO, options: Options, before: int) -> Iterator[Item]:
    read = before
    for number, line in enumerate(content, 1):
        read += len(line)
        bare = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
        if not bare.strip():
            continue
        place = f"{name}:{number}"
        try:
            source = orjson.loads(bare)
        except orjson.JSONDecodeError as error:
            raise IllegalArgument(f"{place} is not a JSON object in one line: {error}") from None
        _check_keys(bare, source, place)
        yield _item(source, place, options, read)


def _check_keys(raw: bytes, value: Any, place: str) -> None:
    try:
        check_keys(raw, value)
    except JsonError as error:
        raise IllegalArgument(f"{place}: {error.reason}") from None


def _table(name: str, content: BinaryIO, options: Options, before: int) -> Iterator[Item]:
    for place, source in read_rows(name, content):
        yield _item(source, place, options, before + content.tell())


def _text(name: str, content: BinaryIO, options: Options, before: int) -> Iterator[Item]:
    raw = content.read()
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise IllegalArgument(f"{name} is not UTF-8: {error.reason} at byte {error.start}") from None
    if text.strip():
        heading = _HEADING.search(text)
        title = heading[1].strip() if heading else Path(name).stem
        yield Item(name, {"title": title, "path": name, options.text_field: text}, name, before + len(raw))


def _item(source: Any, place: str, options: Options, read: int) -> Item:
    if not isinstance(source, dict):
        raise IllegalArgument(f"{place} must be a JSON object, but is {type(source).__name__}")
    fields = [options.id_field] if options.id_field else ["_id", "id"]
    key = next((field for field in fields if source.get(field) not in (None, "")), None)
    if options.id_field and key is None:
        raise IllegalArgument(f"{place} has no [{options.id_field}], which --id-field names")
    if key is None:
        return Item(content_hash(source), source, place, read)
    value = source[key]
    if isinstance(value, (dict, list)):
        raise IllegalArgument(f"{place}: the id in [{key}] must be a text or a number")
    if key == "_id":
        source = {field: item for field, item in source.items() if field != "_id"}
    return Item(str(value), source, place, read)
