"""A payment that meets what waited for it: refunds that came before, an authorisation it settles under another id.

All in the payment's own turn; alerts, budgets and jars are told as they stand after it.
"""

from typing import Any

from engine import aftermath, drawing, holds, parked, receipts, refunds, standing, transactions
from engine.aftermath import Evolve
from engine.behaviour import Context, Decision, Facts
from engine.commands import RecordTransaction
from engine.events import TimerCancelled, TransactionRecorded
from engine.ledger import PARKED
from engine.state import UserState
from engine.views import Recorded, Refunded, TransactionView


def record(state: UserState, command: RecordTransaction, facts: Facts, context: Context, evolve: Evolve) -> Decision:
    """Decide a new payment when refunds are parked, or when it names an authorisation. Raises `Refused`."""
    drawn = drawing.draw(state, command, facts, context, evolve)
    event = drawn.part if drawn else transactions.recorded(state, command, context, state.profile.today(context.at))
    events: list[Any] = [*(drawn.events if drawn else ()), event]
    timers: list[Any] = []
    if event.hold is not None:
        holds.check_room(state)
        timers = list(holds.timers(False, receipts.transaction(event), True, context))
    refunded = _give_back(state, events, event, context, evolve)
    waited = [parked.timer_id(one.transaction.transaction_id) for one in refunded]
    timers += [TimerCancelled(timer_id=name) for name in waited]
    after = aftermath.follow(state, events, context, evolve)
    result = Recorded(
        budgets=after.lines,
        streak=after.streak,
        effect="settled" if drawn and drawn.events else "recorded",
        refunds=refunded,
        also=[drawn.authorisation] if drawn and drawn.authorisation else [],
    )
    ordered = [event, *(one for one in events if one is not event)]
    return Decision([*ordered, *after.alerts, *timers], result)


def _give_back(
    state: UserState, events: list[Any], event: TransactionRecorded, context: Context, evolve: Evolve
) -> list[Refunded]:
    """Add the refunds that waited for a payment to the events of its turn; return their results."""
    original: TransactionView = receipts.transaction(event)
    waiting = state.parked.of(original) if standing.is_spend(original) and standing.counted(original) else []
    if not waiting:
        return []
    after = aftermath.copied(state)
    for one in events:
        evolve(after, one)
    results = []
    for one in waiting:
        credit = refunds.Credit(one.credit, PARKED, one.policy, excess=True)
        refund, result = refunds.give_back(after, original, credit, context)
        evolve(after, refund)
        events.append(refund)
        results.append(result)
        original = result.original
    return results
