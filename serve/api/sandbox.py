"""The clock of a sandbox."""

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from actors.clock import ClockRefused, ClockState, ClockTable
from serve.api.routing import Answer, Call, NoQuery, route
from serve.problems import Trouble, field_trouble


class Advance(Struct, frozen=True, forbid_unknown_fields=True):
    """Where to put the clock: a time with its offset, after the present time of the instance."""

    advance_to: Annotated[datetime, Meta(tz=True)]


def _clock(call: Call) -> ClockTable:
    if call.caller.role not in ("service", "admin"):
        raise Trouble(403, "Only a service or an admin handles the clock.", name="forbidden")
    if call.services.clock is None:
        raise Trouble(404, "This instance is no sandbox: its clock is the real one (BOOND_SANDBOX).", name="not-found")
    return call.services.clock


async def show_clock(call: Call) -> Answer:
    """Return the instance's time, and how many timers are due by it and have not fired yet."""
    return Answer(msgspec.json.encode(await _clock(call).state()))


async def advance_clock(call: Call) -> Answer:
    """Put the instance's clock forward; timers that are due by then fire in the order of their times."""
    clock = _clock(call)
    try:
        return Answer(msgspec.json.encode(await clock.advance(call.body.advance_to)))
    except ClockRefused as error:
        raise field_trouble("advance_to", str(error)) from None


ROUTES = [
    route("GET /sandbox/clock", show_clock, tag="sandbox", answer=ClockState, query=NoQuery),
    route("POST /sandbox/clock", advance_clock, tag="sandbox", body=Advance, answer=ClockState, query=NoQuery),
]
