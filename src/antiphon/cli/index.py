"""``antiphon index``: create, list, delete and rebuild indexes on a server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from antiphon.cli.servers import Url, opened
from antiphon.cli.terminal import columns, path_option, say
from antiphon.errors import AntiphonError, IllegalArgument, reason_of
from antiphon.remote import DEFAULT_URL, RestClient, one_index, segment

group = typer.Typer(help="Create, list, delete and rebuild indexes on a server.", no_args_is_help=True)

HYBRID_WEIGHTS = [0.3, 0.7]
"""What words and meaning count in a hybrid search, in this order."""
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
    engine: Annotated[
        str | None,
        typer.Option(help="What a cluster keeps vectors with: lucene or faiss; on Antiphon without effect."),
    ] = None,
    lexical: Annotated[bool, typer.Option("--lexical", help="Without vectors, for full text only.")] = False,
    fields: Annotated[
        list[str] | None, typer.Option("--field", help="Another field and its type, as year=integer; repeatable.")
    ] = None,
    body: Annotated[
        Path | None, path_option("--body", help="A JSON file with settings and mappings of your own instead.")
    ] = None,
    url: Url = DEFAULT_URL,
) -> None:
    """Create an index that embeds what is written to it, with the pipelines this takes."""
    if body is not None and (lexical or fields or model):
        raise IllegalArgument("--body says everything by itself: leave out --lexical, --field and --model")
    if lexical and model:
        raise IllegalArgument("--lexical and --model exclude each other")
    one_index(name)
    properties = {text_field: {"type": "text"}} | dict(map(_field, fields or []))
    with opened(url) as client:
        if body is not None:
            _put_index(client, name, _read(body))
        elif lexical:
            _put_index(client, name, {"mappings": {"properties": properties}})
        else:
            method = {"name": "hnsw", "engine": engine or _engine(client), "space_type": space_type}
            vector = {"type": "knn_vector", "method": method}
            _create_semantic(client, name, _deployed(client, model), text_field, properties | {vector_field: vector})


@group.command("list")
def list_(
    shows_all: Annotated[bool, typer.Option("--all", "-a", help="Also those whose name begins with a dot.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON array.")] = False,
    url: Url = DEFAULT_URL,
) -> None:
    """List the indexes with their documents and sizes."""
    with opened(url) as client:
        rows = client.ask("GET", "/_cat/indices?format=json&s=index")
    rows = [row for row in rows if shows_all or not row["index"].startswith(".")]
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
    path, pipeline = f"/{segment(one_index(name))}", _pipeline(name)
    with opened(url) as client:
        count = client.ask("GET", f"{path}/_count")["count"]
        made = any(_default_pipeline(one) == pipeline for one in client.ask("GET", f"{path}/_settings").values())
        if not yes:
            typer.confirm(f"delete [{name}] with {count} documents?", abort=True, err=True)
        client.ask("DELETE", path)
        for kind in ("_ingest", "_search") if made else ():
            status, answer, _ = client.send("DELETE", f"/{kind}/pipeline/{segment(pipeline)}")
            if status not in (200, 404):
                raise AntiphonError(f"the index is gone, its {kind[1:]} pipeline is not: {reason_of(answer)}")
    say(f"deleted [{name}] with {count} documents")


@group.command()
def rebuild(name: Name, url: Url = DEFAULT_URL) -> None:
    """Derive an index's search structures anew from its documents."""
    path = f"/{segment(one_index(name))}"
    with opened(url) as client:
        if "antiphon" not in client.ask("GET", "/")["version"]:
            raise IllegalArgument(f"{client.url} is an OpenSearch cluster, which has no rebuild: reindex [{name}]")
        client.ask("POST", f"{path}/_antiphon/rebuild")
        count = client.ask("GET", f"{path}/_count")["count"]
    say(f"rebuilt [{name}] from its {count} documents")


