"""``antiphon serve``: the server."""

from __future__ import annotations

import logging
import math
import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
import uvicorn

from antiphon.cli.bounded_http import BoundedHttp
from antiphon.cli.process import serve_well
from antiphon.cli.terminal import path_option, say, steps
from antiphon.domain.deployment import Precision
from antiphon.domain.model import ModelState
from antiphon.domain.task import TaskState
from antiphon.errors import AntiphonError, IllegalArgument
from antiphon.settings import LogLevel, Settings, settings_table

_log = logging.getLogger("antiphon")


def _flag(name: str) -> Any:
    """Return the option of a setting, helped by its row."""
    row = settings_table()[name]
    option = path_option if row.is_path else typer.Option
    return option(help=row.help, show_default=row.default)


def serve(
    host: Annotated[str | None, _flag("host")] = None,
    port: Annotated[int | None, _flag("port")] = None,
    data: Annotated[Path | None, _flag("data")] = None,
    cache: Annotated[Path | None, _flag("cache")] = None,
    model: Annotated[str | None, _flag("model")] = None,
    precision: Annotated[Precision | None, _flag("precision")] = None,
    threads: Annotated[int | None, _flag("threads")] = None,
    max_queue_texts: Annotated[int | None, _flag("max_queue_texts")] = None,
    max_body_bytes: Annotated[str | None, _flag("max_body_bytes")] = None,
    max_package_bytes: Annotated[str | None, _flag("max_package_bytes")] = None,
    shutdown_grace_s: Annotated[float | None, _flag("shutdown_grace_s")] = None,
    log_level: Annotated[LogLevel | None, _flag("log_level")] = None,
    cluster_name: Annotated[str | None, _flag("cluster_name")] = None,
    node_name: Annotated[str | None, _flag("node_name")] = None,
    cluster: Annotated[str | None, _flag("cluster")] = None,
    cluster_ca_cert: Annotated[Path | None, _flag("cluster_ca_cert")] = None,
    cluster_insecure: Annotated[bool | None, _flag("cluster_insecure")] = None,
    config: Annotated[Path | None, path_option(help="YAML file of settings; flags and ANTIPHON_* win.")] = None,
) -> None:
    """Serve OpenSearch's ML Commons API until SIGTERM or Ctrl-C, which finish running requests first."""
    given = locals()
    flags = {name: given[name] for name in settings_table()}
    run(Settings.load(file=config, env=os.environ, flags=flags))


def run(settings: Settings) -> None:
    """Serve until told to stop."""
    from antiphon.app import App, open_app

    logging.basicConfig(
        level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s", datefmt="%H:%M:%S"
    )
    for name in ("httpx", "faiss"):
        logging.getLogger(name).setLevel(logging.WARNING)
    with ExitStack() as stack:
        listener = stack.enter_context(_listen(settings.host, settings.port))
        app: App = open_app(settings)
        stack.callback(app.close)
        app.start()
        serve_well()
        server = _Server(
            uvicorn.Config(
                app.asgi,
                log_level="warning",
                access_log=False,
                lifespan="on",
                http=BoundedHttp,
                interface="asgi3",
                proxy_headers=False,
                ws="none",
                timeout_graceful_shutdown=math.ceil(settings.shutdown_grace_s),
            )
        )
        address = f"http://{settings.host}:{listener.getsockname()[1]}"
        where = "data" if app.cluster_url is None else f"documents on {app.cluster_url}, models"
        server.when_ready(lambda: say(f"antiphon listens on {address}, {where} in {settings.data}"))
        if settings.model is not None:
            threading.Thread(target=_provide, args=(app, settings, server), name="antiphon-provide").start()
        server.run(sockets=[listener])
        _end_within(settings.shutdown_grace_s)
    if server.failure is not None:
        raise server.failure


def _end_within(grace_s: float) -> None:
    """Give what still runs as long again, then end the process: whatever was acknowledged is on disk."""

    def end() -> None:
        say(f"antiphon: still busy {grace_s:g} s after the shutdown, ending now; the next start fails unfinished tasks")
        os._exit(1)

    timer = threading.Timer(grace_s, end)
    timer.daemon = True
    timer.start()


class _Server(uvicorn.Server):
    """uvicorn, saying when it listens; ``fail`` stops it with an error."""

    failure: AntiphonError | None = None

    def when_ready(self, announce: Any) -> None:
        self._announce = announce

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop gracefully on SIGTERM and SIGINT, and end with exit code 0: uvicorn would raise the signal again."""
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self._announce()

    def fail(self, error: AntiphonError) -> None:
        if not self.should_exit:  # what fails because the server ends is no failure
            self.failure, self.should_exit = error, True


def _provide(app: Any, settings: Settings, server: _Server) -> None:
    """Make ``--model`` available; a model that cannot be had ends the server, which was started for it."""
    from antiphon.app import obtain_package

    source = settings.model or ""
    try:
        with steps() as progress:
            package = obtain_package(source, settings, on_progress=progress)
        for note in package.manifest.notes:
            say(f"note: {note}")
        task = app.provide(package, source)
        task = None if task is None else app.node.tasks.wait(task.task_id)
        if task is not None and task.state is TaskState.FAILED:
            raise IllegalArgument(f"the model [{source}] cannot be served: {task.error}")
        _follow_deploy(app, package, source, server)
    except AntiphonError as error:
        server.fail(error)
    except Exception as error:  # noqa: BLE001  a thread of its own: without this the server would run on, silent
        _log.exception("--model %s", source)
        server.fail(AntiphonError(f"the model [{source}] cannot be served: {error}"))


def _follow_deploy(app: Any, package: Any, source: str, server: _Server) -> None:
    while not server.should_exit:
        model = app.settled(package)
        if model is not None and model.model_state is ModelState.DEPLOYED:
            loaded = app.node.loaded.get(model.model_id)
            report = loaded.encoder.report if loaded else None
            how = f", {report.engine} {report.precision}" if report else ""
            say(f"model {model.model_id} is deployed{how}: POST /_plugins/_ml/models/{model.model_id}/_predict")
            return
        if model is None or model.model_state in (ModelState.DEPLOY_FAILED, ModelState.UNDEPLOYED):
            ended = [task for task, _ in app.node.catalog.tasks() if model and task.model_id == model.model_id]
            errors = [task.error for task in ended if task.error]
            raise IllegalArgument(f"the model cannot be deployed: {errors[-1] if errors else 'it was removed'}")
        if model.model_state is ModelState.REGISTERED:
            app.provide(package, source)  # nothing deploys it; when it cannot be deployed, this says why


def _listen(host: str, port: int) -> socket.socket:
    """Bind before anything else, so that a taken port is one clean line."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise IllegalArgument(
            f"cannot listen on {host}:{port} ({error.strerror}): "
            "choose another --host or --port, or stop what listens there"
        ) from None
    return listener
