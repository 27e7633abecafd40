"""``antiphon push``, ``pull`` and ``diff``: models, indexes and their proof, between this server and a cluster."""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from antiphon.cli.servers import CaCert, Insecure, To, Url, other_server
from antiphon.cli.terminal import path_option, say, steps
from antiphon.errors import AntiphonError, IllegalArgument, Unavailable
from antiphon.remote import DEFAULT_URL, Endpoint, RestClient, read_endpoint, segment
from antiphon.settings import Settings

if TYPE_CHECKING:
    from antiphon.domain.model import ModelConfig
    from antiphon.domain.package import PackageInspection
    from antiphon.transfer import Cargo, Journal, Side, SourceModel

Names = Annotated[list[str] | None, typer.Argument(help="Indexes and models of the server, or packages; see --all.")]
All = Annotated[bool, typer.Option("--all", help="Every index, pipeline, template and model they need.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object with the figures at the end.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Tell what would be done, and change nothing.")]
Engine = Annotated[str | None, typer.Option(help="Engine of vectors there, such as lucene, in place of what is here.")]
Connected = Annotated[
    bool, typer.Option("--connect", help="Let the cluster embed through the server here, see `antiphon connect`.")
]
Address = Annotated[
    str | None, typer.Option("--address", help="Where the cluster reaches the server here; --url when left out.")
]
Queries = Annotated[Path | None, path_option(help="Queries to compare rankings with, one on a line.")]
Count = Annotated[int, typer.Option("--count", min=1, max=1000, help="How many queries.")]
Best = Annotated[int, typer.Option("-k", min=1, max=1000, help="Hits of each query that are compared.")]
MinOverlap = Annotated[float, typer.Option(min=0, max=1, help="Mean share of equal hits that is wanted.")]


def push(
    to: To,
    names: Names = None,
    all_of_it: All = False,
    via_url: Annotated[str | None, typer.Option(help="Where the cluster can fetch the model's zip itself.")] = None,
    connected: Connected = False,
    address: Address = None,
    engine: Engine = None,
    keep_model_ids: Annotated[
        bool, typer.Option("--keep-model-ids", help="Leave the ids of this server, for `antiphon serve --cluster`.")
    ] = False,
    apply_settings: Annotated[
        bool, typer.Option("--apply-settings", help="Change the cluster settings that stand in the way.")
    ] = False,
    dry_run: DryRun = False,
    queries: Queries = None,
    count: Count = 20,
    k: Best = 10,
    min_overlap: MinOverlap = 0.9,
    ca_cert: CaCert = None,
    insecure: Insecure = False,
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
) -> None:
    """Bring models, pipelines, indexes and vectors to another server, and prove that it answers the same.

    A second run changes nothing; one that was broken off is gone on with.
    """
    from antiphon import transfer

    options = transfer.Options(_lines(queries), count, k, min_overlap)
    if connected and (via_url is not None or keep_model_ids):
        raise IllegalArgument(f"--{'keep-model-ids' if keep_model_ids else 'via-url'} and --connect exclude each other")
    how = transfer.How(via_url, _address(address, url, connected=connected), engine, keep_model_ids, apply_settings)
    endpoint = other_server(to, "--to", ca_cert, insecure=insecure)
    with _working(url, endpoint, dry_run=dry_run, as_json=as_json) as work:
        cargo = _cargo(work, names or [], all_of_it=all_of_it)
        if via_url is not None and len(cargo.models) != 1:
            raise IllegalArgument(f"--via-url is for one model, and there are {len(cargo.models)}")
        transfer.push(work.source, work.target, cargo, how, options, work.inspect, work.journal)


def diff(
    to: To,
    names: Names = None,
    all_of_it: All = False,
    model_id: Annotated[
        str | None, typer.Option("--as", help="Id of the model there, when it was not pushed: for one model.")
    ] = None,
    connected: Connected = False,
    address: Address = None,
    engine: Engine = None,
    queries: Queries = None,
    count: Count = 20,
    k: Best = 10,
    min_overlap: MinOverlap = 0.9,
    ca_cert: CaCert = None,
    insecure: Insecure = False,
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
) -> None:
    """Compare with another server: vectors, definitions, documents, rankings. Exit code 1 when they differ."""
    from antiphon import transfer

    options = transfer.Options(_lines(queries), count, k, min_overlap)
    endpoint = other_server(to, "--to", ca_cert, insecure=insecure)
    with _working(url, endpoint, "nothing differs of what was compared", dry_run=True, as_json=as_json) as work:
        cargo = _cargo(work, names or [], all_of_it=all_of_it)
        if model_id is None:
            how = transfer.How(address=_address(address, url, connected=connected), engine=engine)
            transfer.diff(work.source, work.target, cargo, how, options, work.journal)
            return
        if len(cargo.models) != 1 or cargo.indexes:
            raise IllegalArgument("--as is for one model: name it, and no index")
        work.journal.title(f"model {cargo.models[0].name}")
        transfer.compare_vectors(cargo.models[0], work.target, model_id, work.journal)


