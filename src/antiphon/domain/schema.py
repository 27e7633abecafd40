"""A model's ``interface``: JSON Schemas that a predict request and its answer must satisfy."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from antiphon.errors import IllegalArgument, StatusError

if TYPE_CHECKING:
    from jsonschema.protocols import Validator


@dataclass(frozen=True, slots=True)
class Interface:
    """Compiled schemas; either side may be absent."""

    input: Validator | None = None
    output: Validator | None = None

    @classmethod
    def of(cls, interface: dict[str, Any] | None) -> Interface:
        """Return the compiled form of schemas, JSON texts or objects; IllegalArgument when one is no JSON Schema."""
        sides = interface or {}
        return cls(*(_compile(side, sides[side]) if side in sides else None for side in ("input", "output")))

    def check(self, side: str, value: Any) -> None:
        """StatusError 400, worded as ML Commons does, when ``value`` breaks the schema of ``side``."""
        validator: Validator | None = getattr(self, side)
        error = None if validator is None else next(iter(validator.iter_errors(value)), None)
        if error is not None:
            raise StatusError(
                f"Error validating {side} schema, if you think this is expected, please update your '{side}' field "
                f"in the 'interface' field for this model: {error.json_path}: {error.message}",
                status=400,
            )


def _compile(side: str, schema: Any) -> Validator:
    import jsonschema  # few models have an interface, and it takes a while

    try:
        schema = json.loads(schema) if isinstance(schema, str) else schema
        kind = jsonschema.validators.validator_for(schema, default=jsonschema.Draft201909Validator)
        kind.check_schema(schema)
        return kind(schema)
    except (jsonschema.SchemaError, AttributeError, TypeError, ValueError) as error:
        raise IllegalArgument(f"[interface.{side}] is not a JSON schema: {error}") from None
