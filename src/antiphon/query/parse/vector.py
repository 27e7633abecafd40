"""Vector clauses: knn, neural (on vector and semantic fields), neural_sparse."""

from __future__ import annotations

from typing import Any

import numpy as np

from antiphon.domain.field import DataType, Field, FieldType, VectorSpec
from antiphon.domain.space import Space
from antiphon.errors import AntiphonError, ContentParse, IllegalArgument, ParsingError
from antiphon.query import reading
from antiphon.query.leaves import MatchNone, Sparse
from antiphon.query.nodes import (
    Knn,
    Nested,
    Query,
    ScoreMode,
)
from antiphon.query.parse.options import Body, Parse, flag
from antiphon.query.parse.reasons import AT, failed_field, refused, unbound
from antiphon.query.scope import Scope
from antiphon.query.search import EmbedText, Vector

_KNN = reading.words(
    "vector k filter max_distance min_score method_parameters rescore expand_nested_docs ignore_unmapped boost _name"
)
_NEURAL = reading.words(
    "query_text query_image model_id k filter max_distance min_score method_parameters rescore expand_nested_docs "
    "boost _name query_tokens semantic_field_search_analyzer"
)
_SPARSE = reading.words("query_text model_id query_tokens analyzer max_token_score method_parameters boost _name")
_OBJECTS = ("filter", "method_parameters", "rescore", "query_tokens")
_METHOD = ("ef_search", "nprobes")
NEURAL_K = 10
"""How many neighbours a ``neural`` clause asks for that does not say."""


def parse_knn(body: Body, scope: Scope, parse: Parse) -> Query:
    """Return the nearest neighbours of a literal vector."""
    name, options = one_vector_field("knn", body)
    for key, value in options.items():
        if key not in _KNN:
            raise ContentParse(f"{AT} [knn] unknown field [{key}]")
        _right_kind(key, value)
    values = _vector(options.get("vector"))
    bounds = _bounds(options)
    if bounds.count(None) != 2:
        raise IllegalArgument("[knn] requires exactly one of k, distance or score to be set")
    return _nearest("knn", name, Vector(values), bounds, options, scope, parse)


def parse_neural(body: Body, scope: Scope, parse: Parse) -> Query:
    """Return the nearest neighbours of a text, to be embedded as QUERY; on a semantic field, of its embedding."""
    name, options = one_vector_field("neural", body)
    field = scope.mapping.field(name)
    semantic = field if field is not None and field.type is FieldType.SEMANTIC else None
    check_neural(options, semantic=semantic is not None)
    if field is not None and field.type not in (FieldType.KNN_VECTOR, FieldType.SEMANTIC):
        raise IllegalArgument(
            f"Failed to process the neural query against the field [{name}] because it is an object field."
            if field.type is FieldType.OBJECT
            else f"Failed to process the neural query against the field {name} because its type is not supported. It "
            "should be one of [knn_vector,semantic]"
        )
    given = [options.get(key) for key in ("k", "max_distance", "min_score")]
    bounds = _bounds(options if given.count(None) < 3 else options | {"k": NEURAL_K})
    own = None if semantic is None else semantic.options.get("search_model_id") or semantic.options.get("model_id")
    model = neural_model(options, own, scope.models.model_for(name))
    text = str(options["query_text"])
    if semantic is None:
        target = name if field is None else field.path
        return _nearest("neural", name, EmbedText(model, text, target), bounds, options, scope, parse)
    return _on_semantic(semantic, model, text, bounds, options, scope, parse)


def check_neural(options: Body, *, semantic: bool) -> None:
    """ParsingError or IllegalArgument for options of a ``neural`` clause on a vector or ``semantic`` field."""
    for key, value in options.items():
        if key not in _NEURAL or (key == "rescore" and isinstance(value, bool)):
            raise ParsingError(f"[neural] query does not support [{key}]")
        if value is None or isinstance(value, list) or (isinstance(value, dict) and key not in _OBJECTS):
            raise ParsingError(f"[neural] unknown token [{reading.token(value)}] after [{key}]")
    if "query_image" in options:
        raise refused("query_image", "embed the image yourself and use a [knn] query")
    problems = []
    if not str(options.get("query_text", "")).strip():
        problems.append("Either query_text or query_image must be provided.")
    if len(options.keys() & {"k", "max_distance", "min_score"}) > 1:
        problems.append("Only one of k, max_distance, or min_score can be provided")
    for key in ("query_tokens", "semantic_field_search_analyzer"):
        if key in options:
            kind = "semantic" if semantic else "KNN"
            problems.append(
                f"Target field is a {kind} field using a dense model. {key} is not supported since it is for the "
                "sparse model."
            )
    if problems:
        raise IllegalArgument("Invalid neural query: " + "; ".join(problems))


