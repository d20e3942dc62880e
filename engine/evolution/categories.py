"""What events of categories do to the state."""

from engine.events import CategoryCreated, CategoryEdited
from engine.evolution.handler import Evolve
from engine.planning import categories, spent
from engine.state import UserState


def _created(state: UserState, event: CategoryCreated) -> None:
    categories.created(state.categories, event)
    spent.adopt(state, event)


def _edited(state: UserState, event: CategoryEdited) -> None:
    categories.edited(state.categories, event)


EVOLVE: dict[type, Evolve] = {CategoryCreated: _created, CategoryEdited: _edited}
