"""``semantic`` fields: the sibling that holds their embeddings, and the texts of a document to embed.

Source: neural-search's ``SemanticMappingTransformer`` and ``SemanticFieldProcessor``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from antiphon.domain.ingest_document import java_type
from antiphon.errors import IllegalArgument

Json = dict[str, Any]
_CANNOT = "Cannot build the semantic info config because"


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What a mapping needs of a model. ``function`` is ML Commons' word, such as ``TEXT_EMBEDDING``; ``dimension``
    and ``space_type`` are None when the model's configuration does not tell them."""

    name: str
    dimension: int | None
    space_type: str | None
    function: str = "TEXT_EMBEDDING"


@dataclass(frozen=True, slots=True)
class SemanticField:
    """One semantic field: dotted ``path`` and ``info`` (its sibling), the model of passages, and its chunkers.

    ``chunking`` is False, True (the default chunker) or a list of ``{"algorithm", "parameters"}``.
    """

    path: str
    info: str
    model_id: str
    search_model_id: str
    chunking: bool | Sequence[Mapping[str, Any]] = False
    skip_existing: bool = False

    @property
    def chunks(self) -> str | None:
        """The nested path of its chunks; None for a field that is embedded whole."""
        return None if self.chunking is False else f"{self.info}.chunks"

    @property
    def vector(self) -> str:
        """The path of its vectors."""
        return f"{self.chunks or self.info}.embedding"


@dataclass(slots=True)
class SemanticText:
    """One ``text`` of a document to embed; ``holder`` is the object that gets ``info_name``."""

    field: SemanticField
    holder: Json
    info_name: str
    text: str

    def write(self, model: ModelFacts, chunks: Sequence[str], vectors: Sequence[Any]) -> None:
        """Put the embeddings beside the text: one vector, or one per chunk when the field is chunked."""
        facts = {"id": self.field.model_id, "type": model.function, "name": model.name}
        info: Json = {"model": facts}
        if self.field.chunking is False:
            info["embedding"] = vectors[0]
        else:
            info["chunks"] = [{"text": text, "embedding": vector} for text, vector in zip(chunks, vectors, strict=True)]
        self.holder[self.info_name] = info


def expand_semantic(body: Mapping[str, Any], lookup: Callable[[str], ModelFacts]) -> Json:
    """Return the mapping with ``<field>_semantic_info`` beside each semantic field, in place of what stood there.

    IllegalArgument in OpenSearch's words for a field without a model or with a wrong name for its sibling, when
    ``lookup`` raises one, and when the model does not tell what is needed or does not take what is asked.
    """
    problems = [said for prefix, name, one in _definitions(body) for said in _problems(f"{prefix}{name}", one)]
    if problems:
        raise IllegalArgument("; ".join(problems))
    return _expanded(body, "", lookup)


def semantic_fields(body: Mapping[str, Any]) -> Iterator[SemanticField]:
    """Yield the semantic fields of a mapping in its order."""
    for prefix, name, definition in _definitions(body):
        yield semantic_field(f"{prefix}{name}", prefix + info_name(name, definition), definition)


