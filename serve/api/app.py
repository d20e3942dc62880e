"""The REST application: the table of routes on Litestar, problem documents for everything else."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from litestar import Litestar, Request, Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.response.base import ASGIResponse

from serve import request_ids
from serve.api import (
    accounts,
    alerts,
    asyncapi,
    balances,
    budgets,
    categories,
    feed,
    gateways,
    groups,
    health,
    insights,
    jars,
    leaderboards,
    mandates,
    openapi,
    pairs,
    reconciliations,
    recurring,
    sandbox,
    saving_challenges,
    settlement,
    summaries,
    tickets,
    transactions,
    turns,
)
from serve.api.measures import NO_ROUTE
from serve.api.routing import PREFIX, Route, handlers, of_exception
from serve.services import Services
from serve.settings import boond_version

ROUTES: list[Route] = [
    *accounts.ROUTES,
    *transactions.ROUTES,
    *balances.ROUTES,
    *pairs.ROUTES,
    *jars.ROUTES,
    *budgets.ROUTES,
    *groups.ROUTES,
    *categories.ROUTES,
    *recurring.ROUTES,
    *saving_challenges.ROUTES,
    *leaderboards.ROUTES,
    *summaries.ROUTES,
    *insights.ROUTES,
    *alerts.ROUTES,
    *settlement.ROUTES,
    *mandates.ROUTES,
    *reconciliations.ROUTES,
    *tickets.ROUTES,
    *gateways.ROUTES,
    *turns.ROUTES,
    *feed.ROUTES,
    *sandbox.ROUTES,
    *health.ROUTES,
]


def _documents() -> list[HTTPRouteHandler]:
    described = openapi.document(ROUTES, boond_version())
    encoded, shown = msgspec.json.encode(described), openapi.page(described).encode()
    pushed = msgspec.json.encode(asyncapi.document(boond_version()))

    @get(f"{PREFIX}/openapi.json", include_in_schema=False)
    async def document(request: Request[Any, Any, Any]) -> ASGIResponse:
        return ASGIResponse(body=encoded, media_type="application/json", headers=_told(request))

    @get(f"{PREFIX}/asyncapi.json", include_in_schema=False)
    async def live(request: Request[Any, Any, Any]) -> ASGIResponse:
        return ASGIResponse(body=pushed, media_type="application/json", headers=_told(request))

    @get([f"{PREFIX}/docs", "/"], include_in_schema=False)
    async def page(request: Request[Any, Any, Any]) -> ASGIResponse:
        return ASGIResponse(body=shown, media_type="text/html", headers=_told(request))

    return [document, live, page]


def _told(request: Request[Any, Any, Any]) -> dict[str, str]:
    return {"x-request-id": request_ids.accept(request.headers.get("x-request-id", ""))}


def refused(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Answer what no handler saw (unknown path, wrong method ...) with a problem document."""
    told = _told(request)
    answer = of_exception(error, told["x-request-id"])
    headers = {**answer.headers, **told}
    return Response(answer.body, status_code=answer.status, headers=headers, media_type=answer.media_type)


def build_app(services_of: Any) -> Litestar:
    """Return the application over services made by the async context manager `services_of(app)`."""
    held: dict[str, Services] = {}

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncGenerator[None, None]:
        async with services_of(app) as services:
            held["services"] = services
            yield

    def unrouted(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
        answer = refused(request, error)
        held["services"].measures.requests.inc("(any)", NO_ROUTE, str(answer.status_code))
        return answer

    return Litestar(
        [*handlers(ROUTES, lambda: held["services"]), *_documents()],
        lifespan=[lifespan],
        exception_handlers={Exception: unrouted},
        openapi_config=None,
        request_max_body_size=None,
        logging_config=None,
    )
