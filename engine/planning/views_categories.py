"""Categories on the wire."""

from msgspec import Struct

from engine.planning.categories import Categories, Own
from engine.planning.taxonomy import CATEGORIES, LOCALES, Category


class CategoryView(Struct, frozen=True, kw_only=True):
    """A category: `name` in the locale that was asked for, `names` in all; `own` ones can be renamed and archived."""

    slug: str
    name: str
    names: dict[str, str]
    parent: str | None
    icon: str | None
    own: bool
    archived: bool


def category(categories: Categories, slug: str, locale: str = "en") -> CategoryView:
    """Return a known category."""
    name = categories.name(slug, locale)
    one = categories.own.get(slug)
    return _of_product(CATEGORIES[slug], name) if one is None else _of_person(one, name)


def known(categories: Categories, locale: str, *, archived: bool) -> list[CategoryView]:
    """Return the person's own categories, newest first, then those of the product."""
    own = [slug for slug, one in reversed(categories.own.items()) if archived or not one.archived]
    return [category(categories, slug, locale) for slug in (*own, *CATEGORIES)]


def _of_product(one: Category, name: str) -> CategoryView:
    names = dict(zip(LOCALES, one.names, strict=True))
    return CategoryView(
        slug=one.slug, name=name, names=names, parent=one.parent, icon=one.icon, own=False, archived=False
    )


def _of_person(one: Own, name: str) -> CategoryView:
    return CategoryView(
        slug=one.slug, name=name, names=one.names, parent=one.parent, icon=one.icon, own=True, archived=one.archived
    )
