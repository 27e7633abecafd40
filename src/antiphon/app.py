"""What is plugged in? The composition root: adapters behind ports, flows over ports, the API over flows.

Heavy rooms (engines, model building) are imported when they are first needed, so that a server without a model is
ready at once.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from antiphon.domain.deployment import Precision
from antiphon.domain.model import Model, ModelConfig, ModelFormat, ModelState
from antiphon.domain.package import BuiltPackage, Overrides, PackageInspection, PackageManifest
from antiphon.domain.registration import ModelRegistration
from antiphon.domain.task import Task
from antiphon.engine import LocalEngine
from antiphon.errors import IllegalArgument, PackageError, SourceError
from antiphon.flows import ClusterEngine, Node, Ports, TextEmbedder
from antiphon.package import DiskPackages
from antiphon.rest import AsgiApp, Identity, create_api
from antiphon.settings import Settings
from antiphon.store import MachineGauges, MemoryCatalog, SqliteCatalog
from antiphon.wire.bulk import read_raw_update

if TYPE_CHECKING:
    from antiphon.flows.ports import Catalog, Encoder, EncoderLoader, Engine, Packages
    from antiphon.remote import Endpoint

_CLUSTER_ADVICE = "is the cluster running, and --cluster its address?"
Progress = Callable[[str, int, int], None]
"""Called with what is being done, how far it is, and how far it goes (bytes, or steps)."""


@dataclass(frozen=True, slots=True)
class App:
    """One server: ``start`` before the first request, ``close`` after the last."""

    node: Node
    asgi: AsgiApp
    settings: Settings
    _resources: ExitStack
    _cluster: ClusterEngine | None = None

    @property
    def cluster_url(self) -> str | None:
        """Where documents live when that is a cluster, without user and password."""
        return None if self._cluster is None else self._cluster.cluster.url

    def start(self) -> None:
        """Repair what a dead process left, bring deployed models back, begin the background rounds.

        AntiphonError when documents live on a cluster that does not answer, or does not let us in.
        """
        if self._cluster is not None:
            self._cluster.check()
        self.node.start()

    def provide(self, package: BuiltPackage, source: str) -> Task | None:
        """Register and deploy a package of the operator's; None when it is deployed already.

        The model's id is the last part of ``source`` (``multilingual-e5-small``), of a zip its model's name.
        """
        named = package.manifest.name if source.endswith(".zip") else source
        return self.node.registrar.adopt(_registration(package, _slug(named)))

    def provided(self, package: BuiltPackage) -> Model | None:
        """Return the model that holds the package's content, DEPLOYED before others; None when there is none."""
        found = [m for m, _ in self.node.catalog.models() if m.model_content_hash_value == package.sha256]
        return max(found, key=lambda model: model.model_state is ModelState.DEPLOYED, default=None)

    def settled(self, package: BuiltPackage) -> Model | None:
        """Return the model that holds the package's content once nothing registers or deploys it any more."""
        while True:
            model = self.provided(package)
            under_way = (task for task, _ in self.node.catalog.tasks() if not task.state.done)
            if (task := next((one for one in under_way if model and one.model_id == model.model_id), None)) is None:
                return self.provided(package)
            if not self.node.tasks.wait(task.task_id).state.done:  # it never will be: the server ends
                return model

    def close(self) -> None:
        """Finish running work and release every resource."""
        self._resources.close()


def open_app(settings: Settings) -> App:
    """Open the data folder and wire a server over it; AntiphonError when another process has the folder."""
    try:
        settings.data.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SourceError(
            f"[{settings.data}] cannot be the data folder: {error.strerror}; choose another --data"
        ) from None
    catalog = SqliteCatalog(settings.data / "catalog.sqlite")
    packages = DiskPackages(settings.data, max_bytes=settings.max_package_bytes)
    engine = LocalEngine(settings.data / "indexes")
    return _wire(settings, catalog, packages, _LazyLoader(settings), engine, catalog.close)


