"""What events are made of."""

from datetime import date
from typing import Literal

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


class Counted(Struct, frozen=True, omit_defaults=True, gc=False):
    """A change of what is spent on a local date in a category; `provisional`: how much of it may still change."""

    local_date: date
    category: str
    amount: int
    provisional: int = 0


class Hold(Struct, frozen=True, omit_defaults=True):
    """What an authorisation holds: `saved` is what it put into jars, in their provisional stage."""

    amount: int
    saved: list[JarShare] = []


PairType = Literal["transfer", "duplicate"]


class Suggestion(Struct, frozen=True, gc=False):
    """What a payment may belong to: the other leg of a transfer, or another report of the same payment."""

    type: PairType
    other_id: str
