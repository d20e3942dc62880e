"""Foreign money in the home currency: exact, half-even, at the last rate on or before the day. Rules: docs/domain.md.

A report is converted before anything else sees it; `RecordTransaction.original` keeps what it said. One without a rate
stays in its own currency under the flag `rate_pending`, and a timer asks again.
"""

from datetime import date, datetime, timedelta

from msgspec import structs

from engine import money
from engine.behaviour import Context, invalid
from engine.commands import AMOUNT_MAX, ApplyRate, Foreign, RecordTransaction
from engine.events import TimerSet
from engine.outside import Outside, Rate
from engine.periods import local_date
from engine.profile import Profile

RATE_AGE_MAX = timedelta(days=31)
"""A rate older than this says nothing of a day: a month is the longest anyone publishes rates for."""
FIRST_RETRY = timedelta(hours=1)
TRIES_MAX = 10
"""Each waits twice as long as the one before: 42 days in all. An import of rates wakes them before."""


def converted(amount: int, currency: str, home: str, rate: Rate) -> int:
    """Return an amount in minor units of the home currency, half-even; `rate` is home for one `currency`."""
    above = amount * rate.numerator * money.minor_per_major(home)
    below = rate.denominator * money.minor_per_major(currency)
    whole, left = divmod(above, below)
    return whole + (2 * left > below or (2 * left == below and whole % 2 == 1))


def rate_of(currency: str, home: str, day: date, outside: Outside) -> Rate | None:
    """Return the last rate on or before a day that is not too old; None when there is none."""
    rate = outside.rate(currency, home, day)
    return rate if rate is not None and day - rate.day <= RATE_AGE_MAX else None


def shown(rate: Rate) -> str:
    """Return a rate as a decimal number of at most ten digits behind the point."""
    scaled = (2 * rate.numerator * 10**10 + rate.denominator) // (2 * rate.denominator)
    whole, part = divmod(scaled, 10**10)
    return f"{whole}.{part:010d}".rstrip("0").rstrip(".")


def at_home(command: RecordTransaction, profile: Profile, context: Context) -> RecordTransaction:
    """Return a foreign report in the home currency, what it said in `original`; as it is while there is no rate.

    A refund has the rate of its purchase. Raises `Refused` for an amount beyond what the home currency can hold.
    """
    if command.kind == "refund" or not money.known(command.currency):
        return command
    rate = rate_of(command.currency, profile.currency, _day(command, profile, context), context.outside)
    if rate is None:
        return command
    amount = _checked(command.amount, command.currency, profile.currency, rate)
    original = Foreign(command.amount, command.currency, rate.day, shown(rate))
    return structs.replace(command, amount=amount, currency=profile.currency, original=original)


def _checked(amount: int, currency: str, home: str, rate: Rate) -> int:
    at_home = converted(amount, currency, home, rate)
    if at_home > AMOUNT_MAX:
        raise invalid("amount", f"{amount} {currency} is {at_home} in {home}, above {AMOUNT_MAX}")
    return at_home


def _day(command: RecordTransaction, profile: Profile, context: Context) -> date:
    when = command.occurred_at
    if when is None or when.tzinfo is None:
        return profile.today(context.at)
    return local_date(when, profile.zone_at(context.at))


def asking(transaction_id: str, at: datetime, tries: int) -> list[TimerSet]:
    """Return the timer that asks for a rate again; none once it was asked for often enough."""
    if tries >= TRIES_MAX:
        return []
    command = ApplyRate(transaction_id=transaction_id, tries=tries + 1)
    return [TimerSet(timer_id=f"rate:{transaction_id}", due=at + FIRST_RETRY * 2**tries, command=command)]
