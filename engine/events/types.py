"""What events are made of."""

from datetime import date

from msgspec import Struct


class Posting(Struct, frozen=True, array_like=True, gc=False):
    """One leg of a double entry: positive debits the account, negative credits it."""

    account: str
    amount: int
    currency: str


class JarShare(Struct, frozen=True, gc=False):
    """What one jar received."""

    jar_id: str
    amount: int


class DatedAmount(Struct, frozen=True, gc=False):
    """An amount on a local date."""

    local_date: date
    amount: int
