"""Who else can answer? The one network door to another server: Antiphon's, or an OpenSearch cluster's."""

from antiphon.remote.bulk import Patience, outcome_status, send_bulk
from antiphon.remote.endpoint import DEFAULT_URL, Endpoint, read_endpoint
from antiphon.remote.rest_client import Exchange, RestClient, ndjson, one_index, segment

__all__ = [
    "DEFAULT_URL",
    "Endpoint",
    "Exchange",
    "Patience",
    "RestClient",
    "ndjson",
    "one_index",
    "outcome_status",
    "read_endpoint",
    "segment",
    "send_bulk",
]
