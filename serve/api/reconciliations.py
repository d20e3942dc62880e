"""Reconciliation of a day: what we think was moved against the host's own statement of it."""

from datetime import date, datetime, timedelta
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from engine import periods
from engine.settlement import reconciliation, rows_settlement
from engine.settlement.reconciliation import ENTRIES_MAX, Difference, Entry, Sum
from engine.settlement.views_settlement import InstructionView
from serve.api.routing import Answer, Call, route
from serve.api.settlement import ACTING, EARLIEST_YEAR, LATEST_YEAR
from serve.envelopes import TENANT_DEFAULTS
from serve.problems import Trouble, field_trouble

STATEMENT_BYTES_MAX = 4 * 1024 * 1024
WAITING_SHOWN_MAX = 500
_PAGE = 500
_ENTRIES = msgspec.msgpack.Decoder(list[Entry])


class Statement(Struct, frozen=True, forbid_unknown_fields=True):
    """What the host says it moved on the day: done and failed, each line with an `instruction_id` or a `reference`."""

    items: Annotated[list[Entry], Meta(max_length=ENTRIES_MAX)]


class Reconciliation(Struct, frozen=True, kw_only=True):
    """A day in the tenant's zone. `agreed` and `differences` compare with the statement, null before one came.

    `here` sums what was done; `waiting` are instructions of that day or before that nobody has reported, oldest first.
    """

    date: date
    time_zone: str
    here: list[Sum]
    failed: int
    waiting: list[InstructionView]
    statement_at: datetime | None
    agreed: int | None
    differences: list[Difference] | None


async def show(call: Call) -> Answer:
    """Compare what we think of a day with what the host reported and stated."""
    day = _day(call)
    kept = await call.services.statements.read(call.caller.tenant, day)
    entries = None if kept is None else _ENTRIES.decode(kept.entries)
    return await _compared(call, day, entries, None if kept is None else kept.uploaded_at)


async def upload(call: Call) -> Answer:
    """Take the host's statement of a day, in place of the one before it, and compare."""
    day, body = _day(call), call.body
    for number, entry in enumerate(body.items):
        if entry.instruction_id is None and entry.reference is None:
            raise field_trouble(f"items[{number}]", "names neither an instruction_id nor a reference")
    at = call.services.now()
    encoded = msgspec.msgpack.encode(body.items)
    await call.services.statements.save(call.caller.tenant, day, at=at, by=call.caller.name, entries=encoded)
    return await _compared(call, day, body.items, at)


def _day(call: Call) -> date:
    if call.caller.role not in ACTING:
        raise Trouble(403, "Only the host (role service) reconciles.", name="forbidden")
    try:
        day = date.fromisoformat(call.path["date"])
    except ValueError:
        raise field_trouble("date", "must be a date, such as 2026-11-20") from None
    if not EARLIEST_YEAR <= day.year <= LATEST_YEAR:
        raise field_trouble("date", f"lies outside the years {EARLIEST_YEAR} to {LATEST_YEAR}")
    return day


async def _compared(call: Call, day: date, entries: list[Entry] | None, at: datetime | None) -> Answer:
    zone = TENANT_DEFAULTS.time_zone
    begin, end = periods.local_midnight(day, zone), periods.local_midnight(day + timedelta(days=1), zone)
    done = await _instructions(call, "done", begin, end)
    failed = await _instructions(call, "failed", begin, end)
    ours = done + failed
    agreed, differences = None, None
    if entries is not None:
        known = {one.instruction_id for one in ours}
        names = {one.instruction_id for one in entries if one.instruction_id is not None} - known
        rows = await call.services.read_model.records_named(call.caller.tenant, rows_settlement.KIND, sorted(names))
        elsewhere = {row.record_id: rows_settlement.decode(row.sealed) for row in rows}
        agreed, differences = reconciliation.compare(ours, elsewhere, entries)
    view = Reconciliation(
        date=day,
        time_zone=zone,
        here=reconciliation.sums(done),
        failed=len(failed),
        waiting=await _instructions(call, "open", None, end, limit=WAITING_SHOWN_MAX),
        statement_at=at,
        agreed=agreed,
        differences=differences,
    )
    return Answer(msgspec.json.encode(view))


async def _instructions(
    call: Call, state: str, begin: datetime | None, end: datetime, limit: int | None = None
) -> list[InstructionView]:
    """Return the instructions of a state within a time, all of them or the first `limit`. Refuses too many."""
    found: list[InstructionView] = []
    after: tuple[datetime, str, str] | None = None
    while limit is None or len(found) < limit:
        rows = await call.services.read_model.records(
            call.caller.tenant, rows_settlement.KIND, limit=_PAGE, state=state, from_=begin, to=end, after=after
        )
        found += [rows_settlement.decode(row.sealed) for row in rows]
        if len(rows) < _PAGE:
            break
        if len(found) > ENTRIES_MAX:
            raise Trouble(409, f"More than {ENTRIES_MAX} instructions ended that day; reconcile from the feed instead.")
        after = (rows[-1].at, rows[-1].entity_id, rows[-1].record_id)
    return found


_TOO_MANY = ((409, f"More than {ENTRIES_MAX} instructions ended that day"),)

ROUTES = [
    route("GET /reconciliations/{date}", show, tag="settlement", answer=Reconciliation, also=_TOO_MANY),
    route(
        "POST /reconciliations/{date}",
        upload,
        tag="settlement",
        body=Statement,
        answer=Reconciliation,
        body_bytes_max=STATEMENT_BYTES_MAX,
    ),
]
