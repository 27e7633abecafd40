"""A model group: the name that versions are counted under."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ModelGroup:
    """The group document. ``latest_version`` equals the number given to the newest model. Times in epoch ms."""

    model_group_id: str
    name: str
    created_time: int
    last_updated_time: int
    latest_version: int = 0
    description: str | None = None
    access: str = "public"
