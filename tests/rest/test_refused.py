"""Every path of the table of what is not here is refused by name, whatever is asked below it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import pytest

from antiphon.rest.call import Route
from antiphon.rest.refused import REFUSED_ROUTES
from tests.support.server import running_server


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with running_server(tmp_path_factory.mktemp("rest")) as server:
        yield server.client


@pytest.mark.parametrize("route", REFUSED_ROUTES, ids=lambda route: route.path)
def test_a_path_that_is_not_here_is_refused_by_name(client: httpx.Client, route: Route) -> None:
    path = re.sub(r"\{[^}]+\}", "x", route.path)
    for method in route.methods.split():
        answer = client.request(method, path)
        body = answer.json()
        assert (answer.status_code, body["status"]) == (400, 400), method
        assert body["error"]["type"] == "illegal_argument_exception"
        assert re.match(r"\[.+\].* (is|are) not supported", body["error"]["reason"])
