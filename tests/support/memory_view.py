"""A view of a few documents that lives in memory: for tests of everything that searches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import orjson

from antiphon.domain.mapping import IndexMapping
from antiphon.domain.store import Write
from antiphon.engine.analysis import Analyzers
from antiphon.engine.documents import Documents
from antiphon.engine.lexicon import Lexicon
from antiphon.engine.pack import object_key, pack
from antiphon.engine.view import View, tables_of


def memory_view(
    mapping: IndexMapping,
    documents: Sequence[tuple[str, Mapping[str, Any]]],
    settings: Mapping[str, Any] | None = None,
    *,
    per_segment: int = 1000,
) -> View:
    """Return a view of (id, source) pairs, ``per_segment`` to a segment; ids must differ. Dynamic mapping applies."""
    analyzers = Analyzers(settings or {})
    shelf = Documents(None)
    typed = []
    for seq, (doc_id, source) in enumerate(documents):
        document, mapping = mapping.typed(doc_id, source)
        typed.append((seq, document))
    shelf.apply([Write(doc_id, orjson.dumps(source)) for doc_id, source in documents])
    lexicons: dict[str, Lexicon] = {}
    for seq, document in typed:
        for number, row in enumerate(document.rows):
            if row.texts:
                lexicon = lexicons.setdefault(row.nested, Lexicon(None, {}, analyzers))
                for name in row.texts:
                    lexicon.assign(name, mapping.fields[name].analyzer)
                lexicon.add(object_key(seq, number) if row.nested else seq, row.texts)
    runs = [typed[start : start + per_segment] for start in range(0, len(typed), per_segment)]
    segments = [pack(run, mapping, analyzers) for run in runs]
    alive = [np.ones(segment.tables[""].rows, np.bool_) for segment in segments]
    views = {path: lexicon.commit() for path, lexicon in lexicons.items()}
    return View(tables_of(segments, alive, views, mapping, analyzers), mapping, analyzers, shelf, len(typed) - 1)
