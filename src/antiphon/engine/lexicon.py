"""The text index of one nested path: tantivy, with one text slot per field."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import tantivy
from numpy.typing import NDArray

from antiphon.engine.analysis import POSITION_GAP, Analyzers

KEY = "key"
HEAP_BYTES = 48_000_000
_TIED = 32
"""Hits beyond those wanted that are asked for at first: a few that tie cost less than another search."""
_TERM_BY_TERM = 128
LUCENE_FACTOR = np.float32(2.2)
"""tantivy's BM25 keeps the constant factor k1 + 1, which OpenSearch 3 dropped."""


class LexiconView:
    """The text index as one refresh left it. Scores are OpenSearch 3's: tantivy's divided by 2.2 (k1 + 1)."""

    def __init__(self, searcher: tantivy.Searcher, schema: tantivy.Schema, slots: Mapping[str, str]) -> None:
        self._searcher = searcher
        self._schema = schema
        self._slots = slots
        self._terms: dict[str, list[tuple[str, int]]] = {}

    @property
    def schema(self) -> Any:
        """The tantivy schema, for building queries."""
        return self._schema

    @property
    def searcher(self) -> tantivy.Searcher:
        """The tantivy searcher, for document frequencies and explanations."""
        return self._searcher

    @property
    def size(self) -> int:
        """How many documents (or objects) there are, superseded ones not counted."""
        return int(self._searcher.num_docs)

    def slot(self, field: str) -> str | None:
        """Return the schema's name for a text field; None when nothing was ever indexed in it."""
        return self._slots.get(field)

    def all(self, query: Any) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return (keys, scores) of everything that a tantivy query matches, in no order."""
        if not (size := self.size):
            return np.zeros(0, np.int64), np.zeros(0, np.float32)
        return self._found(self._searcher.search(query, limit=size, count=False).hits)

    def best(self, query: Any, limit: int) -> tuple[NDArray[np.int64], NDArray[np.float32], int]:
        """Return (keys, scores, total) of the best ``limit``, best first; ties by lower key."""
        size = self.size
        if not size or limit <= 0:
            total = self._count(self._searcher.search(query, limit=1)) if size else 0
            return np.zeros(0, np.int64), np.zeros(0, np.float32), total
        asked = min(size, limit + _TIED)
        first = result = self._searcher.search(query, limit=asked)
        while True:  # a tie at the cut is settled by key, so all that tie must be seen
            keys, scores = self._found(result.hits)
            if len(keys) <= limit or asked == size or scores[-1] < scores[limit - 1]:
                break
            asked = min(size, asked * 4)
            result = self._searcher.search(query, limit=asked, count=False)
        order = np.lexsort((keys, -scores))[:limit]
        return keys[order], scores[order], self._count(first)

    def count(self, query: Any, only: Sequence[int] | None = None) -> int:
        """Return how many documents match; with ``only``, of those with these keys."""
        if not self.size:
            return 0
        if only is not None:
            query = tantivy.Query.boolean_query([(tantivy.Occur.Must, query), (tantivy.Occur.Must, self._any(only))])
        return self._count(self._searcher.search(query, limit=1))

    def _any(self, keys: Sequence[int]) -> Any:
        """A query for the documents with these keys; where they are few, term by term takes a tenth of the time."""
        if len(keys) > _TERM_BY_TERM:
            return tantivy.Query.term_set_query(self._schema, KEY, list(keys))
        terms = [tantivy.Query.term_query(self._schema, KEY, key) for key in keys]
        return tantivy.Query.boolean_query([(tantivy.Occur.Should, term) for term in terms])

    def terms(self, field: str, prefix: str = "") -> list[tuple[str, int]]:
        """Return the (term, document frequency) pairs of a field that begin with ``prefix``, by term. Cached."""
        if (slot := self._slots.get(field)) is None:
            return []
        if prefix:
            return sorted(self._searcher.terms_with_prefix(slot, prefix))
        if (found := self._terms.get(field)) is None:
            found = self._terms[field] = sorted(self._searcher.terms_with_prefix(slot, ""))
        return found

    @staticmethod
    def _count(result: Any) -> int:
        return int(result.count or 0)

    def _found(self, hits: list[Any]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        keys = self._searcher.fast_field_values(KEY, [address for _, address in hits])
        scores = np.fromiter((score for score, _ in hits), np.float32, len(hits))
        return np.asarray(keys, np.int64), scores / LUCENE_FACTOR


def remove_unfinished(folder: Path) -> None:
    """Remove what a process that was killed within a commit or a merge has left beside the last commit's files.

    tantivy writes no file over another one, so that the next commit would fail on a ``.del`` file of its own name.
    Nobody else may be using the folder.
    """
    meta = folder / "meta.json"
    if not meta.is_file():
        return
    segments = orjson.loads(meta.read_bytes())["segments"]
    deletes = {one["segment_id"].replace("-", ""): one.get("deletes") for one in segments}
    for path in folder.iterdir():
        segment, _, rest = path.name.partition(".")
        if not segment or path.name == meta.name:  # its own lists and locks
            continue
        stamp = (deletes.get(segment) or {}).get("opstamp")
        if segment not in deletes or (rest.endswith(".del") and rest != f"{stamp}.del"):
            path.unlink()


class SlotsExhausted(Exception):
    """More text fields than slots: the lexicon must be built anew with more of them."""


class Lexicon:
    """The writing side. One per folder and process life; not thread-safe but for ``view``.

    ``slots`` field -> slot is what the store remembers; ``folder`` None keeps everything in memory.
    """

    def __init__(self, folder: Path | None, slots: Mapping[str, str], analyzers: Analyzers, count: int = 32) -> None:
        builder = tantivy.SchemaBuilder().add_integer_field(KEY, indexed=True, fast=True)
        self._names = [f"s{number}" for number in range(count)]
        for name in self._names:
            builder = builder.add_text_field(name, tokenizer_name=name, index_option="position")
        self.schema = builder.build()
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            remove_unfinished(folder)
        self._index = tantivy.Index(self.schema, path=None if folder is None else str(folder))
        unassigned = analyzers.chain("whitespace").indexed
        for name in self._names:
            self._index.register_tokenizer(name, unassigned)
        self._analyzers = analyzers
        self._dirty = False
        self._analyzer_of: dict[str, str] = {}
        self.slots: dict[str, str] = {}
        self._spare = [name for name in self._names if name not in slots.values()]
        self._pending: dict[str, str] = dict(slots)
        self._writer: tantivy.IndexWriter | None = None
        self._lock = threading.Lock()

    def assign(self, field: str, analyzer: str) -> bool:
        """Give a field a slot and its analyzer; True when the slot is new. SlotsExhausted when there is none left."""
        if field in self.slots:
            return False
        known = self._pending.pop(field, None)
        if known is None and not self._spare:
            raise SlotsExhausted(field)
        slot = known or self._spare.pop(0)
        chain = self._analyzers.chain(analyzer)
        native = chain.indexed or self._analyzers.chain("whitespace").indexed
        if self._dirty:  # a segment under way keeps the tokenizers it began with
            self._open_writer().commit()
            self._dirty = False
        self._analyzer_of[field] = analyzer
        self._index.register_tokenizer(slot, native)
        self.slots[field] = slot
        return known is None

    def add(self, key: int, texts: Mapping[str, list[str]]) -> None:
        """Index the texts of one document or object; every field must have been assigned."""
        document = tantivy.Document()
        document.add_integer(KEY, key)
        for field, values in texts.items():
            slot = self.slots[field]
            chain = self._analyzers.chain(self._analyzer_of[field])
            if len(values) > 1 or chain.indexed is None:
                document.add_pre_tokenized_text(slot, chain.pre_tokenized(values, POSITION_GAP))
            elif values:
                document.add_text(slot, chain.prepared(values[0]))
        self._open_writer().add_document(document)
        self._dirty = True

    def remove(self, keys: Iterable[int]) -> None:
        """Drop documents or objects by key, those of the same commit that were added before included."""
        for key in keys:
            self._open_writer().delete_documents_by_term(KEY, key)

    def commit(self) -> LexiconView:
        """Make everything durable and return the view of it."""
        if self._writer is not None:
            self._writer.commit()
            self._dirty = False
        return self.view()

    def view(self) -> LexiconView:
        """Return the view of the last commit."""
        with self._lock:
            self._index.reload()
            return LexiconView(self._index.searcher(), self.schema, dict(self.slots))

    def close(self) -> None:
        """Let merges finish and free the folder. Idempotent."""
        writer, self._writer = self._writer, None
        if writer is not None:
            with suppress(ValueError):  # one that died, of a full disk say, merges nothing
                writer.wait_merging_threads()

    def _open_writer(self) -> tantivy.IndexWriter:
        if self._writer is None:
            self._writer = self._index.writer(HEAP_BYTES, 1)
        return self._writer
