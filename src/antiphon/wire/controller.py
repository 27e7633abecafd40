"""Controllers: per-user rate limits of one model."""

from __future__ import annotations

from typing import Any

from antiphon.errors import IllegalArgument
from antiphon.wire.fields import Fields
from antiphon.wire.model import checked_rate_limiter, show_limit


def read_controller(body: object) -> tuple[dict[str, Any], list[str]]:
    """Return ``{"user_rate_limiter": {user: {"limit", "unit"}}}``, checked, and notices about ignored fields."""
    fields = Fields(body, "controller")
    fields.skip("model_id")
    users = fields.nested("user_rate_limiter")
    if users is None:
        raise IllegalArgument("[user_rate_limiter] is missing: send {user: {limit, unit}}")
    return {"user_rate_limiter": {name: _read_limiter(name, limiter) for name, limiter in users.items()}}, (
        fields.notices()
    )


def _read_limiter(name: str, body: object) -> dict[str, str]:
    fields = Fields(body, f"user_rate_limiter.{name}")
    limit, unit = fields.number("limit"), fields.text("unit")
    if limit is None or unit is None:
        raise IllegalArgument(f"[user_rate_limiter.{name}] needs both [limit] and [unit]")
    limiter = checked_rate_limiter(limit, unit)
    return {"limit": show_limit(limiter.limit), "unit": limiter.unit}
