"""Commands on the user's own accounts: where the money lies that transactions move."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from engine.commands.types import TEXT_END, Balance, Currency, ExternalId, Name, Source

AccountType = Literal["wallet", "bank", "card", "cash", "loan", "investment"]
Mask = Annotated[
    str, Meta(pattern="^[0-9A-Za-z]{1,6}" + TEXT_END, description="the last characters of the number, at most 6")
]


class AccountFields(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """An account. `balance` in minor units of its own `currency`: what is owed (card, loan) is negative."""

    name: Name
    currency: Currency
    provider: Source | None = None
    """The `source` whose events name this account by `external_id`; None: any source's."""
    external_id: ExternalId | None = None
    """The provider's own reference of the account."""
    mask: Mask | None = None
    balance: Balance | None = None
    balance_at: datetime | None = None
    """When it was so; None: now."""
    funds_savings: bool = False
    """Whether round-ups are taken from this account, so that a floor looks at its balance. At most one is."""


class CreateAccount(AccountFields, frozen=True, kw_only=True, omit_defaults=True, tag="create_account"):
    """Link an account."""

    account_type: AccountType


class AccountChanges(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A change of an account; an absent field stays. A `balance` is a dated statement, not an edit of the last one."""

    name: Name | UnsetType = UNSET
    provider: Source | None | UnsetType = UNSET
    external_id: ExternalId | None | UnsetType = UNSET
    mask: Mask | None | UnsetType = UNSET
    balance: Balance | UnsetType = UNSET
    balance_at: datetime | None = None
    funds_savings: bool | UnsetType = UNSET


class EditAccount(AccountChanges, frozen=True, kw_only=True, omit_defaults=True, tag="edit_account"):
    """Change an account."""

    account_id: str
    account_type: AccountType | UnsetType = UNSET


class RemoveAccount(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="remove_account"):
    """Forget an account and its balances; transactions keep its id as text."""

    account_id: str
