"""The search over catalog documents (models, groups, tasks): a small DSL matched in memory."""
