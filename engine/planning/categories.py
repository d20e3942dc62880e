"""Categories: those of the product and a person's own, in one tree. A budget on a parent counts each child once.

Any slug is a category: providers send what they like, and one that nobody named stands alone. Rules: docs/domain.md.
"""

import re
from datetime import date

from msgspec import UNSET, Struct, field

from engine.behaviour import Context, Refused, invalid
from engine.commands import CreateCategory, EditCategory
from engine.events import CategoryCreated, CategoryEdited
from engine.planning.spending import DAYS_KEPT, OVERALL, Slugs, Spending
from engine.planning.taxonomy import CATEGORIES, LINEAGE, LOCALES, MEMBERS

OWN_MAX = 100
DEPTH_MAX = 4
_SLUG_LENGTH_MAX = 40


class Own(Struct, kw_only=True):
    """A category of the person's own. `since`: the ordinal of the first day on which it counts in its parent."""

    slug: str
    name: str
    parent: str | None = None
    names: dict[str, str] = field(default_factory=dict)
    icon: str | None = None
    archived: bool = False
    since: int = 0


class Categories(Struct):
    """The person's own categories by slug, over the taxonomy of the product."""

    own: dict[str, Own] = field(default_factory=dict)

    def lineage(self, slug: str, ordinal: int) -> tuple[str, ...]:
        """Return a category and its ancestors, as they count for a spend on a local date."""
        one = self.own.get(slug) if self.own else None
        if one is None:
            return LINEAGE.get(slug) or (slug,)
        if one.parent is None or ordinal < one.since:
            return (slug,)
        return (slug, *self.lineage(one.parent, ordinal))

    def members(self, slug: str) -> Slugs:
        """Return the categories that a budget counts: itself and its descendants; None for `overall`, which is all."""
        if slug == OVERALL:
            return None
        members = MEMBERS.get(slug) or frozenset((slug,))
        below = [own for own in self.own if slug in self.lineage(own, date.max.toordinal())]
        return members.union(below) if below else members

    def knows(self, slug: str) -> bool:
        """Whether the category is of the product or the person's own."""
        return slug in CATEGORIES or slug in self.own

    def name(self, slug: str, locale: str = "en") -> str:
        """Return what a person calls it, in a locale as far as it is named there."""
        if slug in CATEGORIES:
            return CATEGORIES[slug].names[LOCALES.index(locale) if locale in LOCALES else 0]
        one = self.own.get(slug)
        if one is not None:
            return one.names.get(locale, one.name)
        return slug.replace("_", " ").replace("-", " ")

    def check_open(self, field: str, slug: str) -> None:
        """Refuse a category that is put away."""
        one = self.own.get(slug)
        if one is not None and one.archived:
            raise invalid(field, f"{slug!r} is archived; take it out of the archive or choose another category")


def create(
    categories: Categories, spending: Spending, command: CreateCategory, context: Context, today: date
) -> CategoryCreated:
    """Decide a category of the person's own; what was spent under its slug comes along, as far as days are kept."""
    if len(categories.own) >= OWN_MAX:
        raise Refused("conflict", f"a person has at most {OWN_MAX} categories of their own; rename one instead")
    slug = command.slug or _free_slug(categories, command.name, context)
    if slug == OVERALL:
        raise invalid("slug", f"{OVERALL!r} names the total of all categories; choose another")
    if categories.knows(slug):
        raise Refused("conflict", f"there is a category {slug!r} already; choose another slug, or rename that one")
    if command.parent is not None:
        _check_parent(categories, command.parent, slug)
    used = any(slug in sums for sums in (*spending.days.values(), *spending.months.values()))
    return CategoryCreated(
        slug=slug,
        at=context.at,
        local_date=today,
        name=command.name,
        parent=command.parent,
        names=command.names,
        icon=command.icon,
        since=date.fromordinal(spending.newest - DAYS_KEPT + 1) if used and command.parent else None,
    )


def _check_parent(categories: Categories, parent: str, slug: str) -> None:
    if parent == slug or not categories.knows(parent):
        raise invalid("parent", f"{parent!r} is no category of the product or your own; GET /categories lists them")
    categories.check_open("parent", parent)
    if len(categories.lineage(parent, date.max.toordinal())) >= DEPTH_MAX:
        raise invalid("parent", f"{parent!r} lies {DEPTH_MAX} levels deep already; choose one above it")


def _free_slug(categories: Categories, name: str, context: Context) -> str:
    """Return a slug for a name, numbered when it is taken; a name without Latin letters gets one from a fresh id."""
    plain = re.sub(r"[^a-z0-9]+", "_", name.lower()).lstrip("_0123456789")[: _SLUG_LENGTH_MAX - 4].rstrip("_")
    plain = plain or "own_" + context.new_id()[-12:]
    taken = (f"{plain}_{number}" for number in range(2, OWN_MAX + 3))
    free = (slug for slug in (plain, *taken) if slug != OVERALL and not categories.knows(slug))
    return next(free)


def edit(categories: Categories, command: EditCategory, context: Context) -> CategoryEdited:
    """Decide a new name, or the archive; those of the product stay as they are."""
    one = categories.own.get(command.slug)
    if one is None:
        if command.slug in CATEGORIES:
            raise Refused("conflict", f"{command.slug!r} is a category of the product; make one of your own under it")
        raise Refused("not_found", f"there is no category {command.slug!r} of your own")
    return CategoryEdited(
        slug=one.slug,
        at=context.at,
        name=one.name if command.name is UNSET else command.name,
        names=one.names if command.names is UNSET else command.names,
        icon=one.icon if command.icon is UNSET else command.icon,
        archived=one.archived if command.archived is UNSET else command.archived,
    )


def created(categories: Categories, event: CategoryCreated) -> None:
    """Take over a new category."""
    categories.own[event.slug] = Own(
        slug=event.slug,
        name=event.name,
        parent=event.parent,
        names=event.names,
        icon=event.icon,
        since=event.since.toordinal() if event.since else 0,
    )


def edited(categories: Categories, event: CategoryEdited) -> None:
    """Take over a changed description."""
    one = categories.own[event.slug]
    one.name, one.names, one.icon, one.archived = event.name, event.names, event.icon, event.archived
