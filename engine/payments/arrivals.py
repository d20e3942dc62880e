"""A payment that meets what waited for it: refunds that came before, an authorisation it settles under another id.

All in the payment's own turn; alerts, budgets and jars are told as they stand after it.
"""

from typing import Any

from engine import receipts
from engine.behaviour import Context, Decision, Facts
from engine.commands import RecordTransaction
from engine.payments import aftermath, drawing, holds, meeting, transactions
from engine.payments.aftermath import Evolve
from engine.state import UserState
from engine.views import Recorded


def record(state: UserState, command: RecordTransaction, facts: Facts, context: Context, evolve: Evolve) -> Decision:
    """Decide a new payment when refunds are parked, or when it names an authorisation. Raises `Refused`."""
    drawn = drawing.draw(state, command, facts, context, evolve)
    event = drawn.part if drawn else transactions.recorded(state, command, context, state.profile.today(context.at))
    events: list[Any] = [*(drawn.events if drawn else ()), event]
    timers: list[Any] = []
    if event.hold is not None:
        holds.check_room(state)
        timers = list(holds.timers(None, receipts.transaction(event), True, context))
    refunded = meeting.give_back(state, events, receipts.transaction(event), context, evolve)
    timers += meeting.timers(refunded)
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