def pull(
    names: Annotated[list[str], typer.Argument(help="Indexes of the cluster.")],
    from_: Annotated[str, typer.Option("--from", help="The cluster, http(s)://[user@]host.")],
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="Id of the model here that its pipelines shall use.")
    ] = None,
    engine: Engine = None,
    documents_only: Annotated[
        bool, typer.Option("--documents-only", help="Into indexes that you made here: nothing of them is changed.")
    ] = False,
    dry_run: DryRun = False,
    ca_cert: CaCert = None,
    insecure: Insecure = False,
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
) -> None:
    """Bring indexes from a cluster to this server: mapping, documents and vectors."""
    from antiphon import transfer

    if documents_only and (model is not None or engine is not None):
        raise IllegalArgument("--documents-only excludes --model and --engine")
    wanted = transfer.Wanted(model, engine, documents_only)
    endpoint = other_server(from_, "--from", ca_cert, insecure=insecure)
    with _working(url, endpoint, dry_run=dry_run, as_json=as_json) as work:
        transfer.pull(work.target, work.here, names, wanted, work.journal)


def _quiet(what: str, done: int, total: int) -> None:
    """Show no progress: the lines of the journal are enough in a log."""


Progress = Callable[[str, int, int], None]


def connect(
    to: To,
    model: Annotated[str, typer.Argument(help="Id of a deployed model of the server here.")],
    address: Address = None,
    apply_settings: Annotated[
        bool, typer.Option("--apply-settings", help="Let the cluster call that address.")
    ] = False,
    dry_run: DryRun = False,
    ca_cert: CaCert = None,
    insecure: Insecure = False,
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
) -> None:
    """Let a cluster's own pipelines and neural queries embed by this server, by connector and remote model."""
    from antiphon import transfer

    reached = _address(address, url, connected=True) or url
    endpoint = other_server(to, "--to", ca_cert, insecure=insecure)
    with _working(url, endpoint, "nothing changed", dry_run=dry_run, as_json=as_json) as work:
        source = work.model_of(model)
        made = transfer.connect(source, reached, work.target, work.journal, apply_settings=apply_settings)
        work.journal.facts["models"] = made
        for role, model_id in made.items():
            work.journal.note(f"{_USES[role]}: model_id {model_id}")


def _address(address: str | None, url: str, *, connected: bool) -> str | None:
    """Return where the cluster reaches the server here, None when it shall not."""
    if address is not None and not connected:
        raise IllegalArgument("--address is for --connect")
    endpoint = read_endpoint(address or url, "--address")
    if address is not None and endpoint.user is not None:
        raise IllegalArgument(f"--address {endpoint.url} must hold no user: a connector would show the password")
    return endpoint.url if connected else None


_USES = {
    "query": "for neural queries (neural_query_enricher)",
    "passage": "for ingest pipelines (text_embedding)",
    "both": "for ingest pipelines and neural queries",
}


@dataclass(slots=True)
class _Work:
    """Both sides of a transfer. ``source`` is None when no server runs here."""

    source: Side | None
    target: Side
    journal: Journal
    scratch: Path
    settings: Settings
    url: str
    progress: Progress

    @property
    def here(self) -> Side:
        """The server here; Unavailable when none runs."""
        if self.source is None:
            raise Unavailable(
                f"nothing answers at {self.url}: start a server with `antiphon serve`, or name one with --url"
            )
        return self.source

    def load_zip(self, path: Path, config: ModelConfig) -> Any:
        """Load a package with a configuration."""
        from antiphon.app import load_zip

        return load_zip(path, config, self.settings)

    def inspect(self, model: SourceModel) -> PackageInspection:
        """Look into the zip of a model."""
        from antiphon.app import inspect_package

        return inspect_package(model.zip())

    def model_of(self, model_id: str) -> SourceModel:
        """Return a model of the server here."""
        from antiphon.transfer import from_server

        return from_server(self.here, model_id, self.scratch, self.load_zip, self.progress)

    def package(self, name: str) -> SourceModel:
        """Return the model of a zip, folder, hub id or bundled weights."""
        from antiphon.app import obtain_package
        from antiphon.transfer import from_package

        return from_package(obtain_package(name, self.settings, on_progress=self.progress), self.load_zip)