def memory(settings: Settings, packages: Packages, loader: EncoderLoader) -> App:
    """Wire a server whose catalog and indexes live in memory; packages and loader may be twins."""
    catalog = MemoryCatalog()
    return _wire(settings, catalog, packages, loader, LocalEngine(None), catalog.close)


def build_package(
    source: str,
    output: Path,
    *,
    overrides: Overrides | None = None,
    revision: str | None = None,
    on_progress: Progress | None = None,
) -> BuiltPackage:
    """Build a zip that Antiphon and OpenSearch accept from a folder, a hub id or ``bundled:...``; SourceError."""
    from antiphon.package import build_package as build

    return build(source, output, overrides=overrides or Overrides(), revision=revision, on_progress=on_progress)


def inspect_package(path: Path) -> PackageInspection:
    """Return the facts of a zip; PackageError when it is none."""
    if not path.is_file():
        raise SourceError(f"[{path}] is not a file" if path.exists() else f"there is no file [{path}]")
    from antiphon.package import inspect_package as inspect

    return inspect(path)


def obtain_package(
    source: str, settings: Settings, *, revision: str | None = None, on_progress: Progress | None = None
) -> BuiltPackage:
    """Return a package for ``source``: a zip as it is, anything else built once and kept in the cache folder.

    For the bare ``multilingual-e5-small`` the hub is asked every time; while it is out of reach the bundled weights
    stand in, with a note that says so.
    """
    path = Path(source).expanduser()
    if path.suffix == ".zip":
        return _existing(path)
    from antiphon.package import resolve_source

    meant, remarks = resolve_source(source, revision, on_progress)
    kept = settings.cache / "packages" / f"{_slug(source)}-{_fingerprint(meant, revision)}.zip"
    if kept.is_file():
        package = _existing(kept)
    else:
        kept.parent.mkdir(parents=True, exist_ok=True)
        package = build_package(meant, kept, revision=revision, on_progress=on_progress)
    manifest = replace(package.manifest, notes=(*remarks, *package.manifest.notes))
    return replace(package, manifest=manifest)


def load(
    source: str | Path,
    *,
    precision: Precision | str = Precision.AUTO,
    threads: int = 0,
    settings: Settings | None = None,
    on_progress: Progress | None = None,
) -> TextEmbedder:
    """Load a model into this process; see ``antiphon.load``."""
    try:
        wanted = Precision(precision)
    except ValueError:
        raise IllegalArgument(
            f"[precision] must be one of {[item.value for item in Precision]}, but was [{precision}]"
        ) from None
    used = settings or Settings.load(env=os.environ)
    used = replace(
        used, threads=threads or used.threads, max_queue_texts=max(used.max_queue_texts, TextEmbedder.SLICE_TEXTS)
    )
    package = obtain_package(str(source), used, on_progress=on_progress)
    encoder = _LazyLoader(used).load(_unpacked(package, used), package.manifest.config, wanted)
    return TextEmbedder(encoder, package.manifest.config, package.manifest.notes)


def load_zip(path: Path, config: ModelConfig, settings: Settings) -> TextEmbedder:
    """Load a zip with a configuration of the caller's, whatever its manifest says."""
    with path.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    manifest = PackageManifest(path.stem, "", config)
    folder = _unpacked(BuiltPackage(path, path.stat().st_size, digest, manifest), settings)
    return TextEmbedder(_LazyLoader(settings).load(folder, config, Precision.AUTO), config)


