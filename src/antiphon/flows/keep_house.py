"""The background job of ``sync_up_job_interval_in_seconds``: expired models, overdue tasks."""

from __future__ import annotations

import logging
import threading

from antiphon.flows.configure import Configurator
from antiphon.flows.deploy import Deployer
from antiphon.flows.loaded import LoadedModels
from antiphon.flows.search import Searcher
from antiphon.flows.tasks import TaskRunner

_TICK_S = 0.5
"""How soon a changed interval is noticed."""

_log = logging.getLogger("antiphon.house")


class Housekeeper:
    """One thread that wakes up at the interval in force; an interval of 0 switches it off."""

    def __init__(
        self,
        configurator: Configurator,
        deployer: Deployer,
        loaded: LoadedModels,
        tasks: TaskRunner,
        searcher: Searcher,
    ) -> None:
        self._configurator = configurator
        self._deployer = deployer
        self._loaded = loaded
        self._tasks = tasks
        self._searcher = searcher
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="antiphon-house", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """Stop and wait. Idempotent."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def tidy(self) -> None:
        """Do one round now: undeploy idle models, fail overdue tasks, forget the oldest, let scrolls expire."""
        for model_id in self._loaded.expired():
            self._deployer.undeploy_idle(model_id)
        self._tasks.fail_overdue()
        self._tasks.forget_old()
        self._searcher.expire()

    def _loop(self) -> None:
        waited_s = 0.0
        while not self._stop.wait(_TICK_S):
            waited_s += _TICK_S
            interval_s = self._configurator.current.number("plugins.ml_commons.sync_up_job_interval_in_seconds")
            if interval_s == 0 or waited_s < interval_s:
                continue
            waited_s = 0.0
            try:
                self.tidy()
            except Exception:  # noqa: BLE001  the next round must come, whatever this one met
                _log.exception("a background round failed")
