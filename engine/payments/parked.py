"""Refunds that came before their purchase: kept for 180 days under the identity of the purchase they name."""

from datetime import datetime, timedelta

from msgspec import Struct, field, structs

from engine.behaviour import Refused
from engine.commands import ExpireRefund, RefundPolicy
from engine.events import PairJudged, TimerSet
from engine.views import TransactionView

KEPT = timedelta(days=180)
_AFTER = timedelta(seconds=1)
"""The last instant of the wait still counts."""
IS_PARKED, UNMATCHED = "parked", "unmatched_refund"
"""Flags: it waits for its purchase; it waited in vain, and is other income."""
PARKED_MAX = 50
"""Each holds a whole transaction, and a state is encoded whole. One more is refused rather than one forgotten."""


class Waiting(Struct, frozen=True):
    """A parked refund as it was recorded, with the policy that was in force when it came."""

    credit: TransactionView
    original_external_id: str
    policy: RefundPolicy

    def names(self, origin: str, source: str, external_id: str) -> bool:
        """Whether this is the identity it waits for: that of a purchase of its own origin and source."""
        credit = self.credit
        return (self.original_external_id, credit.source, credit.origin) == (external_id, source, origin)


class Parked(Struct):
    """The parked refunds by their own transaction id, oldest first."""

    waiting: dict[str, Waiting] = field(default_factory=dict)

    def check_room(self, at: datetime) -> None:
        """Refuse one more than `PARKED_MAX`, those not counted that have waited too long."""
        if len(self._alive(at)) >= PARKED_MAX:
            raise Refused("conflict", f"{PARKED_MAX} refunds wait for their purchases; send one of these first")

    def park(self, waiting: Waiting) -> None:
        """Let a refund wait; those that have waited too long are forgotten."""
        self.waiting = self._alive(waiting.credit.recorded_at)
        self.waiting[waiting.credit.transaction_id] = waiting

    def of(self, purchase: TransactionView) -> list[Waiting]:
        """Return the refunds that wait for this purchase, oldest first, in its currency or the one it was paid in."""
        return [
            one
            for one in self._alive(purchase.recorded_at).values()
            if one.names(purchase.origin, purchase.source, purchase.external_id)
            and one.credit.currency in (purchase.currency, purchase.original.currency)
        ]

    def replace(self, credit: TransactionView) -> None:
        """Take over an edited refund."""
        self.waiting[credit.transaction_id] = structs.replace(self.waiting[credit.transaction_id], credit=credit)

    def judged(self, event: PairJudged) -> None:
        """Take over which reports a waiting refund has beside its own: it is told with them once it is used."""
        if event.type != "duplicate":
            return
        kept, report = (
            (event.other_id, event.transaction_id) if event.accepted else (event.transaction_id, event.other_id)
        )
        one = self.waiting.get(kept)
        if one is None:
            return
        others = [known for known in one.credit.reports if known != report]
        self.replace(structs.replace(one.credit, reports=[*others, report] if event.accepted else others))

    def release(self, transaction_id: str) -> None:
        """Forget a refund that has found its purchase."""
        self.waiting.pop(transaction_id, None)

    def _alive(self, at: datetime) -> dict[str, Waiting]:
        return {key: one for key, one in self.waiting.items() if at - one.credit.recorded_at <= KEPT}


def timer_id(transaction_id: str) -> str:
    """Return the id of the timer that ends the wait of a refund."""
    return f"parked:{transaction_id}"


def timer(credit: TransactionView) -> TimerSet:
    """Return the timer of a refund that begins to wait."""
    command = ExpireRefund(transaction_id=credit.transaction_id)
    return TimerSet(timer_id=timer_id(credit.transaction_id), due=credit.recorded_at + KEPT + _AFTER, command=command)
