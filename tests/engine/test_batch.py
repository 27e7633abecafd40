"""Writes in one batch do what the same writes do one after the other."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from antiphon.domain.store import StoredDocument, VersionType, Write, Written
from antiphon.engine.documents import Documents
from antiphon.errors import AntiphonError

IDS = "abc"

writes = st.builds(
    Write,
    id=st.sampled_from(IDS),
    source=st.none() | st.sampled_from([b'{"n":1}', b'{"n":2}']),
    routing=st.none() | st.just("r"),
    create=st.booleans(),
    if_seq_no=st.none() | st.integers(0, 6),
    if_primary_term=st.just(1),
    version=st.none() | st.integers(1, 5),
    version_type=st.sampled_from(VersionType),
)


def seen(outcome: Written | AntiphonError) -> object:
    return outcome if isinstance(outcome, Written) else (type(outcome), outcome.reason)


def state(shelf: Documents) -> tuple[Sequence[StoredDocument | None], tuple[int, int], int, object, object]:
    """Everything that later operations can tell."""
    living = [(seq, doc_id, bytes(source)) for seq, doc_id, source in shelf.living(-1, shelf.last_seq)]
    died = sorted(shelf.died(-1, shelf.last_seq))
    return shelf.get_many(list(IDS)), shelf.counts(), shelf.last_seq, living, died


@given(st.lists(writes, max_size=8), st.lists(writes, max_size=12), st.lists(writes, max_size=4))
def test_a_batch_is_its_writes_in_order(before: list[Write], batch: list[Write], after: list[Write]) -> None:
    together, apart = Documents(None, clock=lambda: 1.0), Documents(None, clock=lambda: 1.0)
    try:
        for shelf in (together, apart):
            for write in before:
                shelf.apply([write])
        outcomes = together.apply(batch)
        one_by_one = [outcome for write in batch for outcome in apart.apply([write])]
        assert list(map(seen, outcomes)) == list(map(seen, one_by_one))
        assert state(together) == state(apart)
        assert list(map(seen, together.apply(after))) == list(map(seen, apart.apply(after)))
    finally:
        together.close()
        apart.close()
