"""The functions of a function_score, back as JSON."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from antiphon.domain.field import FieldType
from antiphon.domain.mapping import IndexMapping
from antiphon.query.nodes import (
    Decay,
    FieldValueFactor,
    Query,
    RandomScore,
    ScoreFunction,
)
from antiphon.query.render_fetch import field_value
from antiphon.query.render_script import render_script

Json = dict[str, Any]


def render_function(one: ScoreFunction, mapping: IndexMapping, render: Callable[[Query], Json]) -> Json:
    """Return one entry of ``functions``."""
    shown: Json = {"weight": one.weight}
    if one.filter is not None:
        shown["filter"] = render(one.filter)
    match one.function:
        case None:
            return shown
        case FieldValueFactor(field, factor, modifier, missing):
            options: Json = {"field": field, "factor": factor, "modifier": modifier}
            return shown | {"field_value_factor": options | ({} if missing is None else {"missing": missing})}
        case RandomScore(seed):
            return shown | {"random_score": {"seed": seed}}
        case Decay():
            return shown | {one.function.kind: _decay(one.function, mapping)}
        case script:
            return shown | {"script_score": {"script": render_script(script)}}


def _decay(decay: Decay, mapping: IndexMapping) -> Json:
    field = mapping.field(decay.field)
    date = field is not None and field.type is FieldType.DATE
    options: Json = {
        "origin": field_value(field, int(decay.origin)) if date else decay.origin,
        "scale": f"{decay.scale:f}ms" if date else decay.scale,
        "offset": f"{decay.offset:f}ms" if date else decay.offset,
        "decay": decay.decay,
    }
    return {decay.field: options, "multi_value_mode": decay.multi_value_mode}
