"""What happens? The verbs: register, deploy, embed, define, configure, observe. Owns the ports they need."""

from antiphon.flows.catalog_search import Listed
from antiphon.flows.cluster_engine import ClusterEngine
from antiphon.flows.cluster_search import ClusterSearch
from antiphon.flows.cluster_writes import ClusterBulk, ClusterReport
from antiphon.flows.documents import Refresh
from antiphon.flows.embed import TextEmbedder
from antiphon.flows.node import Node
from antiphon.flows.pipelines import PipelineRunner
from antiphon.flows.ports import Answer, Gauges, Ports, StagedZip, Stored
from antiphon.flows.search import SearchRequest
from antiphon.flows.search_contexts import keep_alive_ms
from antiphon.flows.templates import Templates

__all__ = [
    "Answer",
    "ClusterBulk",
    "ClusterEngine",
    "ClusterReport",
    "ClusterSearch",
    "Gauges",
    "Listed",
    "Node",
    "PipelineRunner",
    "Ports",
    "Refresh",
    "SearchRequest",
    "StagedZip",
    "Stored",
    "Templates",
    "TextEmbedder",
    "keep_alive_ms",
]
