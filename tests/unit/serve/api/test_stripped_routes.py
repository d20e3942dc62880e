"""Serve strips an application's prefix from the path: its routes answer with and without it."""

from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest
from litestar import Litestar

from serve.api.measures import ApiMeasures
from serve.api.routing import Answer, Call, handlers, route
from serve.services import Services


async def named(call: Call) -> Answer:
    """Say the path of the route."""
    return Answer(call.route.path.encode())


@pytest.mark.parametrize("path", ["/api/v1/live/ticket", "/ticket"])
async def test_a_route_answers_with_its_prefix_and_without(path: str) -> None:
    table = [route("GET /live/ticket", named, tag="live", public=True)]
    services = SimpleNamespace(measures=ApiMeasures())
    app = Litestar(
        handlers(table, lambda: cast("Services", services), stripped="/live"), openapi_config=None, logging_config=None
    )
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=cast("Any", app)), base_url="http://boond") as http:
        assert (await http.get(path)).text == "/live/ticket"
