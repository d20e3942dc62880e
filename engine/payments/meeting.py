"""Refunds that waited for a payment give it back in the turn in which it begins to count."""

from typing import Any

from engine.behaviour import Context
from engine.events import TimerCancelled
from engine.ledger import PARKED
from engine.payments import aftermath, parked, refunds, standing
from engine.payments.aftermath import Evolve
from engine.state import UserState
from engine.views import Refunded, TransactionView


def give_back(
    state: UserState, events: list[Any], original: TransactionView, context: Context, evolve: Evolve
) -> list[Refunded]:
    """Add the refunds that waited for a payment to the `events` of its turn; return their results."""
    waiting = state.parked.of(original) if standing.is_spend(original) and standing.counted(original) else []
    if not waiting:
        return []
    after = aftermath.copied(state)
    for one in events:
        evolve(after, one)
    results: list[Refunded] = []
    for one in waiting:
        credit = refunds.Credit(one.credit, PARKED, one.policy, excess=True)
        refund, result = refunds.give_back(after, original, credit, context)
        evolve(after, refund)
        events.append(refund)
        results.append(result)
        original = result.original
    return results


def timers(refunded: list[Refunded]) -> list[TimerCancelled]:
    """Return the end of the waits of refunds that gave back."""
    names = [parked.timer_id(one.transaction.transaction_id) for one in refunded]
    return [TimerCancelled(timer_id=name) for name in names]
