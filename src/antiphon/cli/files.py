"""Files become documents: JSON lines, CSV, Markdown and text, folders of them, or stdin."""

from __future__ import annotations

import csv
import hashlib
import io
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from antiphon.errors import IllegalArgument

_TEXTS = {".md", ".markdown", ".txt", ".rst"}
_LINES = {".jsonl", ".ndjson", ".json"}
_HEADING = re.compile(r"^#\s+(.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Item:
    """One document to write; ``place`` is where it came from, for messages; ``read_bytes`` how far its input is."""

    id: str
    source: dict[str, Any]
    place: str
    read_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Options:
    """``id_field`` holds the id (else ``_id`` or ``id``, else a hash of the content); ``text_field`` a file's text."""

    id_field: str | None
    text_field: str


def find_files(paths: list[str]) -> list[Path | None]:
    """Return the files to read, folders walked in order; None stands for stdin. IllegalArgument for none or unknown."""
    found: list[Path | None] = []
    for given in paths:
        path = Path(given)
        if given == "-":
            found.append(None)
        elif path.is_dir():
            inside = sorted(file for file in path.rglob("*") if file.is_file() and _reader(file) is not None)
            if not inside:
                raise IllegalArgument(f"[{path}] holds no {', '.join(sorted(_TEXTS | _LINES | {'.csv', '.tsv'}))} file")
            found.extend(inside)
        elif not path.exists():
            raise IllegalArgument(f"there is no file [{path}]")
        elif _reader(path) is None:
            raise IllegalArgument(f"[{path}] is of no known kind: rename it to .jsonl, .csv, .md or .txt")
        else:
            found.append(path)
    return found


def total_bytes(files: list[Path | None]) -> int:
    """Return the size of all files; 0 when stdin is among them."""
    return 0 if None in files else sum(file.stat().st_size for file in files if file is not None)


def read_items(files: list[Path | None], roots: list[str], options: Options) -> Iterator[Item]:
    """Yield the documents of all files, ``read_bytes`` counted over them. IllegalArgument names file and line."""
    before = 0
    for file in files:
        if file is None:
            yield from _json_lines("stdin", sys.stdin.buffer, options, before)
            continue
        reader = _reader(file)
        if reader is None:
            raise IllegalArgument(f"[{file}] is of no known kind")
        with file.open("rb") as content:
            yield from reader(_name(file, roots), content, options, before)
        before += file.stat().st_size


def content_hash(source: dict[str, Any]) -> str:
    """Return what identifies a document's content: 16 hexadecimal characters of SHA-256 over its sorted JSON."""
    return hashlib.sha256(orjson.dumps(source, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]


Reader = Callable[[str, BinaryIO, Options, int], Iterator[Item]]


def _reader(file: Path) -> Reader | None:
    suffix = file.suffix.lower()
    if suffix in _TEXTS:
        return _text
    if suffix in _LINES:
        return _json_lines
    return _csv if suffix in (".csv", ".tsv") else None


def _name(file: Path, roots: list[str]) -> str:
    """A file's name below the folder that was given, which stays the same wherever the folder lies."""
    for root in map(Path, roots):
        if root.is_dir() and file.is_relative_to(root):
            return file.relative_to(root).as_posix()
    return file.name


def _json_lines(name: str, content: BinaryIO, options: Options, before: int) -> Iterator[Item]:
    read = before
    for number, line in enumerate(content, 1):
        read += len(line)
        if not line.strip():
            continue
        place = f"{name}:{number}"
        try:
            source = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise IllegalArgument(f"{place} is not a JSON object in one line: {error}") from None
        if not isinstance(source, dict):
            raise IllegalArgument(f"{place} must be a JSON object, but is {type(source).__name__}")
        yield _item(source, place, options, read)


def _csv(name: str, content: BinaryIO, options: Options, before: int) -> Iterator[Item]:
    text = io.TextIOWrapper(content, encoding="utf-8-sig", newline="")
    rows = csv.DictReader(text, delimiter="\t" if name.lower().endswith(".tsv") else ",", strict=True)
    try:
        if not rows.fieldnames:
            raise IllegalArgument(f"{name} has no header line")
        for row in rows:
            place = f"{name}:{rows.line_num}"
            if None in row or None in row.values():
                raise IllegalArgument(f"{place} has another number of columns than the header's {len(rows.fieldnames)}")
            yield _item({key: value for key, value in row.items() if value != ""}, place, options, before)
    except (csv.Error, UnicodeDecodeError) as error:
        raise IllegalArgument(f"{name}:{rows.line_num + 1} cannot be read as CSV in UTF-8: {error}") from None
    finally:
        text.detach()


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


def _item(source: dict[str, Any], place: str, options: Options, read: int) -> Item:
    fields = [options.id_field] if options.id_field else ["_id", "id"]
    key = next((field for field in fields if source.get(field) is not None), None)
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
