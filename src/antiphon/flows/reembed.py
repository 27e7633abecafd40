"""What of a pipeline must run again when an update changed texts that it embeds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from antiphon.domain.embedding_fields import unflatten
from antiphon.domain.pipeline import Pipeline, Processor
from antiphon.domain.processors.chunking import TextChunking
from antiphon.domain.processors.embedding import TextEmbedding


def stale_part(pipeline: Pipeline, before: Mapping[str, Any], after: Mapping[str, Any]) -> Pipeline | None:
    """Return the chunking and embedding processors of ``pipeline``; None when nothing they read has changed.

    Embeddings of texts that stayed the same are taken over from ``before``, which the document lends as stored.
    """
    chosen = tuple(_lent(processor) for processor in pipeline.processors if _reads_text(processor))
    old, new = unflatten(dict(before)), unflatten(dict(after))
    if not any(_read(processor, old) != _read(processor, new) for processor in chosen):
        return None
    return replace(pipeline, processors=chosen, on_failure=())


def _reads_text(processor: Processor) -> bool:
    return isinstance(processor.work, (TextChunking, TextEmbedding))


def _lent(processor: Processor) -> Processor:
    if isinstance(processor.work, TextEmbedding):
        return replace(processor, work=replace(processor.work, skip_existing=True))
    return processor


def _read(processor: Processor, source: dict[str, Any]) -> list[Any]:
    if not isinstance(processor.work, (TextChunking, TextEmbedding)):
        return []
    return list(_values(source, processor.work.field_map))


def _values(holder: Any, fields: Mapping[str, Any]) -> Iterator[Any]:
    for key, target in fields.items():
        value = holder.get(key) if isinstance(holder, Mapping) else None
        if isinstance(target, str):
            yield value
        elif isinstance(value, list):
            yield len(value)
            for item in value:
                yield from _values(item, target)
        else:
            yield from _values(value, target)
