"""Events of accounts. A balance is what someone said at a time: a statement, never a posting."""

from datetime import date, datetime

from msgspec import Struct

from engine.commands import AccountType


class Statement(Struct, frozen=True, omit_defaults=True, gc=False):
    """The balance of an account at an instant; `day` is its local date. What is owed is negative."""

    at: datetime
    day: date
    amount: int


class AccountDescription(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The whole description of an account, and the balance that was stated with it."""

    account_id: str
    at: datetime
    name: str
    type: AccountType
    currency: str
    provider: str | None = None
    external_id: str | None = None
    mask: str | None = None
    funds_savings: bool = False
    stated: Statement | None = None


class AccountCreated(
    AccountDescription, frozen=True, kw_only=True, omit_defaults=True, tag_field="event", tag="account_created"
):
    """An account is linked."""


class AccountEdited(
    AccountDescription, frozen=True, kw_only=True, omit_defaults=True, tag_field="event", tag="account_edited"
):
    """An account is described anew, or its balance stated."""


class AccountRemoved(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="event", tag="account_removed"):
    """An account is forgotten."""

    account_id: str
    at: datetime
