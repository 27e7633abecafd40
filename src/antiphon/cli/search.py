"""``antiphon search``: ask an index in words."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Annotated, Any

import typer
from rich.cells import set_cell_size

from antiphon.cli.filters import parse_filter
from antiphon.cli.index import search_pipeline
from antiphon.cli.rest_client import DEFAULT_URL, RestClient, Url, segment
from antiphon.cli.terminal import columns, say
from antiphon.errors import IllegalArgument

_SNIPPET = 84


@dataclass(frozen=True, slots=True)
class Semantic:
    """How an index is asked semantically: a vector or semantic field, its text, and the model (None: the field's)."""

    field: str
    text: str
    model_id: str | None


def search(
    index: Annotated[str, typer.Argument(help="The index.")],
    text: Annotated[str, typer.Argument(help="What you look for.")],
    hybrid: Annotated[bool, typer.Option("--hybrid", help="Fuse meaning and words.")] = False,
    lexical: Annotated[bool, typer.Option("--lexical", help="Words only (BM25).")] = False,
    filters: Annotated[
        list[str] | None, typer.Option("--filter", "-f", help="field=value, !=, >, >=, <, <=, or a JSON query.")
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
    wanted = [parse_filter(item) for item in filters or []]
    with RestClient(url) as client:
        way = None if lexical else _way(client, index, model, field)
        body = _body(client, index, text, way, wanted, hybrid=hybrid, size=size)
        answer = client.ask("POST", f"/{segment(index)}/_search", body)
    shown = way.text if way is not None else None
    if as_json:
        for hit in answer["hits"]["hits"]:
            typer.echo(json.dumps(hit, ensure_ascii=False))
        return
    _print(answer["hits"], shown)


def _body(
    client: RestClient,
    index: str,
    text: str,
    way: Semantic | None,
    filters: list[dict[str, Any]],
    *,
    hybrid: bool,
    size: int,
) -> dict[str, Any]:
    hidden = [] if way is None else [way.field, "*_semantic_info"]
    body: dict[str, Any] = {"size": size, "_source": {"excludes": hidden}}
    narrowed = {"bool": {"filter": filters}} if filters else None
    if way is None:
        body["query"] = _words(text, _text_fields(client, index), filters)
        return body
    neural: dict[str, Any] = {"query_text": text, "k": max(size, 10)}
    if way.model_id is not None:
        neural["model_id"] = way.model_id
    if narrowed is not None:
        neural["filter"] = narrowed
    body["query"] = {"neural": {way.field: neural}}
    if hybrid:
        body["query"] = {"hybrid": {"queries": [_words(text, [way.text], filters), body["query"]]}}
        body["search_pipeline"] = {
            "phase_results_processors": search_pipeline("")["phase_results_processors"],
        }
    return body


def _words(text: str, fields: list[str], filters: list[dict[str, Any]]) -> dict[str, Any]:
    if len(fields) == 1:
        match: dict[str, Any] = {"match": {fields[0]: {"query": text}}}
    else:
        match = {"multi_match": {"query": text, "fields": fields}}
    return {"bool": {"must": [match], "filter": filters}} if filters else match


def _text_fields(client: RestClient, index: str) -> list[str]:
    properties = _mapping(client, index)
    found = [name for name, spec in properties.items() if spec.get("type") in ("text", "semantic")]
    if not found:
        raise IllegalArgument(f"[{index}] has no text field to search for words")
    return found


def _mapping(client: RestClient, index: str) -> dict[str, Any]:
    answer = client.ask("GET", f"/{segment(index)}/_mapping")
    properties: dict[str, Any] = {}
    for one in answer.values():
        properties |= one["mappings"].get("properties", {})
    return properties


def _way(client: RestClient, index: str, model: str | None, field: str | None) -> Semantic:
    """Find out from mapping and pipeline which field is searched and by which model."""
    properties = _mapping(client, index)
    ways = [Semantic(name, name, model) for name, spec in properties.items() if spec.get("type") == "semantic"]
    for target, (source, model_id) in _embedded(client, index).items():
        if properties.get(target, {}).get("type") == "knn_vector":
            ways.append(Semantic(target, source, model or model_id))
    if field is not None:
        ways = [way for way in ways if way.field == field] or ([Semantic(field, field, model)] if model else [])
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


def _embedded(client: RestClient, index: str) -> dict[str, tuple[str, str]]:
    """Return vector field -> (text field, model id) of the default pipelines."""
    found: dict[str, tuple[str, str]] = {}
    for one in client.ask("GET", f"/{segment(index)}/_settings").values():
        name = one["settings"]["index"].get("default_pipeline")
        answer = client.find(f"/_ingest/pipeline/{segment(name)}") if name and name != "_none" else None
        for pipeline in (answer or {}).values():
            for processor in pipeline.get("processors", []):
                options = processor.get("text_embedding", {})
                for source, target in options.get("field_map", {}).items():
                    if isinstance(target, str):
                        found[target] = (source, options["model_id"])
    return found


def _print(hits: dict[str, Any], text_field: str | None) -> None:
    if not hits["hits"]:
        say("nothing found")
        return
    rows = [["", "score", "id", "text"]]
    for number, hit in enumerate(hits["hits"], 1):
        shown = _snippet(hit.get("_source", {}), text_field)
        rows.append([str(number), f"{hit['_score']:.4f}", str(hit["_id"])[:40], shown])
    for line in columns([[row[0], row[2], row[3], row[1]] for row in rows], left=3):
        typer.echo(line)


def _snippet(source: dict[str, Any], text_field: str | None) -> str:
    value = source.get(text_field) if text_field else None
    if value is None:
        value = next((item for item in source.values() if isinstance(item, str)), source)
    words = " ".join((value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)).split())
    return set_cell_size(words, _SNIPPET - 3).rstrip() + "..." if len(words) > _SNIPPET else words
