"""Wallet events of several people, from a seed: same seed, run and people, same events.

Each person lives through simulated days; the stream is theirs merged by simulated time. `run_id` makes the ids unique,
so a later run adds to what the server already knows. Amounts are in paise.
"""

import math
import random
from calendar import monthrange
from collections.abc import Iterator, Sequence
from csv import DictReader
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from heapq import merge
from importlib.resources import files
from itertools import islice
from typing import Any

from serve.demo import shape

FIRST_DAY = datetime(2026, 1, 1)
_RUPEE = 100
_TEN_RUPEES = 10 * _RUPEE
_AMOUNT_MAX = 50_000 * _RUPEE

_LABEL_CATEGORY = {
    "Food": "food",
    "Medical": "health",
    "Shopping": "shopping",
    "Subscription": "entertainment",
    "Travel": "travel",
}


@dataclass(frozen=True, slots=True)
class Merchant:
    """How one merchant's payments read. `{ref}` in the narration stands for a fresh bank reference."""

    narration: str
    category: str
    mcc: str | None = None
    kind: str = "purchase"


@dataclass(frozen=True, slots=True)
class DemoEvent:
    """One event as a wallet sends it: `body` is what `POST /transactions` takes, without `occurred_at`.

    `expected_category` is what the narration's source calls it; it is not sent. `resent` marks the second sending of an
    id that went out before.
    """

    person: str
    simulated_at: datetime
    body: dict[str, Any]
    expected_category: str
    resent: bool = False


@cache
def merchants() -> dict[str, tuple[Merchant, ...]]:
    """Return the merchants of both files by category (see `SOURCES.md`)."""
    by_category: dict[str, list[Merchant]] = {}
    for row in _rows("everyday.csv"):
        everyday = Merchant(row["narration"], row["category"], row["mcc"] or None, row["kind"])
        by_category.setdefault(everyday.category, []).append(everyday)
    for row in _rows("narrations.csv"):
        listed = Merchant(row["narration"], _LABEL_CATEGORY[row["label"]])
        by_category.setdefault(listed.category, []).append(listed)
    return {category: tuple(found) for category, found in by_category.items()}


def _rows(name: str) -> list[dict[str, str]]:
    return list(DictReader((files("serve.demo") / name).read_text(encoding="utf-8").splitlines()))


@dataclass
class _Life:
    """One person's days: which merchants they know, what they paid there, how many events they made."""

    person: str
    run_id: str
    rng: random.Random
    known: dict[str, list[Merchant]] = field(default_factory=dict)
    paid: dict[str, int] = field(default_factory=dict)
    count: int = 0

    def days(self) -> Iterator[DemoEvent]:
        """Yield this person's events in the order of simulated time, without end."""
        day = FIRST_DAY
        while True:
            yield from sorted(self._events_of(day), key=lambda event: event.simulated_at)
            day += timedelta(days=1)

    def _events_of(self, day: datetime) -> Iterator[DemoEvent]:
        if day.day == monthrange(day.year, day.month)[1]:
            yield self._salary(day)
        numbers, weights = zip(*shape.SPENDS_A_DAY, strict=True)
        busy = shape.WEEKDAY_FACTOR[day.weekday()]
        for _ in range(round(self.rng.choices(numbers, weights)[0] * busy)):
            spend = self._spend(day)
            yield spend
            if self.rng.random() < shape.RESENT_SHARE:
                later = min(spend.simulated_at + timedelta(seconds=30), day + timedelta(days=1, microseconds=-1))
                yield DemoEvent(self.person, later, spend.body, spend.expected_category, resent=True)

    def _salary(self, day: datetime) -> DemoEvent:
        paid_at = day + timedelta(hours=self.rng.randint(9, 17), minutes=self.rng.randrange(60))
        rupees = shape.SALARY_MEDIAN * math.exp(self.rng.gauss(0, 0.05))
        merchant = Merchant("NEFT CR-SBIN0001234-EXAMPLE TECHNOLOGIES-SALARY", "income", kind="income")
        return self._event(merchant, round(rupees) * _RUPEE, paid_at, direction="credit")

    def _spend(self, day: datetime) -> DemoEvent:
        categories = list(shape.SPENDING)
        category = self.rng.choices(categories, [s.weight for s in shape.SPENDING.values()])[0]
        merchant = self._merchant(category)
        hour = self.rng.choices(range(24), shape.HOUR_WEIGHTS)[0]
        at = day + timedelta(hours=hour, minutes=self.rng.randrange(60), seconds=self.rng.randrange(60))
        return self._event(merchant, self._amount(category, merchant), at)

    def _merchant(self, category: str) -> Merchant:
        known = self.known.setdefault(category, [])
        if not known or self.rng.random() >= shape.KNOWN_MERCHANT_SHARE:
            known.append(self.rng.choice(merchants()[category]))
            return known[-1]
        return self.rng.choice(known)

    def _amount(self, category: str, merchant: Merchant) -> int:
        last = self.paid.get(merchant.narration)
        if last is not None and self.rng.random() < shape.SAME_AMOUNT_SHARE:
            return last
        habit = shape.SPENDING[category]
        rupees = habit.median * shape.PRICE_LEVEL * math.exp(self.rng.gauss(0, habit.log_sd))
        amount = self._as_priced(min(round(rupees * _RUPEE), _AMOUNT_MAX), category)
        self.paid[merchant.narration] = amount
        return amount

    def _as_priced(self, paise: int, category: str) -> int:
        if category == "cash":
            return max(1, round(paise / (10 * _TEN_RUPEES))) * 10 * _TEN_RUPEES
        if self.rng.random() < shape.EXACT_TEN_SHARE:
            return max(1, round(paise / _TEN_RUPEES)) * _TEN_RUPEES
        if self.rng.random() < shape.WHOLE_RUPEE_SHARE:
            return max(1, round(paise / _RUPEE)) * _RUPEE
        return max(paise, _RUPEE)

    def _event(self, merchant: Merchant, amount: int, at: datetime, direction: str = "debit") -> DemoEvent:
        self.count += 1
        reference = str(self.rng.randrange(10**11, 10**12))
        body: dict[str, Any] = {
            "external_id": f"demo-{self.run_id}-{self.person}-{self.count}",
            "source": "upi" if merchant.narration.startswith(("UPI", "BBPS")) else "card",
            "amount": amount,
            "currency": "INR",
            "direction": direction,
            "kind": merchant.kind,
            "description": merchant.narration.replace("{ref}", reference),
            "reference": reference,
            "metadata": {"simulated_at": at.isoformat()},
        }
        if merchant.mcc is not None:
            body["mcc"] = merchant.mcc
        return DemoEvent(self.person, at, body, merchant.category)


def stream(seed: int, run_id: str, people: Sequence[str], events: int) -> list[DemoEvent]:
    """Return `events` events of all people by simulated time, retries included; ids begin with `demo-<run_id>-`."""
    lives = [_Life(person, run_id, random.Random(f"{seed}:{person}")).days() for person in people]
    return list(islice(merge(*lives, key=lambda event: event.simulated_at), events))
