"""Reads and changes the cluster settings, and applies the circuit breakers they set."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from antiphon.domain.cluster_settings import ClusterSettings, validate
from antiphon.errors import CircuitBreaking, IllegalArgument, StatusError
from antiphon.flows.ports import Ports

_SECTIONS = ("persistent", "transient")
_LOCAL_OFF = (
    "Local Model is currently disabled. To enable it, update the setting "
    '"plugins.ml_commons.local_model.enabled" to true.'
)


class Configurator:
    """The settings in force; ``current`` is a snapshot that a request keeps for its whole life."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._lock = threading.Lock()
        self._listeners: list[Callable[[ClusterSettings], None]] = []
        self._current = self._read()

    @property
    def current(self) -> ClusterSettings:
        """The settings in force now."""
        return self._current

    def change(self, changes: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
        """Apply validated changes (section -> flat key -> value, None resets) and return them, normalised.

        All or nothing: SettingsError or IllegalArgument for any key leaves every setting as it was.
        """
        with self._lock, self._ports.catalog.transaction():
            stored = {section: self._ports.catalog.settings(section) for section in _SECTIONS}
            applied: dict[str, dict[str, Any]] = {}
            for section in _SECTIONS:
                checked = validate(section, changes.get(section, {}), stored[section])
                kept = {key: value for key, value in (stored[section] | checked).items() if value is not None}
                applied[section] = {key: value for key, value in checked.items() if value is not None}
                self._ports.catalog.put_settings(section, kept)
            self._current = self._read()
        for listener in self._listeners:
            listener(self._current)
        return applied

    def on_change(self, listener: Callable[[ClusterSettings], None]) -> None:
        """Call ``listener`` with the settings in force after every change."""
        self._listeners.append(listener)

    def check_local_models(self) -> None:
        """StatusError 400 when local models are switched off."""
        if not self._current.flag("plugins.ml_commons.local_model.enabled"):
            raise StatusError(_LOCAL_OFF, status=400)

    def check_nodes(self, node_ids: Sequence[str]) -> None:
        """IllegalArgument when requests may not name nodes, or name others than this one; naming none is allowed."""
        if node_ids and not self._current.flag("plugins.ml_commons.allow_custom_deployment_plan"):
            raise IllegalArgument("Don't allow custom deployment plan")
        if node_ids and self._ports.catalog.node_id() not in node_ids:
            raise IllegalArgument("no eligible node found")

    def check_breakers(self) -> None:
        """CircuitBreaking (429) when memory or free disk is beyond its threshold."""
        threshold = self._current.number("plugins.ml_commons.jvm_heap_memory_threshold")
        if threshold < 100 and self._ports.gauges.memory_percent() > threshold:
            raise CircuitBreaking("Memory Circuit Breaker is open, please check your resources!")
        if self._ports.gauges.free_disk_bytes() < self._current.size_bytes(
            "plugins.ml_commons.disk_free_space_threshold"
        ):
            raise CircuitBreaking("Disk Circuit Breaker is open, please check your resources!")

    def _read(self) -> ClusterSettings:
        catalog = self._ports.catalog
        return ClusterSettings(catalog.settings("persistent"), catalog.settings("transient"))
