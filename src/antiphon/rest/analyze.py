"""The handler of ``_analyze``."""

from __future__ import annotations

from dataclasses import replace

from antiphon.domain.field import Family
from antiphon.errors import IllegalArgument
from antiphon.rest.call import Call, Reply, Route
from antiphon.wire.analyze import read_analyze, write_tokens

_QUERY = frozenset({"analyzer", "text", "field", "tokenizer", "normalizer"})


def analyze(call: Call) -> Reply:
    """The tokens of a text, by an analyzer of the node, of an index, or of one of its fields."""
    body = call.json_or({})
    request, field = read_analyze(
        {key: call.query[key] for key in _QUERY if key in call.query} | body if isinstance(body, dict) else body
    )
    name = call.params.get("index")
    if name is None and field is not None:
        raise IllegalArgument("analysis based on a specific field requires an index")
    index = None if name is None else call.node.indices.get(name)
    settings = {} if index is None else index.settings
    if index is not None and field is not None:
        found = index.mapping.field(field)
        analyzer = found.analyzer if found is not None and found.family is Family.TEXT else "keyword"
        request = replace(request, analyzer="standard" if found is None else analyzer)
    elif request.analyzer is None and request.tokenizer is None and request.normalizer is None:
        plain = not request.filters and not request.char_filters
        default = "default" if "index.analysis.analyzer.default.type" in settings else "standard"
        request = replace(request, analyzer=default) if plain else replace(request, tokenizer="keyword")
    return Reply(write_tokens(call.node.ports.engine.analyze(settings, request)))


ANALYZE_ROUTES: tuple[Route, ...] = (
    Route("GET POST", "/_analyze", analyze, _QUERY),
    Route("GET POST", "/{index}/_analyze", analyze, _QUERY),
)
