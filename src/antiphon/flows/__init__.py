"""What happens? The verbs: register, deploy, embed, define, configure, observe. Owns the ports they need."""

from antiphon.flows.documents import Refresh
from antiphon.flows.embed import TextEmbedder
from antiphon.flows.node import Node
from antiphon.flows.ports import Gauges, Ports, StagedZip, Stored

__all__ = ["Gauges", "Node", "Ports", "Refresh", "StagedZip", "Stored", "TextEmbedder"]