class _LazyLoader:
    """The encode room, imported at the first load."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def load(self, folder: Path, config: ModelConfig, precision: Precision) -> Encoder:
        from antiphon.encode import Loader

        loader = Loader(
            threads=self._settings.threads,
            max_queue_texts=self._settings.max_queue_texts,
            cache_dir=self._settings.cache / "engine",
        )
        return loader.load(folder, config, precision)


def _wire(
    settings: Settings,
    catalog: Catalog,
    packages: Packages,
    loader: EncoderLoader,
    engine: Engine,
    release: Callable[[], None],
) -> App:
    resources = ExitStack()
    resources.callback(release)
    node = Node.over(
        Ports(
            catalog=catalog,
            packages=packages,
            loader=loader,
            gauges=MachineGauges(settings.data),
            engine=engine,
            clock=lambda: time.time_ns() // 1_000_000,
            monotonic=time.monotonic,
            new_id=lambda: secrets.token_urlsafe(15).replace("-", "a").replace("_", "b"),
            precision=settings.precision,
        )
    )
    identity = Identity(
        version("antiphon"), settings.cluster_name, settings.node_name,
        address=f"{settings.host}:{settings.port}", max_body_bytes=settings.max_body_bytes,
        built=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(Path(__file__).stat().st_mtime)),
    )  # fmt: skip
    resources.callback(node.close)
    cluster = None
    if settings.cluster is not None:
        from antiphon.remote import RestClient

        client = resources.enter_context(RestClient(_endpoint(settings), _CLUSTER_ADVICE))
        cluster = ClusterEngine.over(client, node, read_raw_update)
    api = create_api(node, identity, max_body_bytes=settings.max_body_bytes, cluster=cluster)
    return App(node, api, settings, resources, cluster)


def _endpoint(settings: Settings) -> Endpoint:
    """Return where the cluster is and who asks; IllegalArgument when ``cluster`` is no address."""
    from antiphon.remote import read_endpoint

    endpoint = read_endpoint(settings.cluster or "", "--cluster")
    return replace(endpoint, ca_cert=settings.cluster_ca_cert, insecure=settings.cluster_insecure)


def _registration(package: BuiltPackage, model_id: str) -> ModelRegistration:
    return ModelRegistration(
        name=package.manifest.name,
        model_format=ModelFormat.ONNX,
        model_config=package.manifest.config,
        url=package.path.resolve().as_uri(),
        model_content_hash_value=package.sha256,
        description=package.manifest.description,
        model_id=model_id,
    )


def _existing(path: Path) -> BuiltPackage:
    if not path.is_file():
        raise SourceError(f"there is no file [{path}]: make it with `antiphon model build SOURCE -o {path.name}`")
    from antiphon.package import read_manifest

    manifest = read_manifest(path)
    if manifest is None:
        raise SourceError(
            f"[{path}] was not built by `antiphon model build`, so that its prefixes and pooling are unknown: register "
            "it with a model_config, or build it from its source"
        )
    with path.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    return BuiltPackage(path, path.stat().st_size, digest, manifest)


def _unpacked(package: BuiltPackage, settings: Settings) -> Path:
    """Return the verified folder of a package, kept in the cache folder."""
    packages = DiskPackages(settings.cache / "unpacked", max_bytes=settings.max_package_bytes)
    try:
        return packages.folder(package.sha256)
    except PackageError:
        staged = packages.fetch(package.path.resolve().as_uri(), "^file:///")
        return packages.admit(staged, package.sha256, ModelFormat.ONNX)


def _slug(source: str) -> str:
    """A readable id: the last part of a path or hub id, letters, digits, ``-`` and ``_`` only."""
    last = source.removeprefix("bundled:").rstrip("/").rsplit("/", 1)[-1]
    return re.sub(r"[^A-Za-z0-9_-]+", "-", last).strip("-_") or "model"


def _fingerprint(source: str, revision: str | None) -> str:
    """What a cached package depends on: the source, its revision, this version, and a folder's files."""
    parts = [source, revision or "", version("antiphon")]
    folder = Path(source).expanduser()
    if folder.is_dir():
        parts += sorted(
            f"{file}:{(s := file.stat()).st_size}:{s.st_mtime_ns}" for file in folder.rglob("*") if file.is_file()
        )
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


__all__ = ["App", "PackageManifest", "build_package", "inspect_package", "load", "memory", "obtain_package", "open_app"]
