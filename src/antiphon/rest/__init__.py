"""Who is asking? The HTTP side: one table of routes, thin handlers, errors as OpenSearch's envelope."""

from antiphon.rest.api import create_api
from antiphon.rest.call import Identity
from antiphon.rest.exchange import AsgiApp

__all__ = ["AsgiApp", "Identity", "create_api"]
