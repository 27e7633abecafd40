"""Semantic search with asymmetric embedding models, in one process that speaks OpenSearch's REST API."""
