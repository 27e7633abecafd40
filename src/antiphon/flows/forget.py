"""Deletes what no document needs any more."""

from __future__ import annotations

from antiphon.flows.ports import Ports


def forget_package(ports: Ports, sha256: str | None) -> None:
    """Delete a package from disk unless a model has it or is being registered with it. Idempotent.

    Runs in a transaction, so that no registration can begin in between. A process that dies halfway leaves at most
    files that belong to no model, which the next start removes.
    """
    with ports.catalog.transaction():
        if sha256 and all(model.model_content_hash_value != sha256 for model, _ in ports.catalog.models()):
            ports.packages.remove(sha256)
