"""How does it move to another server? Push, pull and compare, over REST on both sides."""

from antiphon.transfer.cargo import Cargo, load_cargo
from antiphon.transfer.connect import connect
from antiphon.transfer.journal import Journal
from antiphon.transfer.models import SourceModel, compare_vectors
from antiphon.transfer.parity import Options
from antiphon.transfer.place import How
from antiphon.transfer.pull import Wanted, pull
from antiphon.transfer.push import diff, push
from antiphon.transfer.side import Side
from antiphon.transfer.source import from_package, from_server

__all__ = [
    "Cargo",
    "How",
    "Journal",
    "Options",
    "Side",
    "SourceModel",
    "Wanted",
    "compare_vectors",
    "connect",
    "diff",
    "from_package",
    "from_server",
    "load_cargo",
    "pull",
    "push",
]
