"""What the processors of ingest pipelines do, one module per group: frozen values with ``change`` or ``apply``."""
