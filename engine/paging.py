"""Pages of the lists that an actor holds."""

from typing import Any

from engine.behaviour import invalid
from engine.views import Page


def page(items: list[Any], id_field: str, limit: int, cursor: str | None) -> Page:
    """Return `limit` items after the one whose id is `cursor`. Raises `Refused` for a cursor of another list."""
    if cursor is not None:
        ids = [getattr(item, id_field) for item in items]
        if cursor not in ids:
            raise invalid("cursor", f"{cursor!r} is not a cursor of this list; begin without one")
        items = items[ids.index(cursor) + 1 :]
    shown = items[:limit]
    return Page(shown, getattr(shown[-1], id_field) if len(items) > limit else None)
