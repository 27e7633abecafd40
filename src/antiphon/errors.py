"""How can it fail? One table: class, OpenSearch ``type``, HTTP status.

    AntiphonError                     exception                              500
    ├── IllegalArgument               illegal_argument_exception             400
    ├── ParseError                    parse_exception                        400
    ├── JsonError                     json_parse_exception                   400
    ├── ParsingError                  parsing_exception                      400
    ├── ValidationError               action_request_validation_exception    400
    ├── SettingsError                 settings_exception                     400
    ├── StatusError                   status_exception                       as given
    │   ├── NotFound                                                         404
    │   ├── Forbidden                                                        403
    │   ├── Conflict                                                         409
    │   └── Throttled                                                        429
    ├── CircuitBreaking               circuit_breaking_exception             429
    ├── QueueFull                     rejected_execution_exception           429
    ├── TooLarge                      content_too_large_exception            413
    ├── NotAcceptable                 media_type_header_exception            406
    ├── RequestTimeout                request_timeout_exception              408
    ├── InferenceError                m_l_exception                          500
    │   └── RoleError                 m_l_exception                          400
    ├── PackageError                  illegal_argument_exception             400
    ├── SourceError                   illegal_argument_exception             400
    ├── MissingArgument               null_pointer_exception                 500
    ├── EmptyBody                     i_o_exception                          500
    ├── ResourceNotFound              m_l_resource_not_found_exception       500
    ├── Unavailable                   exception                              503
    │   └── DataLost                  no_shard_available_action_exception    503
    ├── IndexNotFound                 index_not_found_exception              404
    ├── IndexExists                   resource_already_exists_exception      400
    ├── InvalidIndexName              invalid_index_name_exception           400
    ├── InvalidAliasName              invalid_alias_name_exception           400
    ├── IndexClosed                   index_closed_exception                 400
    ├── ClusterBlock                  cluster_block_exception                403
    │   └── DiskFull                                                         429
    ├── VersionConflict               version_conflict_engine_exception      409
    ├── DocumentMissing               document_missing_exception             404
    ├── RoutingMissing                routing_missing_exception              400
    ├── MapperParsing                 mapper_parsing_exception               400
    ├── StrictDynamicMapping          strict_dynamic_mapping_exception       400
    ├── NumberFormat                  number_format_exception                400
    ├── ContentParse                  x_content_parse_exception              400
    ├── QueryShardError               query_shard_exception                  400
    ├── SearchPhaseError              search_phase_execution_exception       of its cause
    ├── ReduceError                   search_phase_execution_exception       500
    ├── AggregationExecution          aggregation_execution_exception        500
    ├── ClassCast                     class_cast_exception                   500
    ├── TooManyClauses                too_many_clauses                       400
    ├── ScriptError                   script_exception                       400
    ├── SearchContextMissing          search_context_missing_exception       404
    ├── MissingResource               resource_not_found_exception           404
    ├── IndexTemplateMissing          index_template_missing_exception       404
    └── AliasesNotFound               aliases_not_found_exception            404

Low rooms raise these words with the cause attached; only ``rest/errors.py`` makes JSON of them, and only
``cli`` makes a line of them. The names follow OpenSearch's own ``type`` strings (snake-cased Java classes).
"""

from __future__ import annotations

import errno
from collections.abc import Mapping
from typing import Any, ClassVar


