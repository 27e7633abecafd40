"""Files become documents: kinds, folders, ids, stdin, and errors that name file and line."""

from __future__ import annotations

import io
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from antiphon.cli.files import Item, Options, content_hash, find_files, read_items, total_bytes
from antiphon.errors import IllegalArgument

OPTIONS = Options(None, "text")


def read(*paths: object, options: Options = OPTIONS) -> list[Item]:
    return list(read_items(find_files([str(path) for path in paths]), options))


def write(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


TWO: list[tuple[str, dict[str, Any]]] = [("1", {"id": 1}), ("2", {"id": 2})]
READABLE: dict[str, tuple[str, str | bytes, list[tuple[str, dict[str, Any]]]]] = {
    "JSON lines with ids": ("a.jsonl", '{"id": 7, "t": "x"}\n\n{"_id": "b"}', [("7", {"id": 7, "t": "x"}), ("b", {})]),
    "a byte order mark and CRLF": ("a.ndjson", b'\xef\xbb\xbf{"id": 1}\r\n{"id": 2}', TWO),
    "_id wins over id": ("a.jsonl", '{"_id": "u", "id": "v"}', [("u", {"id": "v"})]),
    "a JSON array": ("a.json", '[\n {"id": 1},\n {"id": 2}\n]', TWO),
    "one JSON object over lines": ("a.json", '{\n "id": 1\n}', [("1", {"id": 1})]),
    "JSON lines named .json": ("a.json", '{"id": 1}\n{"id": 2}', TWO),
    "CSV": ("a.csv", "id,name\n1,Elbe\n2,\n", [("1", {"id": "1", "name": "Elbe"}), ("2", {"id": "2"})]),
    "CSV with quotes over lines": ("a.csv", 'id,t\n1,"a,\nb"\n', [("1", {"id": "1", "t": "a,\nb"})]),
    "CSV with semicolons and a mark": ("a.csv", b"\xef\xbb\xbfid;t\r\n1;a,b\r\n", [("1", {"id": "1", "t": "a,b"})]),
    "TSV": ("a.tsv", "id\tt\n1\ta,b\n", [("1", {"id": "1", "t": "a,b"})]),
    "leading zeros are kept": ("a.csv", "id,zip\n1,01067\n", [("1", {"id": "1", "zip": "01067"})]),
    "an empty CSV": ("a.csv", "id,t\n", []),
    "Markdown": ("n.md", "# Elbe \n\nflows", [("n.md", {"title": "Elbe", "path": "n.md", "text": "# Elbe \n\nflows"})]),
    "a text without heading": ("n.txt", "flows", [("n.txt", {"title": "n", "path": "n.txt", "text": "flows"})]),
    "an empty text": ("n.md", " \n", []),
}  # fmt: skip


@pytest.mark.parametrize("name", READABLE)
def test_a_file_becomes_documents(name: str, tmp_path: Path) -> None:
    file, content, expected = READABLE[name]
    assert [(item.id, item.source) for item in read(write(tmp_path / file, content))] == expected


UNREADABLE: dict[str, tuple[str, str | bytes, str]] = {
    "no JSON": ("a.jsonl", '{"id": 1}\n{"id": 2,}\n', r"^a\.jsonl:2 is not a JSON object in one line: "),
    "a key twice": ("a.jsonl", '{"id": 1}\n{"id": 2, "id": 3}\n', r"^a\.jsonl:2: Duplicate field 'id'"),
    "a key twice in an array": ("a.json", '[{"id": 1, "t": {"a": 1, "a": 2}}]', r"^a\.json: Duplicate field 'a'"),
    "no object": ("a.jsonl", "[1]", r"^a\.jsonl:1 must be a JSON object, but is list"),
    "no object in an array": ("a.json", '[{"id": 1}, 5]', r"^a\.json:\[2\] must be a JSON object, but is int"),
    "half a character": ("a.jsonl", '{"t": "\\ud800"}', r"^a\.jsonl:1 is not"),
    "an id that is no scalar": (
        "a.jsonl",
        '{"id": {"x": 1}}',
        r"^a\.jsonl:1: the id in \[id\] must be a text",
    ),
    "too many columns": ("a.csv", "id,t\n1,a\n2,b,c\n", r"^a\.csv:3 has 3 columns, the header has 2"),
    "too few columns": ("a.csv", 'id,t\n1,"a\nb"\n2\n', r"^a\.csv:4 has 1 columns, the header has 2"),
    "an open quote": ("a.csv", 'id,t\n1,a\n2,"b\n3,c\n', r"^a\.csv:3 cannot be read as CSV"),
    "two columns of a name": ("a.csv", "id,t,t\n", r"^a\.csv:1 has two columns named \[t\]"),
    "a column without name": ("a.csv", "id,,t\n", r"^a\.csv:1 has no name for column 2"),
    "no header": ("a.csv", "", r"^a\.csv has no header line"),
    "a table in Latin-1": ("a.csv", b"id,t\n1,K\xf6ln\n", r"^a\.csv is not UTF-8"),
    "a text in Latin-1": ("a.md", b"K\xf6ln", r"^a\.md is not UTF-8: .* at byte 1"),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_cannot_be_read_is_named_with_its_line(name: str, tmp_path: Path) -> None:
    file, content, reason = UNREADABLE[name]
    with pytest.raises(IllegalArgument, match=reason):
        read(write(tmp_path / file, content))


def test_documents_before_a_broken_line_are_read(tmp_path: Path) -> None:
    items = read_items(find_files([str(write(tmp_path / "a.jsonl", '{"id": 1}\n{'))]), OPTIONS)
    assert next(items).id == "1"
    with pytest.raises(IllegalArgument, match=r"a\.jsonl:2"):
        next(items)


def test_a_document_without_id_is_known_by_its_content(tmp_path: Path) -> None:
    first, second, other = read(write(tmp_path / "a.jsonl", '{"a": 1, "b": 2}\n{"b": 2, "a": 1}\n{"a": 2}'))
    assert first.id == second.id == content_hash({"b": 2, "a": 1})
    assert first.id != other.id


def test_the_id_field_is_the_one_named(tmp_path: Path) -> None:
    file = write(tmp_path / "a.jsonl", '{"id": 1, "isbn": "x"}\n{"id": 2}')
    items = read_items(find_files([str(file)]), Options("isbn", "text"))
    assert next(items).id == "x"
    with pytest.raises(IllegalArgument, match=r"^a\.jsonl:2 has no \[isbn\], which --id-field names"):
        next(items)


def test_the_text_of_a_file_goes_where_it_is_wanted(tmp_path: Path) -> None:
    (item,) = read(write(tmp_path / "a.md", "words"), options=Options(None, "body"))
    assert item.source["body"] == "words"


def test_a_folder_is_walked_in_order_and_hidden_things_are_left_out(tmp_path: Path) -> None:
    for name in (
        "b.md",
        "a/z.txt",
        ".git/x.md",
        "a/.venv/y.md",
        ".hidden.md",
        "package.json",
        "a/image.png",
        "c.jsonl",
    ):
        write(tmp_path / "notes" / name, '{"id": "c"}' if name == "c.jsonl" else "words")
    items = read(tmp_path / "notes")
    assert [item.id for item in items] == ["a/z.txt", "b.md", "c"]
    assert [item.place for item in items] == ["a/z.txt", "b.md", "c.jsonl:1"]


def test_a_hidden_folder_that_is_named_is_read(tmp_path: Path) -> None:
    write(tmp_path / ".notes" / "a.md", "words")
    assert [item.id for item in read(tmp_path / ".notes")] == ["a.md"]


def test_a_file_given_twice_is_read_once(tmp_path: Path) -> None:
    file = write(tmp_path / "notes" / "a.md", "words")
    assert [item.id for item in read(tmp_path / "notes", file, tmp_path / "notes")] == ["a.md"]


def test_two_files_that_would_be_one_document_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "a" / "README.md", "one")
    write(tmp_path / "b" / "README.md", "two")
    with pytest.raises(IllegalArgument, match=r"a/README\.md\] and .*b/README\.md\] would both be the document"):
        read(tmp_path / "a", tmp_path / "b")
    assert [item.id for item in read(tmp_path)] == ["a/README.md", "b/README.md"]


@pytest.mark.parametrize(
    ("name", "reason"), [("none.md", "there is no file"), ("a.pdf", "of no known kind"), ("empty", "holds no .csv, ")]
)
def test_what_is_given_must_be_readable(name: str, reason: str, tmp_path: Path) -> None:
    write(tmp_path / "a.pdf", "words")
    write(tmp_path / "empty" / "b.pdf", "words")
    with pytest.raises(IllegalArgument, match=reason):
        find_files([str(tmp_path / name)])


def test_a_file_name_in_another_encoding_becomes_a_document(tmp_path: Path) -> None:
    path = tmp_path / "notes" / b"K\xf6ln.md".decode("utf-8", "surrogateescape")
    try:
        write(path, "words")
    except OSError:
        pytest.skip("this file system takes UTF-8 only")
    (item,) = read(tmp_path / "notes")
    assert item.id == "K?ln.md"
    assert json.dumps(item.source, ensure_ascii=False).encode()


def test_stdin_is_read_as_lines_and_has_no_known_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(b'{"id": 1}\n')))
    inputs = find_files([str(write(tmp_path / "a.md", "words")), "-", "-"])
    assert total_bytes(inputs) == 0
    assert [item.place for item in read_items(inputs, OPTIONS)] == ["a.md", "stdin:1"]


