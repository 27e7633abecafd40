"""``antiphon model``: build and inspect packages."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from antiphon.cli.terminal import path_option, say, steps
from antiphon.domain.package import BuiltPackage, Overrides, PackageInspection
from antiphon.wire.model import render_registration
from antiphon.wire.package import render_inspection

group = typer.Typer(help="Build and inspect model packages.", no_args_is_help=True)


@group.command()
def build(
    source: Annotated[
        str,
        typer.Argument(
            help="A folder in Hugging Face layout, a hub id such as intfloat/multilingual-e5-small, "
            "bundled:multilingual-e5-small, or multilingual-e5-small (the hub, else the bundled weights)."
        ),
    ],
    output: Annotated[Path, path_option("--output", "-o", help="The zip to write.")],
    revision: Annotated[str | None, typer.Option(help="Branch, tag or commit of a hub id.")] = None,
    name: Annotated[str | None, typer.Option(help="Model name in the register body.")] = None,
    description: Annotated[str | None, typer.Option(help="Model description.")] = None,
    query_prefix: Annotated[str | None, typer.Option(help="Text in front of every query, with its blank.")] = None,
    passage_prefix: Annotated[str | None, typer.Option(help="Text in front of every passage.")] = None,
    pooling_mode: Annotated[
        str | None, typer.Option(help="mean, mean_sqrt_len, max, weighted_mean, cls, last_token or none.")
    ] = None,
    normalize_result: Annotated[
        bool | None, typer.Option("--normalize/--no-normalize", help="Unit-length vectors.")
    ] = None,
    model_type: Annotated[str | None, typer.Option(help="bert when the graph takes token_type_ids.")] = None,
    space_type: Annotated[str | None, typer.Option(help="k-NN space type for additional_config.")] = None,
    url: Annotated[
        str | None, typer.Option(help="Where the server will fetch the zip; goes into the register body.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object for scripts.")] = False,
) -> None:
    """Build a zip that Antiphon and OpenSearch accept, and print how to register it."""
    from antiphon import app

    overrides = Overrides(
        name, description, query_prefix, passage_prefix, pooling_mode, normalize_result, model_type, space_type
    )
    with steps() as progress:
        package = app.build_package(source, output, overrides=overrides, revision=revision, on_progress=progress)
    if as_json:
        typer.echo(orjson.dumps(_built(package, url)).decode())
        return
    _print_built(package, url)


@group.command()
def inspect(
    path: Annotated[Path, typer.Argument(help="A model zip.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object for scripts.")] = False,
) -> None:
    """Show what a zip holds, and what would make OpenSearch refuse it or run it wrong (exit code 1)."""
    from antiphon import app

    inspection = app.inspect_package(path)
    if as_json:
        typer.echo(orjson.dumps(render_inspection(inspection)).decode())
    else:
        _print_inspection(inspection)
    if inspection.refusals:
        raise typer.Exit(1)


def _built(package: BuiltPackage, url: str | None) -> dict[str, Any]:
    return {
        "path": str(package.path),
        "size_bytes": package.size_bytes,
        "sha256": package.sha256,
        "register": render_registration(package, url),
        "origins": package.manifest.origins,
        "notes": list(package.manifest.notes),
    }


def _print_built(package: BuiltPackage, url: str | None) -> None:
    for note in package.manifest.notes:
        say(f"note: {note}")
    typer.echo(f"path    {package.path}")
    typer.echo(f"size    {package.size_bytes:,} bytes")
    typer.echo(f"sha256  {package.sha256}")
    typer.echo("")
    for key, origin in package.manifest.origins.items():
        value = getattr(package.manifest.config, key, None)
        shown = "" if key == "all_config" or value is None else f" {json.dumps(value)}"
        typer.echo(f"{key}{shown}  <- {origin}")
    typer.echo("")
    typer.echo("Register it:" if url else "Register it (put the address where the server can fetch the zip for URL):")
    typer.echo("POST /_plugins/_ml/models/_register")
    body = render_registration(package, url or "URL")
    typer.echo(json.dumps(body, indent=2, ensure_ascii=False))
    typer.echo("")
    typer.echo(f"Or serve it at once: antiphon serve --model {shlex.quote(str(package.path))}")


def _print_inspection(inspection: PackageInspection) -> None:
    shown = render_inspection(inspection)
    for key in ("path", "size_bytes", "sha256", "precision", "dimension", "max_tokens", "tokenizer", "vocabulary"):
        typer.echo(f"{key:<11} {shown[key]}")
    typer.echo(f"{'graph':<11} IR {inspection.ir_version}, opset {inspection.opset}")
    for key in ("inputs", "outputs"):
        for tensor in shown[key]:
            typer.echo(f"{key[:-1]:<11} {tensor['name']} {tensor['data_type']} {tensor['shape']}")
    for file in shown["files"]:
        typer.echo(f"{'file':<11} {file['name']} ({file['size_bytes']:,} bytes)")
    if inspection.manifest is not None:
        typer.echo(f"{'model':<11} {inspection.manifest.name}: {inspection.manifest.description}")
        for note in inspection.manifest.notes:
            typer.echo(f"{'note':<11} {note}")
    for refusal in inspection.refusals:
        typer.echo(f"{'refusal':<11} {refusal}")
    if not inspection.refusals:
        typer.echo(f"{'OpenSearch':<11} nothing found that it would refuse")
