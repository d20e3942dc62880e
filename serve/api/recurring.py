"""Schedules: what comes again and again."""

from msgspec import Struct, structs

from engine.commands import (
    CreateRecurring,
    DeleteRecurring,
    EditRecurring,
    RecurringChanges,
    RecurringFields,
    UnlinkRecurring,
)
from engine.planning.queries_planning import GetRecurring, GetSchedules
from engine.planning.views_recurring import RecurringView
from serve.api.paging import PageQuery
from serve.api.routing import Answer, Call, route


class RecurringPage(Struct, frozen=True):
    """A page of schedules, newest first."""

    items: list[RecurringView]
    next_cursor: str | None = None


class Unlinking(Struct, frozen=True, forbid_unknown_fields=True):
    """The payment that was not the schedule's."""

    transaction_id: str


async def create_recurring(call: Call) -> Answer:
    """Make a schedule."""
    return await call.tell(CreateRecurring(**structs.asdict(call.body)), 201)


async def list_recurring(call: Call) -> Answer:
    """List the schedules."""
    return await call.ask(GetSchedules(limit=call.query.limit, cursor=call.query.cursor))


async def show_recurring(call: Call) -> Answer:
    """Read a schedule."""
    return await call.ask(GetRecurring(call.path["recurring_id"]))


async def change_recurring(call: Call) -> Answer:
    """Change a schedule; another rule or start plans it anew from today."""
    fields = {name: getattr(call.body, name) for name in RecurringChanges.__struct_fields__}
    return await call.tell(EditRecurring(recurring_id=call.path["recurring_id"], **fields))


async def delete_recurring(call: Call) -> Answer:
    """End a schedule."""
    answer = await call.tell(DeleteRecurring(recurring_id=call.path["recurring_id"]))
    return Answer(b"", 204, answer.headers)


async def unlink_recurring(call: Call) -> Answer:
    """Say that a payment was not the schedule's; its date is open to another again."""
    command = UnlinkRecurring(recurring_id=call.path["recurring_id"], transaction_id=call.body.transaction_id)
    return await call.tell(command)


ROUTES = [
    route("POST /recurring", create_recurring, tag="recurring", body=RecurringFields, answer=RecurringView, status=201),
    route("GET /recurring", list_recurring, tag="recurring", query=PageQuery, answer=RecurringPage),
    route("GET /recurring/{recurring_id}", show_recurring, tag="recurring", answer=RecurringView),
    route(
        "PATCH /recurring/{recurring_id}",
        change_recurring,
        tag="recurring",
        body=RecurringChanges,
        answer=RecurringView,
    ),
    route("DELETE /recurring/{recurring_id}", delete_recurring, tag="recurring", status=204),
    route(
        "POST /recurring/{recurring_id}/unlink", unlink_recurring, tag="recurring", body=Unlinking, answer=RecurringView
    ),
]