def test_progress_reaches_the_whole_size(tmp_path: Path) -> None:
    files = [
        write(tmp_path / "a.jsonl", "".join(f'{{"id": {number}}}\n' for number in range(100))),
        write(tmp_path / "b.csv", "id\n" + "\n".join(map(str, range(5000)))),
        write(tmp_path / "c.md", "words"),
    ]
    inputs = find_files([str(file) for file in files])
    read_bytes = [item.read_bytes for item in read_items(inputs, OPTIONS)]
    assert read_bytes == sorted(read_bytes)
    assert read_bytes[-1] == total_bytes(inputs) == sum(file.stat().st_size for file in files)


def test_a_huge_cell_and_a_huge_line_are_read(tmp_path: Path) -> None:
    huge = "x" * 3_000_000
    (row,) = read(write(tmp_path / "a.csv", f"id,t\n1,{huge}\n"))
    (line,) = read(write(tmp_path / "a.jsonl", json.dumps({"id": 1, "t": huge})))
    assert row.source["t"] == line.source["t"] == huge


def test_linked_files_are_read_once_and_linked_folders_are_not_walked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "in"
    write(folder / "a.md", "a")
    write(tmp_path / "out" / "o.md", "o")
    for link, target in (
        ("sub.md", "../out/o.md"), ("twice.md", "a.md"), ("loop", "."), ("up", ".."), ("other", "../out"),
        ("gone.md", "none.md"), ("itself.md", "itself.md"), (".hidden", ".."),
    ):  # fmt: skip
        (folder / link).symlink_to(target)
    assert [item.id for item in read(folder)] == ["a.md", "sub.md"]
    said = capsys.readouterr().err
    assert "are not followed (5)" in said
    assert str(folder / "gone.md") in said
    assert [item.id for item in read(folder / "other")] == ["o.md"]
