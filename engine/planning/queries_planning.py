"""What can be read of a person's plans: categories, schedules, summaries."""

from typing import Annotated

from msgspec import Meta, Struct

from engine.paging import page
from engine.planning import recurring, summaries, views_categories, views_recurring
from engine.state import UserState


class GetCategories(Struct, frozen=True, omit_defaults=True, tag="categories"):
    """The categories: one's own, newest first, then those of the product; `locale` of their names."""

    limit: Annotated[int, Meta(ge=1, le=500)] = 50
    cursor: str | None = None
    locale: str = "en"
    archived: bool = False


class GetSchedules(Struct, frozen=True, omit_defaults=True, tag="schedules"):
    """The schedules, newest first."""

    limit: Annotated[int, Meta(ge=1, le=500)] = 50
    cursor: str | None = None


class GetRecurring(Struct, frozen=True, tag="recurring"):
    """One schedule."""

    recurring_id: str


class GetSummaries(Struct, frozen=True, omit_defaults=True, tag="summaries"):
    """The weekly summaries, newest first."""

    limit: Annotated[int, Meta(ge=1, le=500)] = 50
    cursor: str | None = None


PlanningQuery = GetCategories | GetSchedules | GetRecurring | GetSummaries


def answer(state: UserState, query: PlanningQuery) -> Struct:
    """Answer from the state alone."""
    currency = state.profile.currency
    match query:
        case GetCategories(limit, cursor, locale, archived):
            return page(views_categories.known(state.categories, locale, archived=archived), "slug", limit, cursor)
        case GetSchedules(limit, cursor):
            newest = [views_recurring.schedule(one, currency) for one in reversed(state.recurring.values())]
            return page(newest, "recurring_id", limit, cursor)
        case GetSummaries(limit, cursor):
            return page(summaries.newest(state), "summary_id", limit, cursor)
        case GetRecurring(recurring_id):
            return views_recurring.schedule(recurring.find(state.recurring, recurring_id), currency)
