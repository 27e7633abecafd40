"""The contract as data: stories in YAML, run in process, over HTTP, and on a real OpenSearch node when one is named."""
