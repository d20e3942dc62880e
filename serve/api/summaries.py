"""Weekly summaries."""

from msgspec import Struct

from engine.events.summaries import Summary
from engine.planning.queries_planning import GetSummaries
from serve.api.paging import PageQuery
from serve.api.routing import Answer, Call, route


class SummaryPage(Struct, frozen=True):
    """A page of summaries, newest first; a year of them is kept."""

    items: list[Summary]
    next_cursor: str | None = None


async def list_summaries(call: Call) -> Answer:
    """List the weekly summaries."""
    return await call.ask(GetSummaries(limit=call.query.limit, cursor=call.query.cursor))


ROUTES = [route("GET /summaries", list_summaries, tag="insights", query=PageQuery, answer=SummaryPage)]