def _on_semantic(
    field: Field, model: str, text: str, bounds: list[Any], options: Body, scope: Scope, parse: Parse
) -> Query:
    info = info_path(field)
    if not field.options.get("chunking"):
        path = f"{info}.embedding"
        return _nearest("neural", path, EmbedText(model, text, path), bounds, options, scope, parse)
    chunks = f"{info}.chunks"
    path = f"{chunks}.embedding"
    plain = {key: value for key, value in options.items() if key != "boost"}
    inner = _nearest("neural", path, EmbedText(model, text, path), bounds, plain, scope.at(chunks), parse)
    return Nested(chunks, inner, ScoreMode.MAX, boost=reading.boost("neural", options))


def info_path(field: Field) -> str:
    """Return the path of a semantic field's companion, where its embeddings are."""
    above, _, last = field.path.rpartition(".")
    name = str(field.options.get("semantic_info_field_name") or f"{last}_semantic_info")
    return f"{above}.{name}" if above else name


def neural_model(options: Body, own: object, supplied: str | None) -> str:
    """Return the model of a ``neural`` clause: named there, the semantic field's ``own``, or the pipeline's."""
    given = options.get("model_id")
    if given is not None and not str(given).strip():
        raise IllegalArgument("Invalid neural query: model_id field can not be empty")
    model = given or own or supplied
    if model is None:
        raise IllegalArgument("Invalid neural query: model_id must be provided.")
    return str(model)


def one_vector_field(query: str, body: Body) -> tuple[str, Body]:
    """Return the field of a vector clause and its options."""
    names = [key for key in body if key not in ("boost", "_name") or isinstance(body[key], dict)]
    if len(body) > 1:
        first, second = list(body)[:2]
        raise ParsingError(f"[{query}] query doesn't support multiple fields, found [{first}] and [{second}]")
    if not names or not isinstance(body[names[0]], dict):
        raise ParsingError(f"[{query}] query malformed, no start_object after query name")
    return names[0], body[names[0]]


def _right_kind(key: str, value: Any) -> None:
    wanted: tuple[type, ...] = (dict,) if key in ("filter", "method_parameters") else (int, float, str)
    if key == "vector":
        wanted = (list, int, float)
    elif key == "rescore":
        wanted = (dict, bool)
    elif key in ("expand_nested_docs", "ignore_unmapped"):
        wanted = (bool, str)
    if value is not None and not isinstance(value, wanted):
        raise ContentParse(f"{AT} [knn] {key} doesn't support values of type: {reading.token(value)}")


def _vector(value: Any) -> tuple[float, ...]:
    if value is None:
        raise IllegalArgument("[knn] requires query vector")
    items = value if isinstance(value, list) else [value]
    if not items:
        cause = IllegalArgument("[knn] field 'vector' requires to be non-null and non-empty")
        raise ContentParse(f"{AT} [knn] failed to parse field [vector]", cause=cause)
    if not set(map(type, items)) <= {int, float}:
        odd = next(item for item in items if type(item) not in (int, float))
        raise IllegalArgument(f"[knn] query vector must hold numbers, but found [{reading.token(odd)}]")
    return tuple(map(float, items))


def _bounds(options: Body) -> list[Any]:
    """Return k, max_distance and min_score, each None when not given."""
    k = None if options.get("k") is None else reading.integer("k", options["k"])
    distance, score = (
        None if options.get(key) is None else reading.number(key, options[key]) for key in ("max_distance", "min_score")
    )
    if k is not None and not 0 < k <= 10_000:
        raise IllegalArgument("[knn] requires k to be in the range (0, 10000]")
    if score is not None and score <= 0:
        raise IllegalArgument("[knn] requires minScore to be greater than 0")
    return [k, distance, score]


def _nearest(
    query: str, name: str, wanted: EmbedText | Vector, bounds: list[Any], options: Body, scope: Scope, parse: Parse
) -> Query:
    _check_rescore(options, bounds)
    ef_search = _method(query, options.get("method_parameters"))
    condition = None if options.get("filter") is None else _filter(query, options["filter"], scope, parse)
    field = scope.mapping.field(name)
    if field is None and query == "knn" and flag(options, "ignore_unmapped", False):
        return MatchNone()
    if field is None or field.vector is None:
        raise unbound(f"Field '{name}' is not knn_vector type.")
    if not scope.sees(field):
        raise unbound(f"Field '{name}' lies in the nested path [{field.nested}]: put the query into a [nested] query")
    if not field.vector.ann:
        raise unbound(f"Field '{name}' is not built for ANN search.")
    _check_radius(field.vector, bounds)
    if isinstance(wanted, Vector):
        check_vector(field.vector, wanted.values)
    expand = flag(options, "expand_nested_docs", False)
    if expand and not field.nested:
        raise unbound(
            "Invalid value provided for the [expand_nested_docs] field. [expand_nested_docs] is only supported with a "
            "nested field."
        )
    k, distance, score = bounds
    return Knn(
        field.path, scope.slot(wanted), k, distance, score, condition, expand, ef_search, reading.boost(query, options)
    )


