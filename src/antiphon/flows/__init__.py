"""What happens? The verbs: register, deploy, embed, define, configure, observe. Owns the ports they need."""

from antiphon.flows.documents import Refresh
from antiphon.flows.embed import TextEmbedder
from antiphon.flows.node import Node
from antiphon.flows.ports import Gauges, Ports, StagedZip, Stored
from antiphon.flows.search import SearchRequest
from antiphon.flows.search_contexts import keep_alive_ms

__all__ = [
    "Gauges",
    "Node",
    "Ports",
    "Refresh",
    "SearchRequest",
    "StagedZip",
    "Stored",
    "TextEmbedder",
    "keep_alive_ms",
]
