"""The alerts of a user, newest first."""

import msgspec
from msgspec import Struct

from engine.alerts import AlertView
from serve.api.paging import PageQuery, decode_cursor, encode_cursor
from serve.api.routing import Answer, Call, route

_ALERTS = msgspec.msgpack.Decoder(AlertView)


class AlertPage(Struct, frozen=True):
    """A page of alerts, newest first; each carries the `seq` of its turn."""

    items: list[AlertView]
    next_cursor: str | None = None


async def listing(call: Call) -> Answer:
    """List the alerts."""
    wanted: PageQuery = call.query
    rows = await call.services.read_model.alerts(
        call.entity_id, limit=wanted.limit + 1, before=decode_cursor(wanted.cursor)
    )
    shown = [_ALERTS.decode(row.sealed) for row in rows[: wanted.limit]]
    last = rows[wanted.limit - 1] if len(rows) > wanted.limit else None
    return Answer(msgspec.json.encode(AlertPage(shown, encode_cursor((last.at, last.row_id)) if last else None)))


ROUTES = [route("GET /alerts", listing, tag="insights", query=PageQuery, answer=AlertPage)]
