"""Budgets: limits by category and period."""

from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from engine.commands import Amount, BudgetPeriod, DeleteBudget, Rollover, SetBudget, Slug
from engine.planning.views_budgets import BudgetView
from engine.queries import GetBudgets
from serve.api.paging import PageQuery
from serve.api.routing import Answer, Call, route
from serve.problems import field_trouble


class BudgetPage(Struct, frozen=True):
    """A page of budgets, newest first."""

    items: list[BudgetView]
    next_cursor: str | None = None


class BudgetBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`limit` in minor units; `starts_on` is a day of the month (29-31 clamp), or an ISO weekday of a weekly budget.

    `rollover` says what goes into the next period: `none`, what is left (`surplus`), or what was lacking too (`all`).
    """

    limit: Amount
    period: BudgetPeriod = "monthly"
    starts_on: Annotated[int, Meta(ge=1, le=31)] | None = None
    rollover: Rollover = "none"


class BudgetRemoval(Struct, frozen=True, forbid_unknown_fields=True):
    """`period` names one of the category's budgets; without it all of them go."""

    period: BudgetPeriod | None = None
    user_id: str | None = None


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


ROUTES = [
    route("PUT /budgets/{category}", set_budget, tag="budgets", body=BudgetBody, answer=BudgetView),
    route("GET /budgets", list_budgets, tag="budgets", query=PageQuery, answer=BudgetPage),
    route("DELETE /budgets/{category}", delete_budget, tag="budgets", query=BudgetRemoval, status=204),
]
