"""The parameters of a ``knn_vector`` field, checked as the k-NN plugin checks them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from antiphon.domain.field import DataType, VectorSpec
from antiphon.domain.space import Space
from antiphon.errors import IllegalArgument, MapperParsing, ValidationError

MAX_DIMENSION = 16_000
_ENGINES = ("faiss", "lucene", "nmslib")
_MODES = ("in_memory", "on_disk")
_LEVELS = ("1x", "2x", "4x", "8x", "16x", "32x")
_HNSW_SPACES = frozenset({Space.L2, Space.INNERPRODUCT, Space.COSINESIMIL, Space.HAMMING})
_SPACES = {
    ("hnsw", "faiss"): _HNSW_SPACES,
    ("hnsw", "lucene"): _HNSW_SPACES,
    ("hnsw", "nmslib"): _HNSW_SPACES - {Space.HAMMING} | {Space.L1, Space.LINF},
    ("flat", "lucene"): _HNSW_SPACES - {Space.HAMMING},
}
_PARAMETERS = {
    "hnsw": ("m", "ef_construction", "ef_search", "encoder"),
    "flat": (),
}
_ENCODERS = {"faiss": ("flat", "sq", "binary"), "lucene": ("sq",), "nmslib": ("flat",)}
_ENGINE_LEVELS = {"faiss": ("1x", "2x", "8x", "16x", "32x"), "lucene": ("1x", "4x", "32x"), "nmslib": ("1x",)}
_GRAPH_SPACES = frozenset({Space.L2, Space.INNERPRODUCT, Space.COSINESIMIL})


class _Invalid(ValidationError):
    """What the plugin's validation finds."""

    type = "validation_exception"


def read_vector(name: str, options: Mapping[str, Any], *, knn: bool) -> tuple[VectorSpec, dict[str, Any]]:
    """Return what a field holds, and its options as GET shows them (``method`` with engine and space resolved).

    The plugin's words for anything it would refuse. ``knn`` is ``index.knn``.
    """
    if "model_id" in options:
        _refuse_model(name, options)
    data_type = _data_type(options)
    dimension = _dimension(name, options, data_type)
    method = options.get("method")
    if method is not None and not isinstance(method, Mapping):
        raise MapperParsing('Unable to parse mapping into KNNMethodContext. Object not of type "Map"')
    _check_flat(name, options, knn, data_type)
    engine = _engine(options, method)
    space = _space(options, method, data_type)
    shown = dict(options) | ({"data_type": data_type.value} if "data_type" in options else {})
    parameters: Mapping[str, Any] = {}
    kind = "hnsw"
    if method is not None:
        kind, parameters = _method(method, engine)
        shown["method"] = {"engine": engine, "space_type": space.value, "name": kind, "parameters": dict(parameters)}
    if dimension > MAX_DIMENSION:
        raise _Invalid(f"Dimension value cannot be greater than {MAX_DIMENSION} for vector with engine: {engine}")
    _check_pair(options, kind, engine, space, data_type)
    graph = kind == "hnsw" and data_type is not DataType.BINARY and space in _GRAPH_SPACES
    numbers = {key: parameters[key] for key in ("m", "ef_construction") if key in parameters}
    return VectorSpec(dimension, space, data_type, engine, knn, graph, **numbers), shown


def _refuse_model(name: str, options: Mapping[str, Any]) -> None:
    if "method" in options:
        raise IllegalArgument(f"Method and model can not be both specified in the mapping: {name}")
    if "dimension" in options:
        raise IllegalArgument(f"Cannot specify both a modelId and dimension in the mapping: {name}")
    raise IllegalArgument(
        "[model_id] of a knn_vector is not supported by Antiphon: it names a trained k-NN model; give dimension and "
        "method instead, or use a semantic field to embed texts with an ML model"
    )


def _data_type(options: Mapping[str, Any]) -> DataType:
    try:
        return DataType(str(options.get("data_type", "float")).lower())  # a node shows BYTE
    except ValueError:
        raise IllegalArgument(
            "Invalid value provided for [data_type] field. Supported values are [binary,byte,float]"
        ) from None


def _dimension(name: str, options: Mapping[str, Any], data_type: DataType) -> int:
    value = options.get("dimension")
    if value is None:
        raise IllegalArgument(f"Dimension value missing for vector: {name}")
    try:
        # a number, or its text, as Java's lenient parser takes it
        dimension = int(value) if not isinstance(value, bool) and float(value) == int(value) else None
    except (TypeError, ValueError, OverflowError):
        dimension = None
    if dimension is None:
        raise IllegalArgument(f"Unable to parse [dimension] from provided value [{value}] for vector [{name}]")
    if dimension <= 0:
        raise IllegalArgument(f"Dimension value must be greater than 0 for vector: {name}")
    if data_type is DataType.BINARY and dimension % 8:
        raise _Invalid("Dimension should be multiply of 8 for binary vector data type")
    return dimension


