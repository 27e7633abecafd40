"""Replies to deletes and updates of one document."""

from __future__ import annotations

from antiphon.flows import Stored
from antiphon.rest.call import Reply
from antiphon.wire.write_result import render_write


def delete_reply(index: str, document_id: str, stored: Stored | None) -> Reply:
    """Return the delete result; ``not_found`` when nothing was stored under the id."""
    if stored is None:
        return Reply(render_write(index, document_id, "not_found", version=1, seq_no=0))
    return Reply(render_write(index, document_id, "deleted", version=stored.version, seq_no=stored.seq_no))


def update_reply(index: str, document_id: str, stored: Stored, notices: list[str]) -> Reply:
    """Return the update result."""
    body = render_write(index, document_id, "updated", version=stored.version, seq_no=stored.seq_no)
    return Reply(body, notices=notices)
