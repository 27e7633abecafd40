"""``antiphon search``: ask an index in words."""

from __future__ import annotations

import json
import shutil
import unicodedata
from dataclasses import dataclass
from typing import Annotated, Any

import typer
from rich.cells import cell_len, set_cell_size

from antiphon.cli.filters import parse_filter
from antiphon.cli.index import search_pipeline
from antiphon.cli.servers import Url, opened
from antiphon.cli.terminal import columns, say
from antiphon.cli.writer import OWN
from antiphon.errors import IllegalArgument
from antiphon.remote import DEFAULT_URL, RestClient, segment
from antiphon.transfer import Side
from antiphon.wire.mapping_fields import read_fields, text_fields, vector_fields

_LONGEST_ID = 40
_NARROWEST, _WIDEST = 24, 100
_BESIDE = 22
"""Columns that number, score and gaps take beside id and text."""


@dataclass(frozen=True, slots=True)
class Semantic:
    """How an index is asked by meaning: vector or semantic field, its text if known, the model (None: its own)."""

    field: str
    text: str | None
    model_id: str | None


def search(
    index: Annotated[str, typer.Argument(help="The index.")],
    text: Annotated[str, typer.Argument(help="What you look for.")],
    hybrid: Annotated[bool, typer.Option("--hybrid", help="Fuse words (weight 0.3) and meaning (0.7).")] = False,
    lexical: Annotated[bool, typer.Option("--lexical", help="Words only (BM25).")] = False,
    filters: Annotated[
        list[str] | None,
        typer.Option("--filter", "-f", help="field=value, !=, >, >=, <, <=, or a JSON query; repeatable."),
    ] = None,
    size: Annotated[int, typer.Option("--size", "-n", min=1, max=1000, help="How many.")] = 10,
    model: Annotated[str | None, typer.Option("--model", "-m", help="Model id, when the index does not tell.")] = None,
    field: Annotated[str | None, typer.Option(help="Vector or semantic field, when there are several.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per hit.")] = False,
    url: Url = DEFAULT_URL,
) -> None:
    """Search an index by meaning, by words, or both, and print the best documents."""
    if hybrid and lexical:
        raise IllegalArgument("--hybrid and --lexical exclude each other")
    if lexical and (model or field):
        raise IllegalArgument("--lexical searches for words in all texts: leave out --model and --field")
    if not text.strip():
        raise IllegalArgument("the text to look for is empty")
    with opened(url) as client:
        mappings = client.ask("GET", f"/{segment(index)}/_mapping")
        fields = read_fields(mappings)
        way = None if lexical else _way(client, index, mappings, model, field)
        narrowed = [parse_filter(item, fields) for item in filters or []]
        words = _words(text, _searched(index, fields, way), narrowed) if hybrid or lexical else {}
        if way is None:
            body: dict[str, Any] = {"query": words}
        else:
            vector = _vector(client, way, text)
            body = _semantic(_meaning(text, way, narrowed, vector, size=size), words)
        body |= {"size": size, "_source": {"excludes": [*vector_fields(mappings), "*_semantic_info"]}}
        hits = client.ask("POST", f"/{segment(index)}/_search", body)["hits"]["hits"]
    if as_json:
        for hit in hits:
            typer.echo(json.dumps(hit, ensure_ascii=False))
        return
    _print(hits, way.text if way is not None else None)


def _semantic(meaning: dict[str, Any], words: dict[str, Any]) -> dict[str, Any]:
    """The body of a search by meaning; a hybrid one when there are ``words``."""
    if not words:
        return {"query": meaning}
    return {
        "query": {"hybrid": {"queries": [words, meaning]}},
        "search_pipeline": {"phase_results_processors": search_pipeline("")["phase_results_processors"]},
    }


def _meaning(
    text: str, way: Semantic, filters: list[dict[str, Any]], vector: list[float] | None, *, size: int
) -> dict[str, Any]:
    """The query by meaning: the server embeds the text, unless its ``vector`` is here already."""
    asked: dict[str, Any] = {"k": max(size, 10)}
    if filters:
        asked["filter"] = {"bool": {"filter": filters}}
    if vector is not None:
        return {"knn": {way.field: asked | {"vector": vector}}}
    asked["query_text"] = text
    if way.model_id is not None:
        asked["model_id"] = way.model_id
    return {"neural": {way.field: asked}}


def _vector(client: RestClient, way: Semantic, text: str) -> list[float] | None:
    """Return the vector of a query by ``_predict`` where neural queries cannot say that it is one: before 3.5."""
    side = Side.read(client, "there")
    if way.model_id is None or side.searches_by_roles:
        return None
    model = client.find(f"/_plugins/_ml/models/{segment(way.model_id)}") or {}
    config = model.get("model_config") or {}
    if "query_prefix" not in config and "passage_prefix" not in config:
        return None
    vector: list[float] = side.predict(way.model_id, [text], "query")[0].tolist()
    return vector


def _words(text: str, fields: list[str], filters: list[dict[str, Any]]) -> dict[str, Any]:
    if len(fields) == 1:
        match: dict[str, Any] = {"match": {fields[0]: {"query": text}}}
    else:
        match = {"multi_match": {"query": text, "fields": fields}}
    return {"bool": {"must": [match], "filter": filters}} if filters else match