def _check_flat(name: str, options: Mapping[str, Any], knn: bool, data_type: DataType) -> None:
    mode, level = options.get("mode"), options.get("compression_level")
    if mode is not None and mode not in _MODES:
        raise MapperParsing(
            f"Unknown value [{mode}] for field [mode] - accepted values are [null, {', '.join(_MODES)}]"
        )
    if level is not None and level not in _LEVELS:
        raise MapperParsing(
            f"Unknown value [{level}] for field [compression_level] - accepted values are [, {', '.join(_LEVELS)}]"
        )
    compressed = mode is not None or level is not None
    if compressed and data_type is not DataType.FLOAT:
        raise MapperParsing(f"Compression and mode cannot be used for non-float32 data type for field {name}")
    if knn:
        return
    if options.get("method") is not None:
        raise MapperParsing("Cannot set modelId or method parameters when index.knn setting is false")
    if compressed:
        raise MapperParsing(
            f"Compression and mode can not be specified in a flat mapping configuration for field: {name}"
        )


def _engine(options: Mapping[str, Any], method: Mapping[str, Any] | None) -> str:
    inner, top = (method or {}).get("engine"), options.get("engine")
    if inner is not None and inner not in _ENGINES:
        raise MapperParsing(f"Invalid engine: {inner}")
    if top is not None and top not in _ENGINES:
        raise IllegalArgument(f"Invalid engine type: {top}")
    if inner and top and inner != top:
        raise MapperParsing(f"Cannot specify conflicting engines: [{inner}] and [{top}]")
    return str(inner or top or ("lucene" if method is not None and method.get("name") == "flat" else "faiss"))


def _space(options: Mapping[str, Any], method: Mapping[str, Any] | None, data_type: DataType) -> Space:
    inner, top = (method or {}).get("space_type"), options.get("space_type")
    if inner is not None and inner not in tuple(Space):
        raise MapperParsing(f"Invalid space_type: {inner}")
    if top is not None and top not in tuple(Space):
        raise IllegalArgument(
            f"Unable to find space: {top} . Valid values are: [l2, cosinesimil, l1, linf, innerproduct, hamming]"
        )
    if inner and top and inner != top:
        raise MapperParsing(f'Cannot specify conflicting space types: "[{inner}]" "[{top}]"')
    space = Space(inner or top or ("hamming" if data_type is DataType.BINARY else "l2"))
    if (data_type is DataType.BINARY) != (space is Space.HAMMING):
        raise IllegalArgument(f"Space type [{space}] is not supported with [{data_type}] data type")
    return space


def _method(method: Mapping[str, Any], engine: str) -> tuple[str, Mapping[str, Any]]:
    for key in method:
        if key not in ("name", "engine", "space_type", "parameters"):
            raise MapperParsing(f"Invalid parameter: {key}")
    kind = method.get("name")
    if not isinstance(kind, str) or not kind:
        raise MapperParsing("name needs to be set")
    if (kind, engine) == ("ivf", "faiss"):
        raise _Invalid('"method" requires training.')
    if (kind, engine) not in _SPACES:
        raise IllegalArgument(f"Invalid method name: {kind}")
    parameters = method.get("parameters") or {}
    if not isinstance(parameters, Mapping):
        raise MapperParsing("Unable to parse parameters for main method component")
    problems = [problem for key, value in parameters.items() for problem in _problems(kind, engine, key, value)]
    if problems:
        raise _Invalid(*problems)
    return kind, parameters


def _problems(kind: str, engine: str, key: str, value: Any) -> list[str]:
    if key not in _PARAMETERS[kind]:
        return [f"Unknown parameter '{key}' found"]
    if key == "encoder":
        return _encoder_problems(engine, value)
    if not isinstance(value, int) or isinstance(value, bool):
        return [f"value is not an instance of Integer for Integer parameter [{key}]."]
    return [] if value > 0 else [f"parameter validation failed for Integer parameter [{key}]."]


def _encoder_problems(engine: str, value: Any) -> list[str]:
    name = value.get("name") if isinstance(value, Mapping) else None
    if name == "pq":
        return ['"encoder" [pq] requires training, which is not supported by Antiphon: use sq or flat.']
    if name not in _ENCODERS[engine]:
        return [f"value not found in valid encoders for MethodComponentContext parameter [encoder]: {name}."]
    return []


def _check_pair(options: Mapping[str, Any], kind: str, engine: str, space: Space, data_type: DataType) -> None:
    # without a method l1 and linf serve exact scripts only
    if options.get("method") is not None and space not in _SPACES[kind, engine]:
        raise _Invalid(f'"{kind}" with "{engine}" configuration does not support space type: "{space}".')
    if engine == "faiss" and space is Space.COSINESIMIL and data_type is DataType.BYTE:
        raise MapperParsing(
            "Faiss engine does not support cosine similarity with byte vectors. Please use another engine or space type"
        )
    level = options.get("compression_level")
    if level is not None and level not in _ENGINE_LEVELS[engine]:
        raise _Invalid(f'"{engine}" does not support "{level}" compression')
