"""What truncation took from the texts of one request, told to whoever sent them."""

from __future__ import annotations

from dataclasses import dataclass

from antiphon.domain.ingest_document import IngestDocument


@dataclass(slots=True)
class Truncation:
    """JSON-ready. ``first`` names the first document and field with a truncated text."""

    texts: int = 0
    truncated: int = 0
    lost_tokens: int = 0
    first: str = ""

    def note(self, doc_id: str, document: IngestDocument) -> None:
        """Count one document."""
        fields = ", ".join(path for path, _ in document.embedded)
        first = f"document [{doc_id}] field [{fields}]" if document.truncated_texts else ""
        self.add(Truncation(document.embedded_texts, document.truncated_texts, document.lost_tokens, first))

    def add(self, other: Truncation) -> None:
        """Add up."""
        self.texts += other.texts
        self.truncated += other.truncated
        self.lost_tokens += other.lost_tokens
        self.first = self.first or other.first

    def notices(self) -> list[str]:
        """Return a sentence about truncated texts, if there were any."""
        if not self.truncated:
            return []
        lost = f"{self.truncated} of {self.texts} texts were truncated, losing {self.lost_tokens} tokens"
        return [f"{lost}, the first in {self.first}"]
