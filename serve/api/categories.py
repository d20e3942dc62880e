"""Categories: those of the product, and a person's own."""

from typing import Annotated

from msgspec import Meta, Struct, structs

from engine.commands import CategoryChanges, CategoryFields, CreateCategory, EditCategory
from engine.planning.queries_planning import GetCategories
from engine.planning.views_categories import CategoryView
from serve.api.routing import Answer, Call, route


class CategoryQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """Which page, in which language (`en`, `hi`, `id`, or one of your own names), and whether with archived ones."""

    limit: Annotated[int, Meta(ge=1, le=500)] = 50
    cursor: str | None = None
    locale: Annotated[str, Meta(max_length=8)] = "en"
    archived: bool = False
    user_id: str | None = None


class CategoryPage(Struct, frozen=True):
    """A page of categories: one's own, newest first, then those of the product."""

    items: list[CategoryView]
    next_cursor: str | None = None


async def list_categories(call: Call) -> Answer:
    """List the categories."""
    asked: CategoryQuery = call.query
    return await call.ask(
        GetCategories(limit=asked.limit, cursor=asked.cursor, locale=asked.locale, archived=asked.archived)
    )


async def create_category(call: Call) -> Answer:
    """Make a category of your own."""
    return await call.tell(CreateCategory(**structs.asdict(call.body)), 201)


async def change_category(call: Call) -> Answer:
    """Rename or archive a category of your own."""
    fields = {name: getattr(call.body, name) for name in CategoryChanges.__struct_fields__}
    return await call.tell(EditCategory(slug=call.path["slug"], **fields))


ROUTES = [
    route("GET /categories", list_categories, tag="categories", query=CategoryQuery, answer=CategoryPage),
    route("POST /categories", create_category, tag="categories", body=CategoryFields, answer=CategoryView, status=201),
    route("PATCH /categories/{slug}", change_category, tag="categories", body=CategoryChanges, answer=CategoryView),
]
