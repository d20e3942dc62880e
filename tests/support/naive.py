"""The rules once more, as slowly and plainly as they read: what the engine's running sums are held against."""

import itertools
from dataclasses import dataclass, field
from datetime import date, timedelta
from fractions import Fraction
from math import floor

from engine.commands import Plan
from engine.events import (
    Event,
    InstructionIssued,
    JarDeleted,
    JarDeposited,
    ProfileUpdated,
    TransactionEdited,
    TransactionRecorded,
    TransactionRefunded,
)

Saving = tuple[date, int]


@dataclass
class Spend:
    """A spend as it stands after the user's edits."""

    day: date
    category: str
    amount: int
    saved: int = 0
    refunded: int = 0
    settled: int = 0
    """How much of `saved` refunds have taken back, or would have under `keep`."""
    given_back: list[Saving] = field(default_factory=list)


@dataclass
class Book:
    """Everything that ever happened, kept in full."""

    spends: dict[str, Spend] = field(default_factory=dict)
    promised: int = 0
    plan: Plan = field(default_factory=Plan)
    savings: list[Saving] = field(default_factory=list)
    skipped: list[date] = field(default_factory=list)
    """Dates that a move over the date line left out."""
    keeps: bool = False
    jars_gone: bool = False
    """A jar was deleted, or swept: what a refund should take back may be in other hands."""

    def note(self, event: Event) -> None:
        """Write down an event."""
        match event:
            case TransactionRecorded():
                self._recorded(event)
            case TransactionEdited() if event.transaction_id in self.spends:
                self.spends[event.transaction_id].category = event.category
            case JarDeposited():
                self.promised += event.amount
                self.savings.append((event.local_date, event.amount))
            case TransactionRefunded():
                self._refunded(event)
            case JarDeleted() | InstructionIssued():
                self.jars_gone = True
            case ProfileUpdated():
                self.keeps = event.refund_policy == "keep"
                if event.last_day is not None:
                    self.skipped = [*(day for day in self.skipped if day <= event.last_day), *event.skipped]
                if event.plan != self.plan:
                    self.plan, self.savings = event.plan, []
            case _:
                pass

    def _recorded(self, event: TransactionRecorded) -> None:
        saved = sum(part.amount for part in event.shares)
        self.promised += saved
        if event.counts_as_spend:
            self.spends[event.transaction_id] = Spend(event.local_date, event.category, event.amount, saved)
        if saved or event.round_up.reason == "exact_multiple":
            self.savings.append((event.local_date, saved))

    def _refunded(self, event: TransactionRefunded) -> None:
        taken = -sum(part.amount for part in event.shares)
        self.promised -= taken
        spend = self.spends.get(event.original_id)
        if spend is None:
            assert taken == 0
            return
        assert event.amount <= spend.amount - spend.refunded
        assert event.excess == 0 or spend.refunded + event.amount == spend.amount
        spend.refunded += event.amount
        spend.given_back.append((event.local_date, event.amount))
        exact = Fraction(spend.saved * spend.refunded, spend.amount)
        target = floor(exact + Fraction(1, 2))
        assert taken <= target - spend.settled
        if event.credit is not None and not self.jars_gone:
            assert taken == (0 if self.keeps else target - spend.settled)
        spend.settled = target

    def spent(self, start: date, end: date, category: str) -> int:
        """Return what was spent from `start` up to, not including, `end`."""
        chosen = [s for s in self.spends.values() if category in ("overall", s.category)]
        moves = [move for s in chosen for move in ((s.day, s.amount), *((day, -part) for day, part in s.given_back))]
        return sum(amount for day, amount in moves if start <= day < end)

    def streak(self, today: date) -> tuple[int, int, int]:
        """Return current, best and freezes as of a day."""
        current = best = freezes = kept = 0
        period = min([_first_day(day, self.plan.every) for day, _ in self.savings], default=today)
        while period <= today:
            following = _next(period, self.plan.every)
            saved = [amount for day, amount in self.savings if period <= day < following]
            if sum(saved) >= (self.plan.amount or 1):
                current, kept = current + 1, kept + 1
                best = max(best, current)
                if kept % 4 == 0:
                    freezes = min(2, freezes + 1)
            elif (saved or self.plan.amount is not None) and following <= today and not self._left_out(period):
                if freezes and current:
                    freezes -= 1
                else:
                    current = kept = freezes = 0
            period = following
        return current, best, freezes

    def _left_out(self, period: date) -> bool:
        return self.plan.every == "day" and period in self.skipped


def _first_day(day: date, every: str) -> date:
    if every == "week":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if every == "month" else day


def _next(period: date, every: str) -> date:
    if every == "month":
        return (period + timedelta(days=31)).replace(day=1)
    return period + timedelta(days=7 if every == "week" else 1)


def moved_nothing(event: JarDeleted) -> bool:
    """Whether a deletion left the promise as it was: it may move it between jars, never change it."""
    return not any(posting.account == "promised" for posting in event.postings)


def carried(spends: list[tuple[date, int]], limit: int, mode: str, chain: list[date]) -> dict[date, int]:
    """Return what is carried into each period of `chain`: the first days of consecutive periods, with the end."""
    result, left = {}, 0
    for start, end in itertools.pairwise(chain):
        result[start] = {"none": 0, "surplus": max(0, left), "all": left}[mode]
        left = limit + result[start] - sum(amount for day, amount in spends if start <= day < end)
    return result