def _searched(index: str, fields: dict[str, str], way: Semantic | None) -> list[str]:
    found = [way.text] if way and way.text else text_fields(fields)
    if not found:
        raise IllegalArgument(f"[{index}] has no text field to search for words")
    return found


def _properties(mappings: dict[str, Any]) -> dict[str, Any]:
    return {name: spec for one in mappings.values() for name, spec in one["mappings"].get("properties", {}).items()}


def _way(client: RestClient, index: str, mappings: dict[str, Any], model: str | None, field: str | None) -> Semantic:
    """Find out from mapping and pipeline which field is searched and by which model."""
    properties = _properties(mappings)
    ways = [Semantic(name, name, model) for name, spec in properties.items() if spec.get("type") == "semantic"]
    for target, (source, model_id) in _embedded(client, index).items():
        if properties.get(target, {}).get("type") == "knn_vector":
            ways.append(Semantic(target, source, model or model_id))
    if field is not None and ways and model is None and field not in (way.field for way in ways):
        there = ", ".join(way.field for way in ways)
        raise IllegalArgument(f"[{index}] is not searched by meaning in [{field}], but in: {there}")
    if field is not None:
        ways = [way for way in ways if way.field == field] or ([Semantic(field, None, model)] if model else [])
    if not ways:
        raise IllegalArgument(
            f"[{index}] does not say which field is searched by meaning: it has no semantic field and no default "
            "pipeline with text_embedding; name --field and --model, or search for words with --lexical"
        )
    if len(ways) > 1:
        raise IllegalArgument(
            f"[{index}] can be searched by several fields: {', '.join(way.field for way in ways)}; choose with --field"
        )
    return ways[0]


def embedded_fields(client: RestClient, index: str) -> set[str]:
    """Return the fields whose text is embedded when a document is written."""
    properties = _properties(client.ask("GET", f"/{segment(index)}/_mapping"))
    semantic = {name for name, spec in properties.items() if spec.get("type") == "semantic"}
    return semantic | {source for source, _ in _embedded(client, index).values()}


def _embedded(client: RestClient, index: str) -> dict[str, tuple[str, str]]:
    """Return vector field -> (text field, model id for queries) of the default pipelines.

    The model is that of the search pipeline where it names one: it may be another than the one that embeds passages.
    """
    found: dict[str, tuple[str, str]] = {}
    for one in client.ask("GET", f"/{segment(index)}/_settings").values():
        settings = one["settings"]["index"]
        asking = _asking(_pipeline(client, "_search", (settings.get("search") or {}).get("default_pipeline")))
        for processor in _pipeline(client, "_ingest", settings.get("default_pipeline")).get("processors", []):
            options = processor.get("text_embedding", {})
            for source, target in options.get("field_map", {}).items():
                if isinstance(target, str):
                    found[target] = (source, asking.get(target) or asking.get("") or options["model_id"])
    return found


def _pipeline(client: RestClient, kind: str, name: str | None) -> dict[str, Any]:
    answer = client.find(f"/{kind}/pipeline/{segment(name)}") if name and name != "_none" else None
    body: dict[str, Any] = (answer or {}).get(name) or {}
    return body


def _asking(search_pipeline: dict[str, Any]) -> dict[str, str]:
    """Return field -> id of the model that embeds queries; the empty name is every other field."""
    found: dict[str, str] = {}
    for processor in search_pipeline.get("request_processors", []):
        options = processor.get("neural_query_enricher", {})
        if "default_model_id" in options:
            found[""] = options["default_model_id"]
        found |= options.get("neural_field_default_id", {})
    return found


def _print(hits: list[dict[str, Any]], text_field: str | None) -> None:
    if not hits:
        say("nothing found")
        return
    ids = [_clean(str(hit["_id"]), _LONGEST_ID) for hit in hits]
    width = shutil.get_terminal_size((100, 24)).columns - max(map(cell_len, ids)) - _BESIDE
    width = min(max(width, _NARROWEST), _WIDEST)
    rows = [["", "id", "text", "score"]]
    for number, (id_, hit) in enumerate(zip(ids, hits, strict=True), 1):
        rows.append([str(number), id_, _snippet(hit.get("_source", {}), text_field, width), f"{hit['_score']:.4f}"])
    for line in columns(rows, left=3):
        typer.echo(line)


def _snippet(source: dict[str, Any], text_field: str | None, width: int) -> str:
    """The searched text, else the longest one; of a document without texts, its JSON."""
    value = source.get(text_field) if text_field else None
    if not isinstance(value, str):
        texts = [item for name, item in source.items() if isinstance(item, str) and name != OWN]
        value = max(texts, key=len, default=json.dumps(source, ensure_ascii=False))
    return _clean(value, width)


def _clean(text: str, width: int) -> str:
    """The text in one line of at most ``width`` columns, without characters that would steer the terminal."""
    words = " ".join("".join(c if unicodedata.category(c)[0] != "C" else " " for c in text[: 8 * width]).split())
    whole = len(text) <= 8 * width and cell_len(words) <= width
    return words if whole else set_cell_size(words, max(min(cell_len(words), width - 3), 0)).rstrip() + "..."
