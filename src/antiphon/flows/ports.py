"""What the flows need from the world: Protocols that the adapters and their in-memory twins fulfil."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from antiphon.domain.analysis import AnalyzeRequest, Token
from antiphon.domain.deployment import DeployReport, EncoderStats, Precision
from antiphon.domain.embedding_report import EmbeddingCounts
from antiphon.domain.mapping import IndexMapping
from antiphon.domain.model import Model, ModelConfig, ModelFormat
from antiphon.domain.model_group import ModelGroup
from antiphon.domain.package import StagedZip as StagedZip
from antiphon.domain.store import IndexStats, StoredDocument, Write, Written
from antiphon.domain.task import Task
from antiphon.errors import AntiphonError
from antiphon.query import Explanation, Fetch, Query, Search, SearchHit, ShardResult

Clock = Callable[[], int]
"""Epoch milliseconds."""

NewId = Callable[[], str]
"""A fresh 20-character URL-safe id."""


class Encoded(Protocol):
    """The vectors of one call, in the order of its texts, and what truncation took."""

    @property
    def rows(self) -> Sequence[NDArray[np.float32]]:
        """One float32 array per text: ``[dimension]``; ``[tokens, hidden]`` for ``pooling_mode: none``."""

    @property
    def tokens(self) -> tuple[int, ...]:
        """How many tokens of each text were embedded, special ones included."""

    @property
    def lost(self) -> tuple[int, ...]:
        """How many tokens of each text were cut off."""


class Encoder(Protocol):
    """A loaded model. Thread-safe; texts arrive with their prefix already in front."""

    @property
    def report(self) -> DeployReport:
        """The figures of the deploy probes."""

    def encode(self, texts: Sequence[str]) -> Encoded:
        """Embed; blocks until done. QueueFull when the bounded queue has no room, InferenceError from the engine."""

    def stats(self) -> EncoderStats:
        """Counters since the deploy."""

    def close(self) -> None:
        """Finish what is queued, then free the memory. Idempotent."""


class EncoderLoader(Protocol):
    """Loads an unpacked package into memory and probes it."""

    def load(self, folder: Path, config: ModelConfig, precision: Precision) -> Encoder:
        """Load ``folder`` (model.onnx, tokenizer.json) and run the probes; InferenceError with the failing figure."""


class Packages(Protocol):
    """Model packages on disk, content-addressed by the SHA-256 of their zip."""

    def fetch(self, url: str, trusted_url_regex: str, within_s: float = ...) -> StagedZip:
        """Stream ``url`` (http, https, file) to a staged zip within ``within_s`` seconds (default: no limit).

        PackageError on any failure, nothing left behind.
        """

    def put_chunk(self, model_id: str, number: int, content: bytes) -> None:
        """Keep one uploaded chunk (0-based); a second upload of the same number replaces the first."""

    def chunks(self, model_id: str) -> frozenset[int]:
        """Return the numbers of the chunks that have arrived."""

    def join_chunks(self, model_id: str, total: int) -> StagedZip:
        """Join chunks 0..total-1 in order into a staged zip; PackageError names the missing ones."""

    def drop_chunks(self, model_id: str) -> None:
        """Forget the chunks of ``model_id``."""

    def admit(self, staged: StagedZip, expected_sha256: str, model_format: ModelFormat) -> Path:
        """Verify a staged zip and move it into its content-addressed folder, which is returned.

        Raises PackageError with ML Commons' text (`model content changed`, `No tokenizer file`, ...); the staged
        file is gone afterwards either way.
        """

    def folder(self, sha256: str) -> Path:
        """Return the unpacked folder of an admitted package; PackageError when it is not there."""

    def zip(self, sha256: str) -> Path:
        """Return the zip of an admitted package, byte for byte as it came; PackageError when it is not there."""

    def remove(self, sha256: str) -> None:
        """Delete an admitted package. Idempotent."""

    def sweep(self, keep: frozenset[str], uploading: frozenset[str]) -> None:
        """Delete staged leftovers, packages not in ``keep`` and chunks of models not in ``uploading``."""


class Stored(Protocol):
    """Where a document stands: its version (1-based) and its sequence number, as write results and hits show."""

    @property
    def version(self) -> int:
        """Count of writes to this id."""

    @property
    def seq_no(self) -> int:
        """Number of this write among all writes of its kind."""


class Catalog(Protocol):
    """Groups, models, tasks, controllers, definitions and cluster settings. Every put is durable when it returns."""

    def transaction(self) -> AbstractContextManager[None]:
        """All puts and deletes inside happen together or not at all; one writer at a time; re-entrant."""

    def group(self, model_group_id: str) -> ModelGroup | None:
        """Return the group, or None."""

    def group_named(self, name: str) -> ModelGroup | None:
        """Return the group of exactly this name, or None."""

    def groups(self) -> Iterator[tuple[ModelGroup, Stored]]:
        """All groups, oldest first."""

    def put_group(self, group: ModelGroup) -> Stored:
        """Write the group."""

    def delete_group(self, model_group_id: str) -> Stored | None:
        """Delete it; None when it was not there."""

    def model(self, model_id: str) -> Model | None:
        """Return the model, or None."""

    def models(self) -> Iterator[tuple[Model, Stored]]:
        """All models, oldest first."""

    def put_model(self, model: Model) -> Stored:
        """Write the model."""

    def delete_model(self, model_id: str) -> Stored | None:
        """Delete it; None when it was not there."""

    def task(self, task_id: str) -> Task | None:
        """Return the task, or None."""

    def tasks(self) -> Iterator[tuple[Task, Stored]]:
        """All tasks, oldest first."""

    def put_task(self, task: Task) -> Stored:
        """Write the task."""

    def delete_task(self, task_id: str) -> Stored | None:
        """Delete it; None when it was not there."""

    def controller(self, model_id: str) -> dict[str, Any] | None:
        """Return the per-user rate limits of a model, or None."""

    def put_controller(self, model_id: str, controller: dict[str, Any]) -> Stored:
        """Write them."""

    def delete_controller(self, model_id: str) -> Stored | None:
        """Delete them; None when there were none."""

    def definition(self, kind: str, definition_id: str) -> dict[str, Any] | None:
        """Return the JSON object of this kind and id, or None.

        Kinds: ``ingest_pipeline``, ``search_pipeline``, ``index``, ``index_template``, ``component_template``,
        ``template``.
        """

    def definitions(self, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """All ids and JSON objects of this kind, oldest first."""

    def put_definition(self, kind: str, definition_id: str, definition: dict[str, Any]) -> Stored:
        """Write it."""

    def delete_definition(self, kind: str, definition_id: str) -> Stored | None:
        """Delete it; None when it was not there."""

    def settings(self, section: str) -> dict[str, Any]:
        """Return the ``persistent`` or ``transient`` cluster settings, flat keys to JSON values."""

    def put_settings(self, section: str, settings: dict[str, Any]) -> None:
        """Replace that section; ``transient`` is forgotten at restart."""

    def node_id(self) -> str:
        """The id of this node, stable across restarts (22 characters, URL-safe)."""

    def cluster_uuid(self) -> str:
        """The id of this cluster of one, stable across restarts."""


class Snapshot(Protocol):
    """One index as the last refresh left it; immutable, readable from any thread, held until ``close``.

    Rows number documents from 0, older first. Numbers mean nothing in another snapshot.
    """

    @property
    def documents(self) -> int:
        """How many documents there are."""

    def search(self, search: Search, vectors: Sequence[NDArray[np.float32]]) -> ShardResult:
        """Run every leg. ``vectors[n]`` float32 ``[dimension]`` fills slot n. QueryShardError for a user's mistake."""

    def fetch(
        self,
        search: Search,
        vectors: Sequence[NDArray[np.float32]],
        rows: Sequence[int],
        scores: Sequence[float | None],
        fetch: Fetch | None = None,
    ) -> list[SearchHit]:
        """Return the hits of these rows, in order, with everything ``fetch`` (default: the search's own) asks for."""

    def count(self, query: Query, vectors: Sequence[NDArray[np.float32]]) -> int:
        """Return how many documents match."""

    def matching(self, query: Query, vectors: Sequence[NDArray[np.float32]]) -> NDArray[np.int64]:
        """Return the rows that match, ascending."""

    def explain(self, query: Query, vectors: Sequence[NDArray[np.float32]], doc_id: str) -> Explanation | None:
        """Return why the document scores as it does; None when there is none or it does not match."""

    def stored(self, rows: Sequence[int]) -> list[StoredDocument]:
        """Return the documents of these rows as this snapshot sees them, in order."""

    def close(self) -> None:
        """Let go. Idempotent."""


