"""Jars, budgets, and what the actor knows of pace and streaks."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from engine import activity
from engine.activity import JarActivity
from engine.budgets import BudgetView
from engine.commands import (
    Amount,
    BudgetPeriod,
    CreateJar,
    DeleteBudget,
    DeleteJar,
    DepositToJar,
    EditJar,
    JarChanges,
    PositiveAmount,
    SetBudget,
    Slug,
)
from engine.queries import GetBudgets, GetBurnRate, GetJar, GetJars, GetOverview, GetStreaks
from engine.views import BurnRates, DepositView, JarView, Overview, StreaksView
from serve.api.routing import Answer, Call, route
from serve.problems import field_trouble

TURNS_A_READ, READS_MAX = 500, 8
"""A page of a jar's activity reads the journal back so far at most; the cursor goes on from there."""


class PageQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """Which page of a list."""

    limit: Annotated[int, Meta(ge=1, le=500)] = 50
    cursor: str | None = None
    user_id: str | None = None


class JarPage(Struct, frozen=True):
    """A page of jars, newest first."""

    items: list[JarView]
    next_cursor: str | None = None


class BudgetPage(Struct, frozen=True):
    """A page of budgets, newest first."""

    items: list[BudgetView]
    next_cursor: str | None = None


class ActivityPage(Struct, frozen=True):
    """A page of what moved in a jar; it may hold fewer items than `limit` and still have a next one."""

    items: list[JarActivity]
    next_cursor: str | None = None


class JarRemoval(Struct, frozen=True, forbid_unknown_fields=True):
    """`move_to` names the jar that takes what the deleted one holds."""

    move_to: str | None = None
    user_id: str | None = None


class Deposit(Struct, frozen=True, forbid_unknown_fields=True):
    """`amount` in minor units of the home currency."""

    amount: PositiveAmount


class BudgetBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`limit` in minor units; `starts_on` is a day of the month, or an ISO weekday of a weekly budget."""

    limit: Amount
    period: BudgetPeriod = "monthly"
    starts_on: Annotated[int, Meta(ge=1, le=31)] | None = None
    rollover: Literal["none"] = "none"


class BudgetRemoval(Struct, frozen=True, forbid_unknown_fields=True):
    """`period` names one of the category's budgets; without it all of them go."""

    period: BudgetPeriod | None = None
    user_id: str | None = None


async def create_jar(call: Call) -> Answer:
    """Make a jar."""
    return await call.tell(call.body, 201)


async def list_jars(call: Call) -> Answer:
    """List the jars."""
    return await call.ask(GetJars(limit=call.query.limit, cursor=call.query.cursor))


async def show_jar(call: Call) -> Answer:
    """Read a jar."""
    return await call.ask(GetJar(call.path["jar_id"]))


async def change_jar(call: Call) -> Answer:
    """Change a jar."""
    fields = {name: getattr(call.body, name) for name in JarChanges.__struct_fields__}
    return await call.tell(EditJar(jar_id=call.path["jar_id"], **fields))


async def delete_jar(call: Call) -> Answer:
    """Delete a jar; 409 with the balance when it holds money and `move_to` names none."""
    answer = await call.tell(DeleteJar(jar_id=call.path["jar_id"], move_to=call.query.move_to))
    return Answer(b"", 204, answer.headers)


async def deposit(call: Call) -> Answer:
    """Put money into a jar by hand."""
    return await call.tell(DepositToJar(jar_id=call.path["jar_id"], amount=call.body.amount), 201)


async def jar_activity(call: Call) -> Answer:
    """List what moved in a jar and why, newest first."""
    jar_id, wanted = call.path["jar_id"], call.query
    await call.ask(GetJar(jar_id))
    before = _position(wanted.cursor)
    items: list[JarActivity] = []
    read = TURNS_A_READ
    for _ in range(READS_MAX):
        turns = await call.services.read_model.turns(call.entity_id, limit=TURNS_A_READ, before=before)
        read = len(turns)
        for turn in turns:
            before = turn.seq
            items += activity.of_turn(turn, jar_id)
            if len(items) >= wanted.limit:
                break
        if read < TURNS_A_READ or len(items) >= wanted.limit:
            break
    more = before is not None and before > 1 and (read == TURNS_A_READ or len(items) >= wanted.limit)
    return Answer(msgspec.json.encode(ActivityPage(items, str(before) if more else None)))


def _position(cursor: str | None) -> int | None:
    if cursor is None:
        return None
    if not cursor.isascii() or not cursor.isdigit() or len(cursor) > 18:
        raise field_trouble("cursor", "is not a cursor of this list; begin without one")
    return int(cursor)


async def set_budget(call: Call) -> Answer:
    """Set the limit of a category, or of `overall`."""
    body: BudgetBody = call.body
    command = SetBudget(
        category=_category(call), limit=body.limit, period=body.period, starts_on=body.starts_on, rollover=body.rollover
    )
    return await call.tell(command)


def _category(call: Call) -> str:
    try:
        return msgspec.convert(call.path["category"], Slug)
    except msgspec.ValidationError:
        raise field_trouble("category", "must be a slug: a-z, 0-9, _ and -, beginning with a letter") from None


async def list_budgets(call: Call) -> Answer:
    """List the budgets."""
    return await call.ask(GetBudgets(limit=call.query.limit, cursor=call.query.cursor))


async def delete_budget(call: Call) -> Answer:
    """Remove the budgets of a category."""
    answer = await call.tell(DeleteBudget(category=_category(call), period=call.query.period))
    return Answer(b"", 204, answer.headers)


async def burn_rate(call: Call) -> Answer:
    """Read the burn rate."""
    return await call.ask(GetBurnRate())


async def streaks(call: Call) -> Answer:
    """Read the streaks."""
    return await call.ask(GetStreaks())


async def overview(call: Call) -> Answer:
    """Read everything a first screen shows, at one point of the journal (`seq`)."""
    return await call.ask(GetOverview())


ROUTES = [
    route("POST /jars", create_jar, tag="jars", body=CreateJar, answer=JarView, status=201),
    route("GET /jars", list_jars, tag="jars", query=PageQuery, answer=JarPage),
    route("GET /jars/{jar_id}", show_jar, tag="jars", answer=JarView),
    route("PATCH /jars/{jar_id}", change_jar, tag="jars", body=JarChanges, answer=JarView),
    route(
        "DELETE /jars/{jar_id}",
        delete_jar,
        tag="jars",
        query=JarRemoval,
        status=204,
        also=((409, "It holds money and move_to names no jar"),),
    ),
    route("POST /jars/{jar_id}/deposit", deposit, tag="jars", body=Deposit, answer=DepositView, status=201),
    route("GET /jars/{jar_id}/activity", jar_activity, tag="jars", query=PageQuery, answer=ActivityPage),
    route("PUT /budgets/{category}", set_budget, tag="budgets", body=BudgetBody, answer=BudgetView),
    route("GET /budgets", list_budgets, tag="budgets", query=PageQuery, answer=BudgetPage),
    route("DELETE /budgets/{category}", delete_budget, tag="budgets", query=BudgetRemoval, status=204),
    route("GET /burn-rate", burn_rate, tag="insights", answer=BurnRates),
    route("GET /streaks", streaks, tag="insights", answer=StreaksView),
    route("GET /overview", overview, tag="insights", answer=Overview),
]
