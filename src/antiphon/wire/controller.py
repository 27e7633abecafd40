"""Controllers: per-user rate limits of one model."""

from __future__ import annotations

from typing import Any

from antiphon.domain.model import RateLimiter
from antiphon.errors import IllegalArgument
from antiphon.wire.fields import Fields
from antiphon.wire.model import read_limit, render_rate_limiter


def read_controller(body: object) -> tuple[dict[str, Any], list[str]]:
    """Return ``{"user_rate_limiter": {user: {"limit", "unit"}}}``, checked, and notices about ignored fields."""
    fields = Fields(body, "controller")
    fields.skip("model_id")
    users = fields.nested("user_rate_limiter")
    if users is None:
        raise IllegalArgument("[user_rate_limiter] is missing: send {user: {limit, unit}}")
    limits = {name: RateLimiter.of(read_limit(limiter, f"user_rate_limiter.{name}")) for name, limiter in users.items()}
    return {"user_rate_limiter": {name: render_rate_limiter(limit) for name, limit in limits.items()}}, fields.notices()
