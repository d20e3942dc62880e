"""One user's books for tests: commands in, events applied, time that moves when told. No runtime."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from engine.behaviour import Context, Decision, Facts, Turn
from engine.commands import Command, OpenUser, RecordTransaction
from engine.hosting import UserBehaviour
from engine.state import UserState
from engine.views import TransactionView

AT = datetime(2026, 11, 20, 6, tzinfo=UTC)


class Book:
    """A user opened with auto-saving on; `tell` goes through the behaviour's codecs as a shard does."""

    def __init__(self, at: datetime = AT) -> None:
        self.behaviour = UserBehaviour()
        self.state: UserState = self.behaviour.initial("main/u")
        self.at = at
        self.seq = 0
        self.seen: dict[str, TransactionView] = {}
        self._ids = count(1)
        self.tell(OpenUser(auto_saving="on"))

    def wait(self, **by: float) -> None:
        """Let time pass; negative steps set the clock back."""
        self.at += timedelta(**by)

    def tell(self, command: Command) -> Decision:
        """Carry out a command. Raises `Refused`."""
        context = Context(at=self.at, seq=self.seq + 1, new_id=lambda: f"id-{next(self._ids):06}")
        decision = self.behaviour.decide(self.state, command, Facts(dict(self.seen)), context)
        stored = self.behaviour.encode_turn(decision.events, decision.result)
        events, result = self.behaviour.decode_turn(stored)
        turn = Turn("main/u", self.seq + 1, self.at, events, result)
        for row in self.behaviour.rows(turn).transactions:
            self.seen[row.transaction_id] = self.behaviour.decode_transaction(row.sealed)
        self.behaviour.answer(turn)
        self._evolve(events)
        self.seq += 1
        return decision

    def _evolve(self, events: Iterable[Any]) -> None:
        for event in events:
            self.behaviour.evolve(self.state, event)

    def spend(self, amount: int, category: str | None = "food", **fields: Any) -> str:
        """Record a settled purchase in rupees; return its transaction id."""
        fields = {"source": "upi", "currency": "INR", "external_id": f"T{self.seq}"} | fields
        decision = self.tell(RecordTransaction(amount=amount, category=category, **fields))
        transaction_id: str = decision.events[0].transaction_id
        return transaction_id
