"""A plan becomes hits, how? Documents in SQLite, text in tantivy, vectors in faiss, all behind one snapshot."""

from antiphon.engine.engine import LocalEngine

__all__ = ["LocalEngine"]
