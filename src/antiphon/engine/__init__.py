"""A plan becomes hits, how? Documents in SQLite, text in tantivy, vectors in faiss, all behind one snapshot."""

__all__: list[str] = []
