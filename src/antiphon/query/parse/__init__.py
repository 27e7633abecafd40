"""Search bodies become bound queries: one module per family of clauses."""
