"""``antiphon index``: create, list, delete and rebuild indexes on a server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from antiphon.cli.rest_client import DEFAULT_URL, RestClient, Url, segment
from antiphon.cli.terminal import columns, say
from antiphon.errors import AntiphonError, IllegalArgument

group = typer.Typer(help="Create, list, delete and rebuild indexes on a server.", no_args_is_help=True)

_ML = "/_plugins/_ml"
Name = Annotated[str, typer.Argument(help="The index.")]


@group.command()
def create(
    name: Name,
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="Id of the deployed model; may be left out when there is one.")
    ] = None,
    text_field: Annotated[str, typer.Option(help="The field whose text is embedded.")] = "text",
    vector_field: Annotated[str, typer.Option(help="The field that holds the vector.")] = "embedding",
    space_type: Annotated[str, typer.Option(help="How vectors are compared.")] = "cosinesimil",
    lexical: Annotated[bool, typer.Option("--lexical", help="Without vectors, for full text only.")] = False,
    body: Annotated[
        Path | None, typer.Option("--body", help="A JSON file with settings and mappings of your own instead.")
    ] = None,
    url: Url = DEFAULT_URL,
) -> None:
    """Create an index that embeds what is written to it, with the pipelines this takes."""
    with RestClient(url) as client:
        if body is not None:
            _put_index(client, name, _read(body))
        elif lexical:
            _put_index(client, name, {"mappings": {"properties": {text_field: {"type": "text"}}}})
        else:
            _create_semantic(client, name, _deployed(client, model), text_field, vector_field, space_type)


@group.command("list")
def list_(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON array.")] = False, url: Url = DEFAULT_URL
) -> None:
    """List the indexes with their documents and sizes."""
    with RestClient(url) as client:
        rows = client.ask("GET", "/_cat/indices?format=json&s=index")
    if as_json:
        typer.echo(json.dumps(rows))
        return
    if not rows:
        say("no index yet: `antiphon index create NAME`")
        return
    heads = ["index", "health", "status", "docs.count", "store.size"]
    for line in columns([heads, *([str(row.get(head) or "") for head in heads] for row in rows)], left=3):
        typer.echo(line)


@group.command()
def delete(
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    url: Url = DEFAULT_URL,
) -> None:
    """Delete an index with its documents, and the pipelines that `create` made for it."""
    with RestClient(url) as client:
        count = client.ask("GET", f"/{segment(name)}/_count")["count"]
        if not yes:
            typer.confirm(f"delete [{name}] with {count} documents?", abort=True)
        client.ask("DELETE", f"/{segment(name)}")
        for kind in ("_ingest", "_search"):
            status, answer, _ = client.send("DELETE", f"/{kind}/pipeline/{segment(_pipeline(name))}")
            if status not in (200, 404):
                raise AntiphonError(f"the index is gone, its {kind[1:]} pipeline is not: {answer}")
    say(f"deleted [{name}] with {count} documents")


@group.command()
def rebuild(name: Name, url: Url = DEFAULT_URL) -> None:
    """Derive an index's search structures anew from its documents."""
    with RestClient(url) as client:
        answer = client.ask("POST", f"/{segment(name)}/_antiphon/rebuild")
    say(f"rebuilt [{name}]: {answer.get('documents', 'all')} documents")


def _create_semantic(
    client: RestClient, name: str, model: dict[str, Any], text_field: str, vector_field: str, space_type: str
) -> None:
    if client.find(f"/{segment(name)}") is not None:
        raise IllegalArgument(f"index [{name}] already exists")
    model_id, dimension = model["id"], model["model_config"]["embedding_dimension"]
    pipeline = _pipeline(name)
    embedding = {"text_embedding": {"model_id": model_id, "field_map": {text_field: vector_field}}}
    client.ask("PUT", f"/_ingest/pipeline/{segment(pipeline)}", {"processors": [embedding]})
    client.ask("PUT", f"/_search/pipeline/{segment(pipeline)}", search_pipeline(model_id))
    vector = {
        "type": "knn_vector",
        "dimension": dimension,
        "method": {"name": "hnsw", "engine": "faiss", "space_type": space_type},
    }
    body = {
        "settings": {
            "index.knn": True,
            "index.default_pipeline": pipeline,
            "index.search.default_pipeline": pipeline,
            "index.number_of_replicas": 0,
        },
        "mappings": {"properties": {text_field: {"type": "text"}, vector_field: vector}},
    }
    try:
        _put_index(client, name, body)
    except AntiphonError:
        for kind in ("_ingest", "_search"):
            client.send("DELETE", f"/{kind}/pipeline/{segment(pipeline)}")
        raise
    say(f"model [{model_id}], {dimension} dimensions: [{text_field}] is embedded into [{vector_field}]")
    say(f"next: antiphon ingest {name} FILES, then antiphon search {name} TEXT")


def search_pipeline(model_id: str) -> dict[str, Any]:
    """Return the search pipeline of a semantic index: its model as the default, and how hybrid scores are fused."""
    return {
        "request_processors": [{"neural_query_enricher": {"default_model_id": model_id}}],
        "phase_results_processors": [
            {
                "normalization-processor": {
                    "normalization": {"technique": "min_max"},
                    "combination": {"technique": "arithmetic_mean"},
                }
            }
        ],
    }


def _deployed(client: RestClient, wanted: str | None) -> dict[str, Any]:
    """Return the document of the model to use, with its ``id``."""
    if wanted is not None:
        model = client.find(f"{_ML}/models/{segment(wanted)}")
        if model is None:
            raise IllegalArgument(f"there is no model [{wanted}] on {client.url}")
        return {**model, "id": wanted}
    query = {"query": {"term": {"model_state": "DEPLOYED"}}, "size": 20}
    hits = client.ask("POST", f"{_ML}/models/_search", query)["hits"]["hits"]
    found = [{**hit["_source"], "id": hit["_id"]} for hit in hits if hit["_source"].get("model_config")]
    if not found:
        raise IllegalArgument(
            "no model is deployed there: start the server with `antiphon serve --model multilingual-e5-small`, deploy "
            "one, or create the index with --lexical"
        )
    if len(found) > 1:
        raise IllegalArgument(f"several models are deployed, choose with --model: {', '.join(m['id'] for m in found)}")
    return found[0]


def _put_index(client: RestClient, name: str, body: Any) -> None:
    client.ask("PUT", f"/{segment(name)}", body)
    say(f"created [{name}] on {client.url}")


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, UnicodeDecodeError) as error:
        raise IllegalArgument(f"[{path}] is not JSON: {error}") from None


def _pipeline(name: str) -> str:
    return f"{name}-semantic"
