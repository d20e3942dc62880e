"""Decides commands on a person's own categories."""

from msgspec import structs

from engine.behaviour import Context, Decision, Facts
from engine.commands import CreateCategory, EditCategory
from engine.decisions.answers import shown, today_of
from engine.decisions.handler import Decide
from engine.planning import categories, spent, views_categories
from engine.state import UserState


def _create(state: UserState, command: CreateCategory, _: Facts, context: Context) -> Decision:
    today = today_of(state, context)
    event = categories.create(state.categories, state.spending, command, context, today)
    event = structs.replace(event, told=spent.passed_by_adopting(state, event))
    return shown(state, [event], lambda after: views_categories.category(after.categories, event.slug))


def _edit(state: UserState, command: EditCategory, _: Facts, context: Context) -> Decision:
    event = categories.edit(state.categories, command, context)
    return shown(state, [event], lambda after: views_categories.category(after.categories, event.slug))


DECIDE: dict[type, Decide] = {CreateCategory: _create, EditCategory: _edit}
