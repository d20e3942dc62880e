"""The user's own accounts, and what is known of their balances. (Signing up and in is `accounts.py`.)"""

from msgspec import UNSET, Struct, UnsetType

from engine.accounts.views_accounts import AccountView, BalanceView
from engine.commands import (
    AccountChanges,
    AccountFields,
    AccountType,
    CreateAccount,
    EditAccount,
    RemoveAccount,
)
from engine.queries import GetAccount, GetAccounts, GetBalances
from serve.api.paging import PageQuery
from serve.api.routing import Answer, Call, route


class AccountBody(AccountFields, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """An account to link."""

    type: AccountType


class AccountPatch(AccountChanges, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A change of an account; its currency stays."""

    type: AccountType | UnsetType = UNSET


class AccountPage(Struct, frozen=True):
    """A page of accounts, newest first."""

    items: list[AccountView]
    next_cursor: str | None = None


class BalancePage(Struct, frozen=True):
    """A page of the balances that were stated, newest first."""

    items: list[BalanceView]
    next_cursor: str | None = None


async def create_account(call: Call) -> Answer:
    """Link an account; its `balance` is a statement, dated `balance_at` or now."""
    fields = {name: getattr(call.body, name) for name in AccountFields.__struct_fields__}
    return await call.tell(CreateAccount(account_type=call.body.type, **fields), 201)


async def list_accounts(call: Call) -> Answer:
    """List the accounts."""
    return await call.ask(GetAccounts(limit=call.query.limit, cursor=call.query.cursor))


async def show_account(call: Call) -> Answer:
    """Read an account and what is known of its balance."""
    return await call.ask(GetAccount(call.path["account_id"]))


async def change_account(call: Call) -> Answer:
    """Change an account, or state its balance."""
    fields = {name: getattr(call.body, name) for name in AccountChanges.__struct_fields__}
    edit = EditAccount(account_id=call.path["account_id"], account_type=call.body.type, **fields)
    return await call.tell(edit)


async def remove_account(call: Call) -> Answer:
    """Forget an account; transactions keep its id as text."""
    answer = await call.tell(RemoveAccount(account_id=call.path["account_id"]))
    return Answer(b"", 204, answer.headers)


async def list_balances(call: Call) -> Answer:
    """List the balances that were stated of an account: the last of each local date, at most 31."""
    wanted = GetBalances(account_id=call.path["account_id"], limit=call.query.limit, cursor=call.query.cursor)
    return await call.ask(wanted)


_TAKEN = ((409, "30 accounts are there, or another has this external_id"),)

ROUTES = [
    route(
        "POST /accounts", create_account, tag="balances", body=AccountBody, answer=AccountView, status=201, also=_TAKEN
    ),
    route("GET /accounts", list_accounts, tag="balances", query=PageQuery, answer=AccountPage),
    route("GET /accounts/{account_id}", show_account, tag="balances", answer=AccountView),
    route(
        "PATCH /accounts/{account_id}",
        change_account,
        tag="balances",
        body=AccountPatch,
        answer=AccountView,
        also=_TAKEN,
    ),
    route("DELETE /accounts/{account_id}", remove_account, tag="balances", status=204),
    route("GET /accounts/{account_id}/balances", list_balances, tag="balances", query=PageQuery, answer=BalancePage),
]