def _filter(query: str, body: Any, scope: Scope, parse: Parse) -> Query:
    """Return the filter, which asks documents, wherever the vector stands."""
    try:
        return parse(body, scope.at(""))
    except AntiphonError as error:
        raise (failed_field(query, "filter", error) if query == "knn" else error) from error


def _method(query: str, value: Any) -> int | None:
    if value is None:
        return None
    body = reading.an_object("method_parameters", value)
    problems = [f"[knn] unknown method parameter found [{key}]" for key in body if key not in _METHOD]
    if problems or not body:
        problem = ParsingError(problems[-1] if problems else "method_parameters cannot be empty")
        wrapped = ContentParse(f"{AT} [knn] failed to parse field [method_parameters]", cause=problem)
        raise wrapped if query == "knn" else problem
    for key in body:
        number = reading.as_number(body[key])
        if number is None or not number.is_integer() or number < 1:
            raise IllegalArgument(
                f"[knn] errors in method parameter [Validation Failed: 1: {key} should be greater than 0;]"
            )
    return None if "ef_search" not in body else reading.integer("ef_search", body["ef_search"])


def _check_rescore(options: Body, bounds: list[Any]) -> None:
    rescore = options.get("rescore")
    if rescore is None or rescore is False:
        return
    for key, value in zip(("max_distance", "min_score"), bounds[1:], strict=True):
        if value is not None:
            raise IllegalArgument(f"The following fields are not allowed together: [rescore, {key}]")
    if rescore is True:
        return
    body = reading.an_object("rescore", rescore)
    reading.only("[rescore]", body, ("oversample_factor",))
    factor = reading.number("oversample_factor", body.get("oversample_factor", 1.0))
    if not 1.0 <= factor <= 100.0:
        side, limit = ("less", 1.0) if factor < 1 else ("more", 100.0)
        raise IllegalArgument(
            f"[knn] errors in rescore parameter [Validation Failed: 1: Oversample factor [{factor:f}] cannot be {side} "
            f"than [{limit:f}];]"
        )


def _check_radius(spec: VectorSpec, bounds: list[Any]) -> None:
    _, distance, score = bounds
    if spec.space is Space.INNERPRODUCT:
        return
    if distance is not None and distance < 0:
        raise unbound(f"[knn] requires distance to be non-negative for space type: {spec.space.name}")
    if score is not None and not 0 <= score <= 1:
        raise unbound(f"[knn] requires score to be in the range [0, 1] for space type: {spec.space.name}")


def check_vector(spec: VectorSpec, values: tuple[float, ...]) -> None:
    """A failed query when a literal vector does not fit the field."""
    width = spec.dimension // 8 if spec.data_type is DataType.BINARY else spec.dimension
    if len(values) != width:
        raise unbound(f"Query vector has invalid dimension: {len(values)}. Dimension should be: {width}")
    numbers = np.asarray(values, np.float64)
    if np.isnan(numbers).any():
        raise unbound("KNN vector values cannot be NaN")
    if (np.abs(numbers) > np.finfo(np.float32).max).any():
        raise unbound("KNN vector values cannot be infinity")
    if spec.data_type is not DataType.FLOAT:
        prefix = f"[data_type] field was set as [{spec.data_type.value}] in index mapping. But, KNN vector values are "
        if (numbers != np.floor(numbers)).any():
            raise unbound(prefix + "floats instead of byte integers")
        if numbers.min() < -128 or numbers.max() > 127:
            raise unbound(prefix + "not within in the byte range [-128, 127]")
    if spec.space is Space.COSINESIMIL and not numbers.any():
        raise unbound("zero vector is not supported when space type is [cosinesimil]")


def parse_neural_sparse(body: Body, scope: Scope) -> Query:
    """Return the dot product of given token weights with a rank_features field."""
    name, options = one_vector_field("neural_sparse", body)
    for key in options:
        if key not in _SPARSE or (key == "query_tokens" and isinstance(options[key], str)):
            raise ParsingError(f"[neural_sparse] query does not support [{key}] field")
    tokens = options.get("query_tokens")
    if tokens is None and options.get("query_text") is None:
        raise IllegalArgument(
            "either query_text field or query_tokens field must be provided for [neural_sparse] query"
        )
    if tokens is None:
        given = next((key for key in ("model_id", "analyzer") if options.get(key) is not None), "analyzer bert-uncased")
        raise refused(f"neural_sparse with {given}", "give the token weights as [query_tokens]")
    field = scope.field(name)
    if field is None or field.type is not FieldType.RANK_FEATURES:
        raise unbound("[neural_sparse] query only works on [rank_features] fields")
    weights = reading.an_object("query_tokens", tokens)
    found = tuple((token, reading.number(token, weight)) for token, weight in weights.items())
    for _, weight in found:
        if not 0 < weight <= 64:
            raise unbound(f"weight must be in (0, 64.0], got: {weight}")
    return Sparse(field.path, found, reading.boost("neural_sparse", options)) if found else MatchNone()
