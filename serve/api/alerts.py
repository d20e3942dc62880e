"""The alerts of a user, newest first."""

from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from engine.alerts import AlertView
from serve.api.routing import Answer, Call, route
from serve.api.savings import PageQuery

_ALERTS = msgspec.msgpack.Decoder(AlertView)
AlertId = Annotated[str, Meta(pattern=r"^[0-9a-f-]{1,64}$")]


class AlertPage(Struct, frozen=True):
    """A page of alerts, newest first; each carries the `seq` of its turn."""

    items: list[AlertView]
    next_cursor: str | None = None


class AlertQuery(PageQuery, frozen=True, forbid_unknown_fields=True):
    """Which page of the alerts."""

    cursor: AlertId | None = None


async def listing(call: Call) -> Answer:
    """List the alerts."""
    wanted: AlertQuery = call.query
    rows = await call.services.read_model.alerts(call.entity_id, limit=wanted.limit + 1, before=wanted.cursor)
    shown = [_ALERTS.decode(row.sealed) for row in rows[: wanted.limit]]
    return Answer(msgspec.json.encode(AlertPage(shown, shown[-1].alert_id if len(rows) > wanted.limit else None)))


ROUTES = [route("GET /alerts", listing, tag="insights", query=AlertQuery, answer=AlertPage)]
