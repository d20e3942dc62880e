"""Decides commands on accounts."""

from engine.accounts import accounts
from engine.accounts.views_accounts import account
from engine.behaviour import Context, Decision, Facts
from engine.commands import CreateAccount, EditAccount, RemoveAccount
from engine.decisions.answers import shown
from engine.decisions.handler import Decide
from engine.events import AccountCreated, AccountEdited
from engine.state import UserState
from engine.views import Shown


def _create(state: UserState, command: CreateAccount, _: Facts, context: Context) -> Decision:
    return _shown(state, accounts.create(state.accounts, command, state.profile, context))


def _edit(state: UserState, command: EditAccount, _: Facts, context: Context) -> Decision:
    return _shown(state, accounts.edit(state.accounts, command, state.profile, context))


def _shown(state: UserState, event: AccountCreated | AccountEdited) -> Decision:
    return shown(state, [event], lambda after: account(after.accounts[event.account_id]))


def _remove(state: UserState, command: RemoveAccount, _: Facts, context: Context) -> Decision:
    event = accounts.remove(state.accounts, command, context)
    return Decision([event], Shown({"account_id": event.account_id}))


DECIDE: dict[type, Decide] = {CreateAccount: _create, EditAccount: _edit, RemoveAccount: _remove}
