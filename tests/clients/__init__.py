"""OpenSearch's own Python clients, end to end over real HTTP."""