def _create_semantic(
    client: RestClient, name: str, model: dict[str, Any], text_field: str, properties: dict[str, Any]
) -> None:
    """Make the pipelines, then the index; ``properties`` hold one knn_vector, which gets the model's dimension."""
    if client.find(f"/{segment(name)}") is not None:
        raise IllegalArgument(f"index [{name}] already exists")
    model_id, dimension = model["id"], model["model_config"]["embedding_dimension"]
    pipeline = _pipeline(name)
    vector_field = next(field for field, spec in properties.items() if spec["type"] == "knn_vector")
    embedding = {"text_embedding": {"model_id": model_id, "field_map": {text_field: vector_field}}}
    client.ask("PUT", f"/_ingest/pipeline/{segment(pipeline)}", {"processors": [embedding]})
    client.ask("PUT", f"/_search/pipeline/{segment(pipeline)}", search_pipeline(model_id))
    body = {
        "settings": {
            "index.knn": True,
            "index.default_pipeline": pipeline,
            "index.search.default_pipeline": pipeline,
            "index.number_of_replicas": 0,
        },
        "mappings": {"properties": properties | {vector_field: {**properties[vector_field], "dimension": dimension}}},
    }
    try:
        _put_index(client, name, body)
    except AntiphonError:
        for kind in ("_ingest", "_search"):
            client.send("DELETE", f"/{kind}/pipeline/{segment(pipeline)}")
        raise
    say(f"model [{model_id}], {dimension} dimensions: [{text_field}] is embedded into [{vector_field}]")
    if model.get("model_state") != "DEPLOYED":
        say(f"note: the model is {model.get('model_state')}: deploy it before documents are written")
    say(f"next: antiphon ingest {name} FILES, then antiphon search {name} TEXT")


def search_pipeline(model_id: str) -> dict[str, Any]:
    """Return the search pipeline of a semantic index: its model as the default, and how hybrid scores are fused."""
    return {
        "request_processors": [{"neural_query_enricher": {"default_model_id": model_id}}],
        "phase_results_processors": [
            {
                "normalization-processor": {
                    "normalization": {"technique": "min_max"},
                    "combination": {"technique": "arithmetic_mean", "parameters": {"weights": HYBRID_WEIGHTS}},
                }
            }
        ],
    }


def _engine(client: RestClient) -> str:
    """Return the engine that knows every space on the server: faiss learned the cosine with OpenSearch 2.19 only."""
    return "faiss" if "antiphon" in client.ask("GET", "/")["version"] else "lucene"


def _deployed(client: RestClient, wanted: str | None) -> dict[str, Any]:
    """Return the document of the model to use, with its ``id``."""
    if wanted is not None:
        model = client.find(f"{_ML}/models/{segment(wanted)}")
        if model is None:
            raise IllegalArgument(f"there is no model [{wanted}] on {client.url}")
        if "embedding_dimension" not in (model.get("model_config") or {}):
            raise IllegalArgument(f"model [{wanted}] does not tell its dimension: create the index with --body")
        return {**model, "id": wanted}
    query = {"query": {"term": {"model_state": "DEPLOYED"}}, "size": 20}
    hits = client.ask("POST", f"{_ML}/models/_search", query)["hits"]["hits"]
    known = [{**hit["_source"], "id": hit["_id"]} for hit in hits]
    found = [model for model in known if "embedding_dimension" in (model.get("model_config") or {})]
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


def _field(text: str) -> tuple[str, dict[str, Any]]:
    name, _, kind = (part.strip() for part in text.partition("="))
    if not name or not kind:
        raise IllegalArgument(f"--field [{text}] must be a name and a type, such as year=integer")
    return name, {"type": kind}


def _pipeline(name: str) -> str:
    return f"{name}-semantic"


def _default_pipeline(answer: dict[str, Any]) -> str | None:
    name: str | None = answer["settings"]["index"].get("default_pipeline")
    return name
