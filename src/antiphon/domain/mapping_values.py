"""How a JSON value becomes a typed one: for every field a function that adds the value to a row."""

from __future__ import annotations

import base64
import math
import struct
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antiphon.domain.address import ip_text
from antiphon.domain.dates import DEFAULT_FORMAT, date_format
from antiphon.domain.document import TypedRow
from antiphon.domain.field import DataType, Family, Field, FieldType, VectorSpec
from antiphon.domain.mapping_parameters import flag
from antiphon.domain.numbers import to_boolean, to_kept, to_real
from antiphon.domain.space import Space
from antiphon.domain.values import scalar_text
from antiphon.errors import IllegalArgument

Writer = Callable[[TypedRow, Any], None]
"""Adds one value (an element of an array, or the whole one for vectors, features and flat objects) to a row."""

MAX_TERM_BYTES = 32766
_NOT_WHOLE = "But, KNN vector values are floats instead of byte integers"
_NOT_BYTE = "But, KNN vector values are not within in the byte range [-128, 127]"


def writer_of(field: Field, *, coerce: bool = True) -> Writer | None:
    """Return the writer of a field; None for one whose values are only kept in the source.

    ``coerce`` is for a number's field that does not say it.
    """
    match field.type:
        case FieldType.FLAT_OBJECT:
            return _flat_writer(field)
        case FieldType.ALIAS:
            return _refuse_alias(field.path)
        case _:
            pass
    match field.family:
        case Family.TEXT:
            return _appender("texts", field.path, scalar_text)
        case Family.KEYWORD:
            return _keyword_writer(field)
        case Family.WHOLE:
            return _appender("wholes", field.path, _whole_reader(field, coerce))
        case Family.REAL:
            return _appender("reals", field.path, _real_reader(field, coerce))
        case Family.VECTOR:
            return _vector_writer(field)
        case Family.FEATURES:
            return _features_writer(field.path)
        case Family.NONE:
            return None


def read_vector_value(spec: VectorSpec, value: Any) -> NDArray[np.float32]:
    """Return float32 ``[dimension]`` (``[dimension / 8]`` for binary) of a JSON value; IllegalArgument with the k-NN
    plugin's words for one that does not fit."""
    if isinstance(value, list):
        vector = _from_list(value)
    elif isinstance(value, str):
        vector = _from_base64(spec, value)
    elif isinstance(value, int | float) and not isinstance(value, bool) and spec.dimension == 1:
        vector = _from_list([value])
    else:
        raise IllegalArgument(f"a vector must be an array of numbers, not [{value}]")
    expected = spec.dimension // 8 if spec.data_type is DataType.BINARY else spec.dimension
    if len(vector) != expected:
        if spec.data_type is DataType.BINARY:
            raise IllegalArgument(
                "The dimension of the binary vector must be 8 times the length of the provided vector. "
                f"Expected: {spec.dimension}, Given: {len(vector) * 8}"
            )
        raise IllegalArgument(f"Vector dimension mismatch. Expected: {expected}, Given: {len(vector)}")
    _check_components(spec, vector)
    return vector


def _from_list(value: list[Any]) -> NDArray[np.float32]:
    """Within the interpreter: numpy would let other threads have it for each of a bulk's vectors."""
    try:
        packed = struct.pack(f"<{len(value)}f", *value)  # a third of np.array's time; OverflowError beyond float32
        vector = np.frombuffer(packed, "<f4")
        if math.isfinite(sum(value)):
            return vector
    except (struct.error, OverflowError, TypeError):
        vector = _from_unusual_list(value)
    return _finite(vector)


def _from_unusual_list(value: list[Any]) -> NDArray[np.float32]:
    """Numbers beyond float32 become infinite, and numbers may be strings."""
    try:
        with np.errstate(over="ignore"):
            vector = np.array(value, np.float32)
    except (TypeError, ValueError, OverflowError):
        raise IllegalArgument("a vector must be an array of numbers without null") from None
    if vector.ndim != 1:
        raise IllegalArgument("a vector must be a flat array of numbers")
    return vector


def _from_base64(spec: VectorSpec, value: str) -> NDArray[np.float32]:
    try:
        raw = base64.b64decode(value, validate=True)
        if spec.data_type is DataType.FLOAT:
            return _finite(np.frombuffer(raw, "<f4").astype(np.float32))
    except ValueError:
        raise IllegalArgument("a vector given as text must be base64 of its values") from None
    return np.frombuffer(raw, np.int8).astype(np.float32)


def _finite(vector: NDArray[np.float32]) -> NDArray[np.float32]:
    if not np.isfinite(vector).all():
        what = "NaN" if np.isnan(vector).any() else "infinity"
        raise IllegalArgument(f"KNN vector values cannot be {what}")
    return vector


