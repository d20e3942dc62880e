"""Which schedule a payment belongs to: direction, amount, name or category, and a date near enough.

Each payment is taken once, each date once. The best wins: one whose name agrees, then the nearest amount, the nearest
date, the older schedule. Rules: docs/domain.md, "Recurring".
"""

import re
from collections.abc import Iterable
from datetime import date

from engine.events import TransactionRecorded
from engine.planning.categories import Categories
from engine.planning.recurring import Occurrence, Recurring

_WORDS_OF_PAYMENT = frozenset(
    "the and for from payment pay paid bill upi neft imps autopay ltd pvt limited com india".split()
)
_BREAKS = re.compile(r"[\s!-@\[-`{-~]+")
_WORD_LENGTH_MIN = 3
NAMED_PERCENT = (75, 150)
"""A payment whose name agrees may cost 75 to 150 % of what was expected: prices rise, bills vary."""
UNNAMED_PERCENT = (95, 105)


def find(
    schedules: Iterable[Recurring], categories: Categories, event: TransactionRecorded
) -> tuple[Recurring, Occurrence] | None:
    """Return the schedule and the date that a payment is taken for."""
    said: frozenset[str] | None = None
    found: list[tuple[tuple[bool, int, int], Recurring, Occurrence]] = []
    for one in schedules:
        if one.direction != event.direction or event.transaction_id in one.unlinked:
            continue
        if not _within(event.amount, one.expected, NAMED_PERCENT):
            continue
        near = _nearest(one.dates, event.local_date)
        if near is None:
            continue
        said = said if said is not None else words(event.merchant, event.merchant_name, event.description)
        named = agrees(words(one.name), said)
        if named or (_same_category(one, categories, event) and _within(event.amount, one.expected, UNNAMED_PERCENT)):
            days = abs((near.due_on - event.local_date).days)
            found.append(((not named, abs(event.amount - one.expected), days), one, near))
    if not found:
        return None
    _, best, date_of = min(found, key=lambda entry: entry[0])
    return best, date_of


def words(*texts: str | None) -> frozenset[str]:
    """Return the words of texts that can tell one name from another, in lower case."""
    parts = {part for text in texts if text for part in _BREAKS.split(text.casefold())}
    return frozenset(part for part in parts if len(part) >= _WORD_LENGTH_MIN and part not in _WORDS_OF_PAYMENT)


def agrees(name: frozenset[str], said: frozenset[str]) -> bool:
    """Whether a word of the name begins a word that was said: `Netflix` and `NETFLIXCOM`."""
    return any(other.startswith(word) for word in name for other in said)


def _within(amount: int, expected: int, percent: tuple[int, int]) -> bool:
    return percent[0] * expected <= 100 * amount <= percent[1] * expected


def _nearest(dates: list[Occurrence], day: date) -> Occurrence | None:
    near = [one for one in dates if one.state != "matched" and abs((one.due_on - day).days) <= one.window]
    return min(near, key=lambda one: abs((one.due_on - day).days), default=None)


def _same_category(one: Recurring, categories: Categories, event: TransactionRecorded) -> bool:
    return one.category in categories.lineage(event.category, event.local_date.toordinal())