class IndexStore(Protocol):
    """The documents of one index, durable when ``write`` returns. Thread-safe; one writer at a time inside."""

    def get(self, doc_id: str) -> StoredDocument | None:
        """Return the document as last written, refreshed or not."""

    def get_many(self, ids: Sequence[str]) -> list[StoredDocument | None]:
        """Return the documents in the order of ``ids``."""

    def write(self, writes: Sequence[Write]) -> list[Written | AntiphonError]:
        """Apply in order, in one commit; a conflict fails its item only. Durable (fsync) unless configured async."""

    def refresh(self) -> None:
        """Make every acknowledged write searchable; returns when it is."""

    def snapshot(self) -> Snapshot:
        """Return the current snapshot, held for the caller, who closes it."""

    def remap(self, mapping: IndexMapping) -> None:
        """Index later writes by this mapping (it only ever grows)."""

    def configure(self, settings: Mapping[str, Any]) -> None:
        """Take the index's flat settings: refresh interval, durability, analysis."""

    def stats(self) -> IndexStats:
        """Return counts and sizes."""

    def embedded(self) -> EmbeddingCounts:
        """Return the sum of the counts of all that was written."""

    def flush(self) -> None:
        """Seal what is in memory to disk; used by _flush, _forcemerge and close."""

    def force_merge(self) -> None:
        """Merge to as few segments as possible; returns when done."""

    def rebuild(self) -> None:
        """Delete every search structure and derive it anew from the documents; searches go on meanwhile."""


