"""What events of accounts do to the state."""

from engine.accounts import accounts
from engine.events import AccountCreated, AccountEdited, AccountRemoved
from engine.evolution.handler import Evolve
from engine.state import UserState


def _created(state: UserState, event: AccountCreated) -> None:
    accounts.created(state.accounts, event)


def _edited(state: UserState, event: AccountEdited) -> None:
    accounts.described(state.accounts, event)


def _removed(state: UserState, event: AccountRemoved) -> None:
    state.accounts.pop(event.account_id)


EVOLVE: dict[type, Evolve] = {AccountCreated: _created, AccountEdited: _edited, AccountRemoved: _removed}
