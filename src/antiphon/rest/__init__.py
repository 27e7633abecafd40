"""Who is asking? The HTTP side: one table of routes, thin handlers, errors as OpenSearch's envelope."""

from antiphon.rest.api import create_api
from antiphon.rest.call import Identity

__all__ = ["Identity", "create_api"]