def _check_components(spec: VectorSpec, vector: NDArray[np.float32]) -> None:
    if spec.data_type is not DataType.FLOAT:
        start = f"[data_type] field was set as [{spec.data_type}] in index mapping. "
        if (vector != np.trunc(vector)).any():
            raise IllegalArgument(start + _NOT_WHOLE)
        if (vector < -128).any() or (vector > 127).any():
            raise IllegalArgument(start + _NOT_BYTE)
    if spec.space is Space.COSINESIMIL and not (vector[0] or vector.any()):
        raise IllegalArgument("zero vector is not supported when space type is [cosinesimil]")


def _appender(kind: str, path: str, read: Callable[[Any], Any]) -> Writer:
    def write(row: TypedRow, value: Any) -> None:
        typed = read(value)
        if typed is not None:  # the empty text of a number
            getattr(row, kind).setdefault(path, []).append(typed)

    return write


def _keyword_writer(field: Field) -> Writer:
    path, above = field.path, field.ignore_above
    lower = field.options.get("normalizer") == "lowercase"
    ip = field.type is FieldType.IP

    def write(row: TypedRow, value: Any) -> None:
        text = scalar_text(value)
        if above is not None and len(text) > above:
            return
        text = ip_text(text) if ip else text.lower() if lower else text
        _check_term(path, text)
        row.keywords.setdefault(path, []).append(text)

    return write


def _check_term(path: str, text: str) -> None:
    if len(text) * 4 > MAX_TERM_BYTES and (size := len(text.encode(errors="replace"))) > MAX_TERM_BYTES:
        raise IllegalArgument(
            f'Document contains at least one immense term in field="{path}" (whose UTF8 encoding is longer than the '
            f"max length {MAX_TERM_BYTES}), all of which were skipped. Please correct the analyzer to not produce such "
            f"terms. The length of the term is {size} bytes"
        )


def _whole_reader(field: Field, coerce: bool) -> Callable[[Any], int | None]:
    kind = field.type
    if kind is FieldType.BOOLEAN:
        return to_boolean
    if kind is FieldType.DATE:
        parsed = date_format(str(field.options.get("format", DEFAULT_FORMAT)))
        return lambda value: parsed.parse(scalar_text(value))
    coerce = flag(field.path, field.options, "coerce", coerce)
    if not coerce:
        return lambda value: to_kept(kind, value, coerce=False)
    return _coerced(field, lambda value: to_kept(kind, value))


def _real_reader(field: Field, coerce: bool) -> Callable[[Any], float | None]:
    kind, coerce = field.type, flag(field.path, field.options, "coerce", coerce)
    if kind is FieldType.RANK_FEATURE:
        return lambda value: _weight(field.path, value)
    factor = float(field.options.get("scaling_factor", 1))
    if not coerce:
        return lambda value: to_real(kind, value, coerce=False, factor=factor)
    return _coerced(field, lambda value: to_real(kind, value, factor=factor))


def _coerced(field: Field, read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return ``read``, to which an empty text is the ``null_value`` of ``field``, or no value."""
    null = field.options.get("null_value")

    def read_empty(value: Any) -> Any:
        return read(value) if value != "" else None if null is None else read(null)

    return read_empty


def _vector_writer(field: Field) -> Writer:
    path, spec = field.path, field.vector
    if spec is None:
        raise IllegalArgument(f"field [{path}] is of type [{field.type}] and holds no vectors")

    def write(row: TypedRow, value: Any) -> None:
        row.vectors[path] = read_vector_value(spec, value)

    return write


def _features_writer(path: str) -> Writer:
    def write(row: TypedRow, value: Any) -> None:
        if not isinstance(value, dict):
            raise IllegalArgument("[rank_features] fields must be json objects, expected a START_OBJECT")
        row.features.setdefault(path, {}).update({token: _weight(path, weight) for token, weight in value.items()})

    return write


def _weight(path: str, value: Any) -> float:
    weight = to_real(FieldType.FLOAT, value)
    if weight < float(np.finfo(np.float32).tiny) or not math.isfinite(weight):
        raise IllegalArgument(f"featureValue must be a positive normal float, got: {value} for feature of [{path}]")
    return weight


def _flat_writer(field: Field) -> Writer:
    path, above = field.path, field.ignore_above

    def write(row: TypedRow, value: Any) -> None:
        if not isinstance(value, dict):
            raise IllegalArgument(f"[flat_object] field [{path}] must be an object, not [{value}]")
        for inner, text in _flattened(path, value):
            if above is None or len(text) <= above:
                _check_term(inner, text)
                row.keywords.setdefault(path, []).append(text)
                row.keywords.setdefault(inner, []).append(text)

    return write


def _flattened(path: str, value: Any) -> Iterator[tuple[str, str]]:
    match value:
        case dict():
            for name, inner in value.items():
                yield from _flattened(f"{path}.{name}", inner)
        case list():
            for inner in value:
                yield from _flattened(path, inner)
        case None:
            return
        case _:
            yield path, scalar_text(value)


def _refuse_alias(path: str) -> Writer:
    def write(_row: TypedRow, _value: Any) -> None:
        raise IllegalArgument(f"Cannot write to a field alias [{path}].")

    return write
