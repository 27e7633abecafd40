"""Makes the writes of ``_reindex``: a document of one index as it is to stand in another."""

from __future__ import annotations

from typing import Any

import orjson

from antiphon.domain.bulk import Action, Operation
from antiphon.domain.by_query import ByQuery, Destination
from antiphon.domain.source import SourceFilter
from antiphon.domain.store import StoredDocument, VersionType
from antiphon.domain.update_script import Operation as ScriptOperation
from antiphon.domain.update_script import UpdateScript
from antiphon.errors import IllegalArgument


class Copier:
    """Copies by one request; a script may change the document, its ``_id``, ``_index`` and ``_routing``."""

    def __init__(self, asked: ByQuery, script: UpdateScript | None) -> None:
        if asked.destination is None:
            raise IllegalArgument("[dest] of _reindex is missing")
        self._destination: Destination = asked.destination
        self._choice = SourceFilter(True, asked.includes, asked.excludes)
        self._script = script

    def copy(self, _index: str, document: StoredDocument) -> Action | None:
        """Return the write, None when the script says noop."""
        to = self._destination
        routing = _routing(to, document.routing)
        metadata: dict[str, Any] = {"_index": to.index, "_id": document.id, "_routing": routing}
        source = document.source
        operation = Operation.CREATE if to.create else Operation.INDEX
        if not self._choice.everything or self._script is not None:
            body = self._choice.of(orjson.loads(source))
            if self._script is not None:
                scripted = self._script.run(body, {**metadata, "_version": document.version})
                if scripted.operation is ScriptOperation.NOOP:
                    return None
                if scripted.operation is ScriptOperation.DELETE:
                    operation = Operation.DELETE
                body, metadata = scripted.source, dict(scripted.metadata)
            source = orjson.dumps(body)
        return Action(
            operation,
            str(metadata["_index"]),
            None if metadata.get("_id") is None else str(metadata["_id"]),
            b"" if operation is Operation.DELETE else source,
            routing=metadata.get("_routing"),
            pipeline=to.pipeline,
            version=document.version if to.external else None,
            version_type=VersionType.EXTERNAL if to.external else VersionType.INTERNAL,
        )


def _routing(to: Destination, current: str | None) -> str | None:
    if to.routing == "keep":
        return current
    return to.routing[1:] if to.routing.startswith("=") else None