class AntiphonError(Exception):
    """What every room raises: ``reason`` says what happened, which value, and what to do.

    ``cause`` is rendered as the envelope's ``caused_by``; it is itself one of our errors. ``metadata`` are the keys
    that OpenSearch shows beside ``reason`` (``index``, ``processor_type`` ...).
    """

    type: ClassVar[str] = "exception"
    status: int = 500

    def __init__(
        self, reason: str, *, cause: AntiphonError | None = None, metadata: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.cause = cause
        self.metadata = dict(metadata or {})


class IllegalArgument(AntiphonError):
    """A value that OpenSearch would call an illegal argument."""

    type = "illegal_argument_exception"
    status = 400


class ParseError(AntiphonError):
    """A missing or unreadable body."""

    type = "parse_exception"
    status = 400


class JsonError(AntiphonError):
    """A body that is not JSON; ``reason`` names line and column."""

    type = "json_parse_exception"
    status = 400


class ParsingError(AntiphonError):
    """JSON of the wrong shape: an unknown key or a value of another type; ``reason`` names it."""

    type = "parsing_exception"
    status = 400


class ValidationError(AntiphonError):
    """One or more broken rules of a request; ``problems`` are numbered the way OpenSearch does."""

    type = "action_request_validation_exception"
    status = 400

    def __init__(self, *problems: str) -> None:
        listed = "".join(f"{number}: {problem};" for number, problem in enumerate(problems, 1))
        super().__init__(f"Validation Failed: {listed}")
        self.problems = problems


class SettingsError(AntiphonError):
    """An unknown setting, of the cluster or an index, or a static or final one of the cluster."""

    type = "settings_exception"
    status = 400


class StatusError(AntiphonError):
    """An error whose status is chosen where it is raised."""

    type = "status_exception"

    def __init__(self, reason: str, *, status: int, cause: AntiphonError | None = None) -> None:
        super().__init__(reason, cause=cause)
        self.status = status


class NotFound(StatusError):
    """No such thing, 404."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, status=404)


class Forbidden(StatusError):
    """Known, but not allowed now, 403."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, status=403)


class Conflict(StatusError):
    """The state of something else forbids it, 409."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, status=409)


class Throttled(StatusError):
    """A rate limiter said no, 429."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, status=429)


class CircuitBreaking(AntiphonError):
    """Memory or disk below its threshold; the same request may pass later."""

    type = "circuit_breaking_exception"
    status = 429


class QueueFull(AntiphonError):
    """The encoder's bounded queue has no room; the same request may pass later."""

    type = "rejected_execution_exception"
    status = 429


class TooLarge(AntiphonError):
    """A body over its limit; ``reason`` names size, limit and the setting that raises it."""

    type = "content_too_large_exception"
    status = 413


class NotAcceptable(AntiphonError):
    """A body in a content type that nobody here reads; OpenSearch answers it with a bare string."""

    type = "media_type_header_exception"
    status = 406


class RequestTimeout(AntiphonError):
    """A client that announced a body and stopped sending it."""

    type = "request_timeout_exception"
    status = 408


class InferenceError(AntiphonError):
    """Something inside the engine; ``cause`` says what."""

    type = "m_l_exception"
    status = 500


class RoleError(InferenceError):
    """A role that is missing, misspelt or not wanted: the caller's mistake, so 400."""

    status = 400


class PackageError(AntiphonError):
    """A model package that breaks a rule: the texts of OpenSearch's own registration check."""

    type = "illegal_argument_exception"
    status = 400


class SourceError(AntiphonError):
    """A model source that cannot be read: no such folder, hub unreachable, extra not installed."""

    type = "illegal_argument_exception"
    status = 400


class MissingArgument(AntiphonError):
    """A required value is absent where ML Commons stumbles over a null: its type and its 500 are kept."""

    type = "null_pointer_exception"


class EmptyBody(AntiphonError):
    """An empty body where ML Commons answers 500 with an I/O error: kept, so that one client check fits both."""

    type = "i_o_exception"


class ResourceNotFound(AntiphonError):
    """ML Commons' own not-found class, which maps to 500 there."""

    type = "m_l_resource_not_found_exception"


class Unavailable(AntiphonError):
    """The process is shutting down, or a resource it needs is gone; another attempt may succeed, 503."""

    status = 503


class DataLost(Unavailable):
    """An index is defined, and its documents are not on the disk, or cannot be read."""

    type = "no_shard_available_action_exception"


class IndexNotFound(AntiphonError):
    """A concrete index that does not exist."""

    type = "index_not_found_exception"
    status = 404


class IndexExists(AntiphonError):
    """The name of an index, or template, that exists already."""

    type = "resource_already_exists_exception"
    status = 400


class InvalidIndexName(AntiphonError):
    """A name that no index may have."""

    type = "invalid_index_name_exception"
    status = 400


class InvalidAliasName(AntiphonError):
    """A name that no alias may have."""

    type = "invalid_alias_name_exception"
    status = 400


class IndexClosed(AntiphonError):
    """A search or write to a closed index."""

    type = "index_closed_exception"
    status = 400


class ClusterBlock(AntiphonError):
    """An operation that an ``index.blocks`` setting forbids."""

    type = "cluster_block_exception"
    status = 403


class DiskFull(ClusterBlock):
    """There is no room on the disk: nothing of the request was written, and what was acknowledged is kept."""

    status = 429


def is_disk_full(error: BaseException) -> bool:
    """True when the system, or SQLite, had no room left."""
    return getattr(error, "errno", None) == errno.ENOSPC or "disk is full" in str(error)


class VersionConflict(AntiphonError):
    """Another version of the document than the request asked for."""

    type = "version_conflict_engine_exception"
    status = 409


class DocumentMissing(AntiphonError):
    """An update of a document that does not exist."""

    type = "document_missing_exception"
    status = 404


class RoutingMissing(AntiphonError):
    """A request without the routing that the mapping requires."""

    type = "routing_missing_exception"
    status = 400


class MapperParsing(AntiphonError):
    """A mapping that cannot be read, or a document that does not fit it."""

    type = "mapper_parsing_exception"
    status = 400


class StrictDynamicMapping(AntiphonError):
    """A new field where the mapping is strict."""

    type = "strict_dynamic_mapping_exception"
    status = 400


class NumberFormat(AntiphonError):
    """A text that is no number."""

    type = "number_format_exception"
    status = 400


class ContentParse(AntiphonError):
    """A body of known shape with an unknown key or a value of another type."""

    type = "x_content_parse_exception"
    status = 400


class QueryShardError(AntiphonError):
    """A query that cannot be built against the mapping."""

    type = "query_shard_exception"
    status = 400


class TooManyClauses(AntiphonError):
    """More clauses than a boolean query may have."""

    type = "too_many_clauses"
    status = 400


class ScriptError(AntiphonError):
    """A script that is not one of the recognised ones, or fails on a document."""

    type = "script_exception"
    status = 400


class DivisionByZero(AntiphonError):
    """A script divides a whole number by nothing."""

    type = "arithmetic_exception"
    status = 400


class SearchContextMissing(AntiphonError):
    """An unknown scroll or point in time."""

    type = "search_context_missing_exception"
    status = 404


class MissingResource(AntiphonError):
    """No such pipeline, document source or task."""

    type = "resource_not_found_exception"
    status = 404


class IndexTemplateMissing(AntiphonError):
    """No index template, or legacy template, of this name."""

    type = "index_template_missing_exception"
    status = 404


class AliasesNotFound(AntiphonError):
    """None of the aliases that were to be removed."""

    type = "aliases_not_found_exception"
    status = 404


class IllegalState(AntiphonError):
    """What OpenSearch calls an illegal state, with its 500: too many tokens to chunk, a cycle of pipelines."""

    type = "illegal_state_exception"


class FailProcessor(AntiphonError):
    """The message of an ingest pipeline's ``fail`` processor, with OpenSearch's 500."""

    type = "fail_processor_exception"


class AggregationExecution(AntiphonError):
    """Aggregations of several indices that cannot be merged."""

    type = "aggregation_execution_exception"


class ClassCast(AntiphonError):
    """Two values that cannot be compared."""

    type = "class_cast_exception"


class ReduceError(AntiphonError):
    """Results of several indices that do not go together; the ``cause`` says why, as on OpenSearch."""

    type = "search_phase_execution_exception"

    def __init__(self, cause: AntiphonError) -> None:
        super().__init__("", cause=cause, metadata={"phase": "fetch", "grouped": True, "failed_shards": []})


class SearchPhaseError(AntiphonError):
    """What stopped a search: ``failure``, in an ``index`` if in one; ``node_id`` None: once all had answered."""

    type = "search_phase_execution_exception"

    def __init__(self, failure: AntiphonError, node_id: str | None, index: str | None = None) -> None:
        super().__init__("The phase has failed" if node_id is None else "all shards failed", cause=failure)
        self.failure, self.node_id, self.index = failure, node_id, index
        self.status = failure.status


def reason_of(answer: Any) -> str:
    """Return the reason within another server's error answer, with its innermost cause."""
    error = answer.get("error", answer) if isinstance(answer, dict) else answer
    if not isinstance(error, dict):
        return str(error)
    reasons = [str(error.get("reason", error))]
    while isinstance(error.get("caused_by"), dict):
        error = error["caused_by"]
        reasons.append(str(error.get("reason")))
    return reasons[0] if reasons[-1] in reasons[0] else f"{reasons[0]}: {reasons[-1]}"
