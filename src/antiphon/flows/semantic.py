"""Embeds the ``semantic`` fields of a batch: one model call per model, whatever the number of documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from antiphon.domain.chunking import ChunkBudget
from antiphon.domain.ingest_document import IngestDocument
from antiphon.domain.prediction import Prediction
from antiphon.domain.processors.embedding import as_json
from antiphon.domain.processors.read_chunking import read_steps
from antiphon.domain.role import Role
from antiphon.domain.semantic import SemanticField, SemanticText, semantic_texts
from antiphon.errors import AntiphonError
from antiphon.flows.model_facts import model_facts
from antiphon.flows.pipelines import Embed
from antiphon.flows.ports import Catalog


@dataclass(slots=True)
class SemanticJob:
    """One document: the texts to embed with their chunks, and what came of it."""

    document: IngestDocument
    texts: list[tuple[SemanticText, list[str]]] = field(default_factory=list)
    error: AntiphonError | None = None
    changed: bool = False


class SemanticEmbedder:
    """``embed`` is the predictor's ``embed_texts``."""

    def __init__(self, catalog: Catalog, embed: Embed) -> None:
        self._catalog = catalog
        self._embed = embed

    def job(
        self, fields: Sequence[SemanticField], document: IngestDocument, before: Mapping[str, Any] | None
    ) -> SemanticJob:
        """Return what is to be embedded of a document: all, or after an update what changed since ``before``."""
        job = SemanticJob(document)
        try:
            for one in fields:
                found = list(semantic_texts([one], document.source))
                reference = before
                if reference is None and one.skip_existing and document.stored is not None:
                    reference = document.stored()
                old = list(semantic_texts([one], dict(reference))) if reference is not None else []
                kept = {text.text: info for text in old if (info := text.holder.get(text.info_name)) is not None}
                for text in found:
                    if text.text in kept:
                        text.holder[text.info_name] = kept[text.text]
                        job.changed = True
                    elif text.text.strip():
                        job.texts.append((text, _chunks(one, text.text, document.max_token_count)))
        except AntiphonError as error:
            job.error = error
        return job

    def run(self, jobs: Sequence[SemanticJob]) -> None:
        """Embed and write beside the texts; a failed model call is the error of each of its documents."""
        by_model: dict[str, list[tuple[SemanticJob, SemanticText, list[str]]]] = {}
        for job in jobs:
            for text, chunks in job.texts if job.error is None else ():
                by_model.setdefault(text.field.model_id, []).append((job, text, chunks))
        for model_id, asked in by_model.items():
            try:
                facts = model_facts(self._catalog, model_id)
                prediction = self._embed(model_id, [chunk for _, _, chunks in asked for chunk in chunks], Role.PASSAGE)
            except AntiphonError as error:
                for job, _, _ in asked:
                    job.error = error
                continue
            start = 0
            for job, text, chunks in asked:
                end = start + len(chunks)
                text.write(facts, chunks, [as_json(row) for row in prediction.rows[start:end]])
                _account(job, text, prediction, start, end)
                start = end


def _chunks(one: SemanticField, text: str, max_tokens: int) -> list[str]:
    if one.chunking is False:
        return [text]
    parts = [text]
    for chunker in read_steps(one.path, one.chunking):
        budget = ChunkBudget(chunker.max_chunk_limit, len(parts), max_tokens)
        parts = [chunk for part in parts for chunk in chunker.chunk(part, budget)]
    return parts or [text]


def _account(job: SemanticJob, text: SemanticText, prediction: Prediction, start: int, end: int) -> None:
    document = job.document
    job.changed = True
    document.note_embedded(text.field.vector, text.field.model_id)
    document.account(prediction.tokens[start:end], prediction.lost[start:end])
