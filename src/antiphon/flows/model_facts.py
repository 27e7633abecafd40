"""What mappings and processors need to know of a model."""

from __future__ import annotations

from antiphon.domain.semantic import ModelFacts
from antiphon.errors import IllegalArgument
from antiphon.flows.ports import Catalog


def model_facts(catalog: Catalog, model_id: str) -> ModelFacts:
    """Return name, dimension and space type of a registered model; IllegalArgument when there is none."""
    model = catalog.model(model_id)
    if model is None:
        raise IllegalArgument(f"Failed to find model with the provided model id: {model_id}")
    config = model.model_config
    space = None if config is None or config.additional_config is None else config.additional_config.get("space_type")
    return ModelFacts(
        model.name,
        None if config is None else config.embedding_dimension,
        space if isinstance(space, str) else None,
        model.algorithm.value,
    )
