"""Documents over an engine in memory, with a deployed model of hashed vectors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from antiphon.domain.bulk import Action, BulkReport, Done, Failed, Operation, Outcome
from antiphon.domain.model import ModelConfig
from antiphon.flows.documents import Documents, Refresh
from antiphon.flows.embedding_report import EmbeddingReports
from antiphon.flows.fingerprint import Fingerprints
from antiphon.flows.indices import Indices
from antiphon.flows.ingest import Ingestor
from antiphon.flows.pipelines import PipelineRunner, Pipelines
from antiphon.flows.semantic import SemanticEmbedder
from antiphon.wire.bulk import BulkDefaults, read_bulk
from antiphon.wire.document import read_update
from antiphon.wire.index import read_create
from tests.flows.conftest import Bench


@dataclass
class DocumentBench:
    """The flows that documents need, wired as a node wires them; ``calls`` are the model calls: texts of each."""

    bench: Bench
    indices: Indices
    pipelines: Pipelines
    runner: PipelineRunner
    documents: Documents
    fingerprints: Fingerprints
    reports: EmbeddingReports
    calls: list[list[str]]

    @classmethod
    def over(cls, bench: Bench) -> DocumentBench:
        node, ports = bench.node, bench.node.ports
        calls: list[list[str]] = []

        def embed(model_id: str, texts: Any, role: Any) -> Any:
            calls.append(list(texts))
            return node.predictor.embed_texts(model_id, texts, role)

        runner = PipelineRunner(node.pipelines, embed, ports.clock)
        fingerprints = Fingerprints(ports.catalog, node.loaded, node.indices)
        semantic = SemanticEmbedder(ports.catalog, embed)
        ingestor = Ingestor(node.indices, runner, semantic, fingerprints, ports.new_id)
        documents = Documents(ports, node.indices, ingestor)
        return cls(
            bench, node.indices, node.pipelines, runner, documents, fingerprints, EmbeddingReports(node.indices), calls
        )

    def model(self, config: ModelConfig) -> str:
        """Register and deploy the tiny model with another configuration; return its id."""
        self.bench.allow()
        registered = self.bench.finish(self.bench.node.registrar.register(self.bench.registration(model_config=config)))
        assert registered.model_id is not None
        assert self.bench.finish(self.bench.node.deployer.deploy(registered.model_id)).error is None
        return registered.model_id

    def create(self, name: str, **body: Any) -> None:
        self.indices.create(name, read_create(body))

    def pipeline(self, name: str, model_id: str, fields: dict[str, Any] | None = None) -> None:
        processor = {"text_embedding": {"model_id": model_id, "field_map": fields or {"text": "vec"}}}
        self.pipelines.put(name, {"processors": [processor]})

    def put(self, index: str, doc_id: str | None, source: dict[str, Any], **options: Any) -> Done:
        action = Action(Operation.INDEX, index, doc_id, orjson.dumps(source), **options)
        return self.documents.one(action)[0]

    def create_doc(self, index: str, doc_id: str, source: dict[str, Any]) -> Done:
        return self.documents.one(Action(Operation.CREATE, index, doc_id, orjson.dumps(source)))[0]

    def delete(self, index: str, doc_id: str, **options: Any) -> Done:
        return self.documents.one(Action(Operation.DELETE, index, doc_id, **options))[0]

    def update(self, index: str, doc_id: str, body: dict[str, Any], **options: Any) -> Done:
        update = read_update(orjson.dumps(body))
        action = Action(Operation.UPDATE, index, doc_id, update=update, fetch=update.fetch, **options)
        return self.documents.one(action)[0]

    def bulk(self, *lines: dict[str, Any], refresh: Refresh = Refresh.FALSE, **defaults: Any) -> BulkReport:
        body = b"".join(orjson.dumps(line) + b"\n" for line in lines)
        return self.documents.bulk(read_bulk(body, BulkDefaults(**defaults)), refresh)

    def source(self, index: str, doc_id: str) -> dict[str, Any] | None:
        _, found = self.documents.get(index, doc_id)
        return None if found is None else orjson.loads(found.source)


def results(outcomes: list[Outcome]) -> list[str]:
    """``result`` of each outcome, or the type of its error."""
    return [one.error.type if isinstance(one, Failed) else one.result for one in outcomes]


VECTOR = {"type": "knn_vector", "dimension": 8}
KNN = {"index.knn": True}