class Engine(Protocol):
    """Every index's data on this node, by uuid."""

    def create(self, uuid: str, mapping: IndexMapping, settings: Mapping[str, Any]) -> IndexStore:
        """Make an empty index; IllegalArgument when its analysis settings cannot be built."""

    def open(self, uuid: str, mapping: IndexMapping, settings: Mapping[str, Any]) -> IndexStore:
        """Return the store, opened (repaired, rebuilt where needed) on first use; DataLost when it cannot be."""

    def scratch(self, mapping: IndexMapping, writes: Sequence[Write]) -> Snapshot:
        """Return a snapshot of nothing but these documents, in memory, which is freed once that is closed."""

    def drop(self, uuid: str) -> None:
        """Delete the data once no snapshot holds it. Idempotent."""

    def known(self) -> list[str]:
        """Return the uuids that have data here."""

    def analyze(self, settings: Mapping[str, Any], request: AnalyzeRequest) -> list[Token]:
        """Return the tokens of a text; IllegalArgument for an unknown analyzer, tokenizer or filter."""

    def check_analysis(self, settings: Mapping[str, Any], analyzers: Sequence[str]) -> None:
        """IllegalArgument when the flat ``index.analysis.*`` settings, or a named analyzer, cannot be built."""

    def close(self) -> None:
        """Seal and close everything. Idempotent."""


class Answer(Protocol):
    """What another server answered."""

    @property
    def status(self) -> int:
        """HTTP's status."""

    @property
    def headers(self) -> Sequence[tuple[str, str]]:
        """Names in lower case, in order; a name may come twice."""

    @property
    def body(self) -> bytes:
        """The content, unpacked."""


class Cluster(Protocol):
    """An OpenSearch cluster. Thread-safe."""

    @property
    def url(self) -> str:
        """Where it is, without user and password."""

    @property
    def authenticates(self) -> bool:
        """True when requests carry a user of the configuration's."""

    def exchange(
        self, method: str, path: str, content: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send bytes, wait, and return the answer; Unavailable when nothing answers.

        ``path`` is encoded and has its query. ``authorization`` among the headers takes the place of the user.
        """


class Gauges(Protocol):
    """What the machine has left; cheap enough to ask on every request."""

    def free_disk_bytes(self) -> int:
        """Free bytes on the file system of the data folder."""

    def memory_percent(self) -> float:
        """This process's resident memory as a percentage (0..100) of what it may use."""


@dataclass(frozen=True, slots=True)
class Ports:
    """The adapters that one process is wired to. ``monotonic`` counts seconds; ``precision`` is for new deploys."""

    catalog: Catalog
    packages: Packages
    loader: EncoderLoader
    gauges: Gauges
    engine: Engine
    clock: Clock
    monotonic: Callable[[], float]
    new_id: NewId
    precision: Precision
