"""Commands on a person's own categories."""

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from engine.commands.types import PRINTABLE, TEXT_END, Slug

CategoryName = Annotated[str, Meta(min_length=1, max_length=60, pattern=PRINTABLE)]
Locale = Annotated[str, Meta(pattern="^[a-z]{2,3}(-[A-Z]{2})?" + TEXT_END, description="en, hi, pt-BR")]
Names = Annotated[dict[Locale, CategoryName], Meta(max_length=10)]
Icon = Annotated[str, Meta(min_length=1, max_length=32, pattern=PRINTABLE)]


class CategoryFields(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A category of one's own; without `slug` one is made from the name. Its parent stays for good."""

    name: CategoryName
    slug: Slug | None = None
    parent: Slug | None = None
    names: Names = {}
    """By locale; others read `name`."""
    icon: Icon | None = None


class CreateCategory(CategoryFields, frozen=True, kw_only=True, omit_defaults=True, tag="create_category"):
    """Make a category of one's own."""


class CategoryChanges(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A change of one's own category; an absent field stays, null clears it."""

    name: CategoryName | UnsetType = UNSET
    names: Names | UnsetType = UNSET
    icon: Icon | None | UnsetType = UNSET
    archived: bool | UnsetType = UNSET


class EditCategory(CategoryChanges, frozen=True, kw_only=True, omit_defaults=True, tag="edit_category"):
    """Rename or archive a category of one's own."""

    slug: str