@contextmanager
def _working(
    url: str,
    endpoint: Endpoint,
    agreed: str = "nothing changed: both sides agree",
    *,
    dry_run: bool,
    as_json: bool,
) -> Iterator[_Work]:
    """Open both sides; at the end print the figures, and fail when something does not agree."""
    from antiphon.transfer import Journal, Side

    with ExitStack() as stack:
        stack.enter_context(_ended_cleanly("" if dry_run else ": run it again to go on"))
        target = Side.read(stack.enter_context(RestClient(endpoint)), "there")
        client = stack.enter_context(RestClient(url))
        if client.url == target.client.url:
            raise IllegalArgument(f"both sides are {client.url}: name the server here with --url")
        try:
            source: Side | None = Side.read(client, "here")
        except Unavailable:
            source = None
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="antiphon-transfer-")))
        progress: Progress = stack.enter_context(steps()) if sys.stderr.isatty() else _quiet
        journal = Journal(say, progress, time.sleep, dry_run=dry_run)
        settings = Settings.load(env=os.environ)
        yield _Work(source, target, journal, scratch, settings, client.url, progress)
    _end(journal, agreed, as_json=as_json)


@contextmanager
def _ended_cleanly(hint: str) -> Iterator[None]:
    """Make Ctrl-C and SIGTERM one line and exit codes 130 and 143, after everything inside was put in order."""

    def stop(number: int, _: object) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    except KeyboardInterrupt:
        say(f"antiphon: interrupted{hint}")
        raise SystemExit(128 + signal.SIGINT) from None
    except SystemExit:
        say(f"antiphon: told to end{hint}")
        raise
    finally:
        signal.signal(signal.SIGTERM, before)


def _end(journal: Journal, agreed: str, *, as_json: bool) -> None:
    if as_json:
        result = {"changes": journal.changes, "failures": journal.failures, **journal.facts}
        typer.echo(json.dumps(result, ensure_ascii=False))
    if journal.failures:
        number = len(journal.failures)
        raise AntiphonError(f"{number} failure{'' if number == 1 else 's'}, see above")
    if not journal.changes:
        say(agreed)
    else:
        number = len(journal.changes)
        say(f"{number} change{'' if number == 1 else 's'} {'would be made' if journal.dry_run else 'made'}")


def _cargo(work: _Work, names: list[str], *, all_of_it: bool) -> Cargo:
    from antiphon.transfer import Cargo, load_cargo

    if all_of_it == bool(names):
        raise IllegalArgument("name indexes or models, or take everything with --all")
    if all_of_it:
        return load_cargo(work.here, [], work.model_of, all_of_it=True)
    indexes, models = [], []
    for name in names:
        if work.source is not None and work.source.client.find(f"/{segment(name)}") is not None:
            indexes.append(name)
        elif work.source is not None and work.source.client.find(f"/_plugins/_ml/models/{segment(name)}") is not None:
            models.append(work.model_of(name))
        else:
            models.append(_package(work, name))
    cargo = load_cargo(work.here, indexes, work.model_of) if indexes else Cargo()
    known = {model.model_id for model in cargo.models}
    cargo.models += [model for model in models if model.model_id is None or model.model_id not in known]
    return cargo


def _package(work: _Work, name: str) -> SourceModel:
    try:
        return work.package(name)
    except AntiphonError as error:
        where = f"on {work.source.name}" if work.source else f"(no server answers at {work.url})"
        problem = f"[{name}] is neither an index nor a model {where}, nor a package"
        raise IllegalArgument(f"{problem}: {error.reason}") from None


def _lines(path: Path | None) -> list[str] | None:
    if path is None:
        return None
    found = [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    if not found:
        raise IllegalArgument(f"[{path}] holds no query")
    return found
