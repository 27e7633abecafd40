"""``antiphon demo``: the tutorial's whole journey over real HTTP, and why roles matter."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import typer

from antiphon.cli.corpus import PASSAGES, QUERIES
from antiphon.cli.demo_client import Client, Served
from antiphon.cli.demo_search import INDEX, remove, search_journey
from antiphon.cli.ranking import Ranking, mean_margin, rank
from antiphon.cli.terminal import columns, say, steps, wrapped
from antiphon.domain.package import BuiltPackage
from antiphon.errors import AntiphonError
from antiphon.settings import Settings
from antiphon.wire.model import render_registration

_ML = "/_plugins/_ml"


def demo(
    url: Annotated[str | None, typer.Option(help="Use this server instead of starting one.")] = None,
    model: Annotated[str, typer.Option("--model", "-m", help="Which model.")] = "multilingual-e5-small",
    keep: Annotated[bool, typer.Option("--keep", help="Leave the server running and print curl lines.")] = False,
) -> None:
    """Package a real model, register and deploy it over HTTP, embed, show why roles matter, and search."""
    with ExitStack() as stack:
        package = _package(model)
        client = _server(stack, url, keep=keep)
        served = stack.enter_context(Served(package.path))
        model_id = _journey(client, package, served.url)
        plain_id = _without_roles(client, package, served.url)
        _refusal(client, model_id)
        rankings = _rankings(client, model_id, plain_id)
        _show(rankings)
        if rankings[0].right < len(QUERIES):
            raise AntiphonError(f"only {rankings[0].right} of {len(QUERIES)} queries found their passage")
        found = search_journey(client, model_id)
        if found.right < len(QUERIES):
            raise AntiphonError(f"only {found.right} of {len(QUERIES)} searches found their passage")
        if keep:
            _show_curl(client, model_id)
        elif url is not None:
            remove(client)
            _clean_up(client, [model_id, plain_id])


def _package(source: str) -> BuiltPackage:
    from antiphon.app import obtain_package

    typer.echo("1. Package the model")
    with steps() as progress:
        package = obtain_package(source, Settings.load(env=os.environ), on_progress=progress)
    for note in package.manifest.notes:
        typer.echo(wrapped(f"note: {note}"))
    typer.echo(f"   {package.path.name}: {package.size_bytes:,} bytes, sha256 {package.sha256[:16]}...")
    return package


def _server(stack: ExitStack, url: str | None, *, keep: bool) -> Client:
    typer.echo("2. Start the server")
    if url is not None:
        typer.echo(f"   using {url}")
        return stack.enter_context(Client(url))
    folder = Path(tempfile.mkdtemp(prefix="antiphon-demo-"))
    if not keep:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
    started = Client.start(folder)
    if not keep:
        stack.callback(started.stop)
    typer.echo(f"   antiphon serve --port {started.url.rsplit(':', 1)[-1]} --data {folder}")
    return stack.enter_context(started)


def _journey(client: Client, package: BuiltPackage, zip_url: str) -> str:
    """The tutorial's requests; return the id of the deployed model."""
    typer.echo("3. Follow the tutorial")
    settings = {
        "plugins.ml_commons.only_run_on_ml_node": "false",
        "plugins.ml_commons.native_memory_threshold": "99",
        "plugins.ml_commons.allow_registering_model_via_url": "true",
    }
    client.show("PUT", "/_cluster/settings", {"persistent": settings})
    group = {"name": f"demo {package.sha256[:8]} {os.getpid()}", "description": "Asymmetric embedding models"}
    group_id = client.show("POST", f"{_ML}/model_groups/_register", group)["model_group_id"]
    body = render_registration(package, zip_url) | {"model_group_id": group_id}
    model_id = client.register_and_deploy(body, shown=True)
    texts = [PASSAGES[0].text, PASSAGES[1].text]
    _embed(client, model_id, "passage", texts, shown=True)
    _embed(client, model_id, "query", [QUERIES[0].text], shown=True)
    return model_id


