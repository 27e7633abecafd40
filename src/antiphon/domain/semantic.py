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
    """Return the mapping with ``<field>_semantic_info`` beside each semantic field; a mapping without one as it is.

    IllegalArgument, with OpenSearch's prefix, when ``lookup`` raises one or the model does not tell what is needed.
    """
    return _expanded(body, "", lookup)


def semantic_fields(body: Mapping[str, Any], prefix: str = "") -> Iterator[SemanticField]:
    """Yield the semantic fields of a mapping in its order."""
    for name, definition in body.get("properties", {}).items():
        if not isinstance(definition, Mapping):
            continue
        path = f"{prefix}{name}"
        if definition.get("type") == "semantic":
            yield semantic_field(path, prefix + info_name(name, definition), definition)
        yield from semantic_fields(definition, f"{path}.")


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
            if sibling in body["properties"]:
                continue
            try:
                properties[sibling] = _info(definition, lookup)
            except IllegalArgument as error:
                raise IllegalArgument(
                    f"Failed to transform the mapping for the semantic field at {path} due to {error.reason}",
                    cause=error,
                ) from error
    return {**body, "properties": properties}


def _info(definition: Mapping[str, Any], lookup: Callable[[str], ModelFacts]) -> Json:
    model_id = definition.get("model_id")
    if not isinstance(model_id, str):
        raise IllegalArgument("model_id is required")
    if "search_model_id" in definition and "semantic_field_search_analyzer" in definition:
        raise IllegalArgument("search_model_id and semantic_field_search_analyzer cannot be used together")
    embedding = _embedding(model_id, definition, lookup(model_id))
    plain = {"type": "text", "index": False}
    model = {"properties": {key: dict(plain) for key in ("id", "name", "type")}}
    if definition.get("chunking", False) is False:
        return {"properties": {"embedding": embedding, "model": model}}
    chunks = {"type": "nested", "properties": {"text": {"type": "text"}, "embedding": embedding}}
    return {"properties": {"chunks": chunks, "model": model}}


def _embedding(model_id: str, definition: Mapping[str, Any], model: ModelFacts) -> Json:
    if model.function != "TEXT_EMBEDDING":
        if "dense_embedding_config" in definition:
            raise IllegalArgument("dense_embedding_config is not supported by the sparse model")
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
    extra = definition.get("dense_embedding_config", {})
    for key in ("dimension", "data_type", "space_type"):
        if key in extra:
            raise IllegalArgument(f"Cannot configure {key} in dense_embedding_config: it is defined by the model")
    method = {"name": "hnsw", "space_type": model.space_type, **extra.get("method", {})}
    return {"type": "knn_vector", "dimension": model.dimension, **extra, "method": method}
