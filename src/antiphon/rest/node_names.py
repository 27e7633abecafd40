"""Whether a node expression of a path means the one node there is."""

from __future__ import annotations

from antiphon.domain.pattern import star_pattern
from antiphon.rest.call import Call

ROLES = ("cluster_manager", "data", "ingest", "ml")
_WORDS = frozenset({"_all", "_local", "_cluster_manager", "_master"})


def means_this_node(call: Call, expression: str | None = None) -> bool:
    """True when an expression (that of the path when None) is empty or means this node: by its id, name or host, a
    pattern of them, a word such as ``_local``, or ``role:true``.

    Words are taken one after the other, so that ``_all,data:false`` leaves the node out.
    """
    words = call.words("node_id") if expression is None else [word for word in expression.split(",") if word]
    host = call.identity.address.rpartition(":")[0]
    names = (call.node.catalog.node_id(), call.identity.node_name, host)
    here = not words
    for word in words:
        role, _, flag = word.partition(":")
        if word in _WORDS or any(star_pattern(word).fullmatch(name) for name in names):
            here = True
        elif role in ROLES and flag in ("true", "false"):
            here = flag == "true"
    return here
