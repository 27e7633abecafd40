"""Joined segments are what packing the living documents together gives; so are those read back from a file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.domain.mapping import IndexMapping
from antiphon.engine.analysis import Analyzers
from antiphon.engine.columns import FeatureColumn, KeywordColumn, NumberColumn, TextColumn
from antiphon.engine.merge import TIERS, due, merged
from antiphon.engine.pack import pack
from antiphon.engine.segment import Segment
from antiphon.engine.segment_file import UnreadableSegment, read_segment, write_segment

VECTOR = {"type": "knn_vector", "dimension": 2, "space_type": "l2"}
BIT = {"type": "nested", "properties": {"word": {"type": "keyword"}}}
MAPPING = IndexMapping.parse(
    {
        "properties": {
            "title": {"type": "text"},
            "tag": {"type": "keyword"},
            "year": {"type": "long"},
            "price": {"type": "double"},
            "marks": {"type": "rank_features"},
            "vec": VECTOR,
            "part": {
                "type": "nested",
                "properties": {
                    "kind": {"type": "keyword"},
                    "vec": VECTOR,
                    "bit": {"type": "nested", "properties": {"word": {"type": "keyword"}}},
                },
            },
        }
    },
    knn=True,
)
ANALYZERS = Analyzers({})
TAGS = st.sampled_from(("red", "grün", "青", "z\U0001f600", "\uffee"))

bits = st.fixed_dictionaries({"word": TAGS})
parts = st.fixed_dictionaries(
    {},
    optional={
        "kind": TAGS,
        "vec": st.lists(st.integers(-3, 3), min_size=2, max_size=2),
        "bit": st.lists(bits, max_size=2),
    },
)
sources = st.fixed_dictionaries(
    {},
    optional={
        "title": TAGS,
        "tag": st.lists(TAGS, max_size=3),
        "year": st.lists(st.integers(0, 5), max_size=2) | st.integers(0, 5),
        "price": st.integers(0, 3),
        "marks": st.dictionaries(st.sampled_from("abc"), st.integers(1, 5), max_size=2),
        "vec": st.lists(st.integers(-3, 3), min_size=2, max_size=2),
        "part": st.lists(parts, max_size=3),
    },
)
runs = st.lists(st.lists(st.tuples(sources, st.booleans()), min_size=1, max_size=5), min_size=1, max_size=4)


def packed(documents: list[tuple[int, Mapping[str, Any]]]) -> Segment:
    """Return the segment of (sequence number, source) pairs."""
    mapping, typed = MAPPING, []
    for seq, source in documents:
        document, mapping = mapping.typed(str(seq), source)
        typed.append((seq, document))
    return pack(typed, mapping, ANALYZERS)


def shown(segment: Segment) -> dict[str, Any]:
    """Return everything that a segment says, in terms of rows and values; a column without values says nothing."""
    return {
        path: {
            "keys": table.keys.tolist(),
            "parents": table.parents.tolist(),
            "offsets": table.offsets.tolist(),
            "enclosing": segment.enclosing.get(path),
            "columns": {name: rows for name, c in table.columns.items() if any(rows := _rows(c, table.rows))},
            "vectors": {
                name: (c.rows.tolist(), c.vectors.tolist(), c.lengths_squared().tolist())
                for name, c in table.vectors.items()
            },
        }
        for path, table in segment.tables.items()
    }


def _rows(column: Any, rows: int) -> list[Any]:
    if isinstance(column, TextColumn):
        return list(column.present.tolist())
    starts = np.arange(rows + 1) if column.starts is None else column.starts
    spans = list(zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True))
    match column:
        case NumberColumn():
            return [column.values[a:b].tolist() for a, b in spans]
        case KeywordColumn():
            assert column.terms.all() == sorted(column.terms.all())
            return [[column.terms.term(code) for code in column.codes[a:b].tolist()] for a, b in spans]
        case FeatureColumn():
            codes = [[column.tokens.term(code) for code in column.codes[a:b].tolist()] for a, b in spans]
            weights = [column.weights[a:b].tolist() for a, b in spans]
            return [dict(zip(names, some, strict=True)) for names, some in zip(codes, weights, strict=True)]
        case _:
            raise AssertionError(column)


@settings(max_examples=150, deadline=None)
@given(runs)
def test_joining_is_packing_what_lives(documents: list[list[tuple[Mapping[str, Any], bool]]]) -> None:
    segments, masks, living = [], [], []
    seq = 0
    for run in documents:
        numbered = [(seq + at, source) for at, (source, _) in enumerate(run)]
        segments.append(packed(numbered))
        masks.append(np.array([lives for _, lives in run], np.bool_))
        living += [pair for pair, (_, lives) in zip(numbered, run, strict=True) if lives]
        seq += len(run)
    found = merged(segments, masks)
    assert (None if found is None else shown(found)) == (shown(packed(living)) if living else None)


@settings(max_examples=50, deadline=None)
@given(st.lists(sources, min_size=1, max_size=6))
def test_a_file_says_what_was_written(tmp_path_factory: pytest.TempPathFactory, documents: list[Any]) -> None:
    place = tmp_path_factory.mktemp("seg") / "columns.bin"
    segment = packed(list(enumerate(documents)))
    write_segment(place, segment)
    mapping = MAPPING
    for source in documents:
        _, mapping = mapping.typed("x", source)
    assert shown(read_segment(place, mapping)) == shown(segment)
    assert [path.name for path in place.parent.iterdir()] == ["columns.bin"]


@pytest.mark.parametrize("keep", [0, 7, 30, -1])
def test_a_file_that_is_not_whole_is_refused(tmp_path: Path, keep: int) -> None:
    place = tmp_path / "columns.bin"
    write_segment(place, packed([(0, {"year": 3, "vec": [1, 2]})]))
    place.write_bytes(place.read_bytes()[:keep])
    with pytest.raises(UnreadableSegment, match=r"columns\.bin"):
        read_segment(place, MAPPING)


@pytest.mark.parametrize(
    ("sizes", "dead", "expected"),
    [
        ([], [], None),
        ([5] * 9, [0] * 9, None),
        ([5] * 10, [0] * 10, (0, 10)),
        ([10_000, *[500] * 12, 3], [0] * 14, (1, 14)),
        ([20_000, *[500] * 5, 20_000, *[500] * 5], [0] * 12, (0, 12)),
        ([200_000, *[500] * 5, 200_000, *[500] * 5], [0] * 12, None),
        ([900, 200, 50], [0, 101, 90], (1, 2)),
        ([900, 200, 0], [0, 90, 101], (2, 3)),
    ],
)
def test_what_should_become_one(sizes: list[int], dead: list[int], expected: tuple[int, int] | None) -> None:
    assert due(sizes, dead) == expected


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([], None),
        ([14_000] * 7, (0, 7)),
        ([9_000] * 2, None),
        ([90_000, 5_000, 5_000, 5_000, 8_000], (1, 5)),
        ([90_000, 12_000], None),
        ([200_000, 90_000, 90_000], (1, 3)),
        ([200_000, 200_000], None),
    ],
)
def test_what_should_become_one_when_there_is_time(sizes: list[int], expected: tuple[int, int] | None) -> None:
    assert due(sizes, [0] * len(sizes), idle_from=20_000) == expected


@given(st.lists(st.integers(1, 10 * TIERS[-1]), max_size=200))
def test_joining_comes_to_an_end_with_few_segments(sizes: list[int]) -> None:
    for _ in range(len(sizes) + 1):
        if (found := due(sizes, [0] * len(sizes))) is None:
            break
        start, end = found
        sizes = [*sizes[:start], sum(sizes[start:end]), *sizes[end:]]
    assert due(sizes, [0] * len(sizes)) is None
