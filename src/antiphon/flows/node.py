"""One running node: every flow, wired to one set of ports, with a beginning and an end."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from antiphon.flows.background import BackgroundTasks
from antiphon.flows.by_query import ByQueryRunner, Matching
from antiphon.flows.catalog_search import CatalogSearcher
from antiphon.flows.configure import Configurator
from antiphon.flows.define import Definer
from antiphon.flows.deploy import Deployer
from antiphon.flows.documents import Documents
from antiphon.flows.embed import Predictor
from antiphon.flows.embedding_report import EmbeddingReports
from antiphon.flows.fingerprint import Fingerprints
from antiphon.flows.indices import Indices
from antiphon.flows.ingest import Ingestor
from antiphon.flows.keep_house import Housekeeper
from antiphon.flows.loaded import LoadedModels
from antiphon.flows.observe import Observer
from antiphon.flows.pipelines import PipelineRunner, Pipelines
from antiphon.flows.ports import Catalog, Ports
from antiphon.flows.register import Registrar
from antiphon.flows.search import Searcher
from antiphon.flows.search_pipelines import SearchPipelines
from antiphon.flows.semantic import SemanticEmbedder
from antiphon.flows.tasks import TaskRunner

_log = logging.getLogger("antiphon")


@dataclass(frozen=True, slots=True)
class Node:
    """The flows of one process. ``catalog`` is for reading."""

    catalog: Catalog
    configurator: Configurator
    tasks: TaskRunner
    deployer: Deployer
    registrar: Registrar
    definer: Definer
    predictor: Predictor
    observer: Observer
    indices: Indices
    pipelines: Pipelines
    pipeline_runner: PipelineRunner
    documents: Documents
    by_query: ByQueryRunner
    background: BackgroundTasks
    searcher: Searcher
    catalog_searcher: CatalogSearcher
    fingerprints: Fingerprints
    embedding_reports: EmbeddingReports
    loaded: LoadedModels
    housekeeper: Housekeeper
    ports: Ports

    @classmethod
    def over(cls, ports: Ports) -> Node:
        """Wire the flows to ``ports``; nothing runs yet."""
        configurator = Configurator(ports)
        tasks = TaskRunner(ports, configurator)
        loaded = LoadedModels(ports.monotonic)
        configurator.on_change(
            lambda now: loaded.resize_windows(int(now.number("plugins.ml_commons.monitoring_request_count")))
        )
        deployer = Deployer(ports, configurator, tasks, loaded)
        predictor = Predictor(ports, configurator, loaded)
        indices = Indices(ports, auto_create=lambda: configurator.current.text("action.auto_create_index"))
        pipelines = Pipelines(ports.catalog)
        runner = PipelineRunner(pipelines, predictor.embed_texts, ports.clock)
        fingerprints = Fingerprints(ports.catalog, loaded, indices)
        pipelines.guard(fingerprints.check_pipeline_change)
        indices.guard_mappings(fingerprints.check_mapping_change)
        semantic = SemanticEmbedder(ports.catalog, predictor.embed_texts)
        ingestor = Ingestor(indices, runner, semantic, fingerprints, ports.new_id)
        documents = Documents(ports, indices, ingestor)
        by_query = ByQueryRunner(indices, documents, Matching(predictor.embed_texts, fingerprints, ports.clock))
        searcher = Searcher(
            ports,
            indices,
            predictor.embed_texts,
            fingerprints,
            SearchPipelines(ports.catalog),
            lambda: int(configurator.current.number("search.max_open_scroll_context")),
        )
        return cls(
            catalog=ports.catalog,
            configurator=configurator,
            tasks=tasks,
            deployer=deployer,
            registrar=Registrar(ports, configurator, tasks, deployer.deploy),
            definer=Definer(ports, configurator, loaded),
            predictor=predictor,
            observer=Observer(ports, loaded, tasks, predictor),
            indices=indices,
            pipelines=pipelines,
            pipeline_runner=runner,
            documents=documents,
            by_query=by_query,
            background=BackgroundTasks(ports, by_query.work),
            searcher=searcher,
            catalog_searcher=CatalogSearcher(ports.engine, searcher),
            fingerprints=fingerprints,
            embedding_reports=EmbeddingReports(indices),
            loaded=loaded,
            housekeeper=Housekeeper(configurator, deployer, loaded, tasks, searcher),
            ports=ports,
        )

    def start(self) -> None:
        """Put right what a dead process left: unfinished tasks fail, half-registered models go, deployed ones load."""
        interrupted = self.tasks.fail_interrupted()
        abandoned = self.registrar.drop_abandoned()
        if interrupted or abandoned:
            _log.warning("failed %d interrupted tasks, dropped %d unfinished registrations", interrupted, abandoned)
        self.indices.start()
        self.deployer.restore()
        self.background.resume(lambda: self.tasks.running() == 0)
        self.housekeeper.start()

    def close(self) -> None:
        """Let running tasks and requests finish, then unload everything. Deployed models stay marked as deployed."""
        self.housekeeper.close()
        self.background.close()
        self.tasks.close()
        self.loaded.close()
        self.searcher.close()
        self.catalog_searcher.close()
        self.ports.engine.close()