def _without_roles(client: Client, package: BuiltPackage, zip_url: str) -> str:
    """Register the same zip as a symmetric model, as if nobody had known about prefixes."""
    body = render_registration(package, zip_url)
    config = {key: value for key, value in body["model_config"].items() if not key.endswith("_prefix")}
    return client.register_and_deploy(body | {"name": f"{body['name']} without roles", "model_config": config})


def _refusal(client: Client, model_id: str) -> None:
    typer.echo("4. Forget the role: refused, never guessed")
    status, answer, _ = client.send("POST", f"{_ML}/models/{model_id}/_predict", {"text_docs": [QUERIES[0].text]})
    if status != 400:
        raise AntiphonError(f"a predict without a role was answered with {status}, not 400")
    reason = answer["error"]["caused_by"]["reason"]
    typer.echo(wrapped(f"POST .../_predict without parameters -> {status} {reason}"))


def _rankings(client: Client, model_id: str, plain_id: str) -> list[Ranking]:
    queries, passages = [query.text for query in QUERIES], [passage.text for passage in PASSAGES]
    answers = [PASSAGES.index(next(p for p in PASSAGES if p.name == query.answer)) for query in QUERIES]
    ways = {
        "roles right": (model_id, "query", "passage"),
        "roles swapped": (model_id, "passage", "query"),
        "no roles": (plain_id, None, None),
    }
    return [
        rank(name, _embed(client, one, asks, queries), _embed(client, one, answers_with, passages), answers)
        for name, (one, asks, answers_with) in ways.items()
    ]


def _embed(client: Client, model_id: str, role: str | None, texts: list[str], *, shown: bool = False) -> Any:
    body: dict[str, Any] = {"text_docs": texts, "target_response": ["sentence_embedding"]}
    if role is not None:
        body = {"parameters": {"content_type": role}} | body
    path = f"{_ML}/_predict/text_embedding/{model_id}"
    answer = client.show("POST", path, body) if shown else client.ask("POST", path, body)
    return [item["output"][0]["data"] for item in answer["inference_results"]]


def _show(rankings: list[Ranking]) -> None:
    right = rankings[0]
    typer.echo(
        f"5. Ask {len(QUERIES)} questions in {len({q.language for q in QUERIES})} languages of {len(PASSAGES)} texts"
    )
    typer.echo(
        wrapped("margin: cosine of the right passage minus that of the best wrong text (< 0: a wrong text wins)")
    )
    typer.echo("")
    rows = [["query", "best text", *(ranking.name for ranking in rankings)]]
    for number, query in enumerate(QUERIES):
        margins = [f"{ranking.margins[number]:+.4f}" for ranking in rankings]
        rows.append([query.text, PASSAGES[right.best[number]].name, *margins])
    totals = [f"{ranking.right}/{len(QUERIES)} {mean_margin(ranking):+.4f}" for ranking in rankings]
    rows.append(["found / mean margin", "", *totals])
    for line in columns(rows, left=2):
        typer.echo(f"   {line}")
    typer.echo("")


def _show_curl(client: Client, model_id: str) -> None:
    typer.echo(f"The server keeps running at {client.url} (process {client.pid}). Try:")
    for role, text in (("passage", PASSAGES[0].text), ("query", QUERIES[0].text)):
        body = f'{{"parameters": {{"content_type": "{role}"}}, "text_docs": ["{text}"]}}'
        typer.echo(f"curl -X POST '{client.url}{_ML}/models/{model_id}/_predict' \\")
        typer.echo(f"  -H 'Content-Type: application/json' -d '{body}'")
    typer.echo(f'antiphon search {INDEX} "{QUERIES[0].text}" --hybrid --url {client.url}')
    typer.echo(f"kill {client.pid}   # to stop it")


def _clean_up(client: Client, model_ids: list[str]) -> None:
    for model_id in model_ids:
        client.ask("POST", f"{_ML}/models/{model_id}/_undeploy", {})
        client.ask("DELETE", f"{_ML}/models/{model_id}")
    say(f"removed the demo's models from {client.url}; its settings stay")
