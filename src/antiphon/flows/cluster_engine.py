"""A cluster as the engine: models run here, documents and search live there."""

from __future__ import annotations

from dataclasses import dataclass

from antiphon.domain.banner import opensearch_version
from antiphon.errors import IllegalArgument, Unavailable, reason_of
from antiphon.flows.cluster_book import ClusterBook, Headers, parsed
from antiphon.flows.cluster_mappings import ClusterMappings
from antiphon.flows.cluster_search import ClusterSearches
from antiphon.flows.cluster_writes import ClusterWrites, ReadUpdate, Tools
from antiphon.flows.node import Node
from antiphon.flows.pipelines import PipelineRunner
from antiphon.flows.ports import Answer, Cluster
from antiphon.flows.semantic import SemanticEmbedder


@dataclass(frozen=True, slots=True)
class ClusterEngine:
    """The flows that stand between a client and its cluster. They keep nothing but what a second may forget."""

    cluster: Cluster
    book: ClusterBook
    searches: ClusterSearches
    writes: ClusterWrites
    mappings: ClusterMappings
    node: Node

    @classmethod
    def over(cls, cluster: Cluster, node: Node, read_update: ReadUpdate) -> ClusterEngine:
        """Wire the flows to a cluster and to the node that runs the models."""
        ports = node.ports
        book = ClusterBook(cluster, ports.monotonic)
        embed = node.predictor.embed_texts
        semantic = SemanticEmbedder(ports.catalog, embed)
        return cls(
            cluster,
            book,
            ClusterSearches(book, embed, node.fingerprints),
            ClusterWrites(
                Tools(cluster, book, embed, semantic, node.fingerprints, read_update, ports.clock, ports.monotonic)
            ),
            ClusterMappings(ports.catalog, book, node.fingerprints),
            node,
        )

    def runner(self, headers: Headers) -> PipelineRunner:
        """Return what runs the cluster's pipelines here, for ``_simulate``."""
        return PipelineRunner(self.book.seen_by(headers), self.node.predictor.embed_texts, self.node.ports.clock)

    def check(self) -> None:
        """AntiphonError, in one line, when the cluster does not answer or does not let us in."""
        answer = self.cluster.exchange("GET", "/")
        if answer.status in (401, 403):
            how = "give one as https://user@host:9200, its password in ANTIPHON_CLUSTER_PASSWORD"
            if self.cluster.authenticates:
                how = "check user and password"
            raise IllegalArgument(f"{self.cluster.url} answered {answer.status}, it does not let us in: {how}")
        found = parsed(answer)
        if answer.status >= 300:
            raise Unavailable(f"the cluster at {self.cluster.url} answered {answer.status}: {reason_of(found)}")
        opensearch_version(self.cluster.url, found)

    def forward(self, method: str, target: str, body: bytes, headers: Headers) -> Answer:
        """Send a request on as it came; Unavailable when the cluster does not answer."""
        return self.cluster.exchange(method, target, body or None, headers)
