"""What can be read of a person's plans: categories."""

from typing import Annotated

from msgspec import Meta, Struct

from engine import views_categories
from engine.paging import page
from engine.state import UserState


class GetCategories(Struct, frozen=True, omit_defaults=True, tag="categories"):
    """The categories: one's own, newest first, then those of the product; `locale` of their names."""

    limit: Annotated[int, Meta(ge=1, le=500)] = 50
    cursor: str | None = None
    locale: str = "en"
    archived: bool = False


PlanningQuery = GetCategories


def answer(state: UserState, query: PlanningQuery) -> Struct:
    """Answer from the state alone."""
    known = views_categories.known(state.categories, query.locale, archived=query.archived)
    return page(known, "slug", query.limit, query.cursor)