def _definitions(body: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Yield the semantic fields of a mapping: what stands before the name, the name and the definition."""
    properties = body.get("properties")
    for name, definition in properties.items() if isinstance(properties, Mapping) else ():
        if isinstance(definition, Mapping):
            if definition.get("type") == "semantic":
                yield prefix, name, definition
            yield from _definitions(definition, f"{prefix}{name}.")


def _problems(path: str, definition: Mapping[str, Any]) -> Iterator[str]:
    model_id, name = definition.get("model_id"), definition.get("semantic_info_field_name", "-")
    where = f"for the semantic field at {path}"
    if model_id is None:
        yield f"model_id is required {where}"
    elif not isinstance(model_id, str) or not model_id:
        yield f"model_id should be a non-empty string {where}"
    if not isinstance(name, str):
        yield f"semantic_info_field_name should be a non-empty string {where}"
    elif not name:
        yield f"semantic_info_field_name cannot be an empty string {where}"
    elif "." in name:
        yield f"semantic_info_field_name should not contain '.' {where}"


def semantic_field(path: str, info: str, definition: Mapping[str, Any]) -> SemanticField:
    """Return what a definition says of the field at ``path``, whose embeddings are at ``info``."""
    model_id = str(definition.get("model_id"))
    return SemanticField(
        path,
        info,
        model_id,
        str(definition.get("search_model_id", model_id)),
        definition.get("chunking", False),
        bool(definition.get("skip_existing_embedding", False)),
    )


def info_name(name: str, definition: Mapping[str, Any]) -> str:
    """Return the name of the sibling that holds a semantic field's embeddings."""
    return str(definition.get("semantic_info_field_name", f"{name}_semantic_info"))


def semantic_texts(fields: Sequence[SemanticField], source: Json) -> Iterator[SemanticText]:
    """Yield the texts of a document to embed, field by field; IllegalArgument for a value that is no text."""
    for field in fields:
        yield from _texts(field, field.path.split("."), source)


def _texts(field: SemanticField, steps: Sequence[str], holder: Any) -> Iterator[SemanticText]:
    if isinstance(holder, list):
        for item in holder:
            yield from _texts(field, steps, item)
        return
    if not isinstance(holder, dict):
        return
    for count in range(1, len(steps) + 1):
        # a document may write objects or dotted names
        name = ".".join(steps[:count])
        value = holder.get(name)
        if value is None:
            continue
        if count < len(steps):
            yield from _texts(field, steps[count:], value)
        elif isinstance(value, str):
            info = ".".join([*steps[:-1], field.info.rpartition(".")[2]])
            yield SemanticText(field, holder, info, value)
        else:
            raise IllegalArgument(
                f"Expect the semantic field at path: {field.path} to be a string but found: class {java_type(value)}."
            )


def _expanded(body: Mapping[str, Any], prefix: str, lookup: Callable[[str], ModelFacts]) -> Json:
    if not isinstance(body.get("properties"), Mapping):
        return dict(body)
    properties: Json = {}
    for name, definition in body["properties"].items():
        if not isinstance(definition, Mapping):
            properties[name] = definition
            continue
        path = f"{prefix}{name}"
        properties[name] = _expanded(definition, f"{path}.", lookup)
        if definition.get("type") == "semantic":
            sibling = ".".join([*name.split(".")[:-1], info_name(name.rpartition(".")[2], definition)])
            try:
                model = lookup(definition["model_id"])
            except IllegalArgument as error:
                raise IllegalArgument(f"Failed to fetch model [{definition['model_id']}]: {error.reason}") from error
            try:
                properties[sibling] = _info(path, definition, model)
            except IllegalArgument as error:
                raise IllegalArgument(
                    f"Failed to transform the mapping for the semantic field at {path} due to {error.reason}",
                    cause=error,
                ) from error
    return {**body, "properties": properties}


def _info(path: str, definition: Mapping[str, Any], model: ModelFacts) -> Json:
    where = f"for the semantic field at {path}"
    if not isinstance(definition.get("chunking", False), (bool, list)):
        raise IllegalArgument(f"chunking should either be a boolean or a list of maps {where}")
    if not isinstance(definition.get("dense_embedding_config", {}), Mapping):
        raise IllegalArgument(f"dense_embedding_config should be a Map<String, Object> {where}")
    embedding = _embedding(definition, model)
    plain = {"type": "text", "index": False}
    facts = {"properties": {key: dict(plain) for key in ("id", "name", "type")}}
    if definition.get("chunking", False) is False:
        return {"properties": {"embedding": embedding, "model": facts}}
    chunks = {"type": "nested", "properties": {"text": {"type": "text"}, "embedding": embedding}}
    return {"properties": {"chunks": chunks, "model": facts}}


def _embedding(definition: Mapping[str, Any], model: ModelFacts) -> Json:
    model_id = definition["model_id"]
    if model.function != "TEXT_EMBEDDING":
        if "dense_embedding_config" in definition:
            raise IllegalArgument(f"{_CANNOT} dense_embedding_config is not supported by the sparse model.")
        return {"type": "rank_features"}
    if model.dimension is None:
        raise IllegalArgument(
            f"Model {model_id} is a text embedding model, but the embedding dimension is not defined in the model "
            "config."
        )
    if model.space_type is None:
        raise IllegalArgument(
            f"space_type is not defined or not a string in the additional_config of the model {model_id}."
        )
    for key, end in (("semantic_field_search_analyzer", ""), ("sparse_encoding_config", ".")):
        if key in definition:
            raise IllegalArgument(f"{_CANNOT} the dense(text embedding) model cannot support {key}{end}")
    extra = definition.get("dense_embedding_config", {})
    method = extra.get("method", {})
    if not isinstance(method, Mapping):
        raise IllegalArgument(f"{_CANNOT} method must be a Map when provided.")
    for key in ("dimension", "data_type", "space_type"):
        if key in extra or (key == "space_type" and key in method):
            raise IllegalArgument(f"Cannot configure {key} in dense_embedding_config in the semantic field.")
    method = {"name": "hnsw", **method, "space_type": model.space_type}
    return {"type": "knn_vector", "dimension": model.dimension, **extra, "method": method}
