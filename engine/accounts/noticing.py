"""What a new report is noticed to belong to: another report of the same payment, the other leg of a transfer, a rate.

Called around the recording of a payment, and only where it can matter: a bank reference, an account, foreign money.
"""

from datetime import date
from typing import Any

from msgspec import structs

from engine.accounts import accounts, merging, pairs, rates
from engine.accounts.pairs import Seen
from engine.behaviour import Context, Decision, Facts
from engine.commands import MatchTransfer, RecordTransaction
from engine.events import Suggestion, TimerSet, TransactionChanged, TransactionRecorded, TransactionRefunded
from engine.payments.transactions import direction_of
from engine.periods import local_date
from engine.state import UserState


def understood(state: UserState, command: RecordTransaction, context: Context) -> RecordTransaction:
    """Return a report in our terms: our ids for the accounts it names, foreign money at home."""
    if state.accounts:
        command = accounts.understood(state.accounts, command)
    if command.currency != state.profile.currency:
        command = rates.at_home(command, state.profile, context)
    return command


def twin(state: UserState, command: RecordTransaction, facts: Facts, context: Context) -> Seen | None:
    """Return the payment of which this is another source's first report; None when there is none beyond doubt."""
    if command.reference is None or command.status not in ("settled", "pending", "authorised"):
        return None
    if (command.origin, command.source, command.external_id) in facts.by_identity:
        return None
    day = _day(state, command, context).toordinal()
    return pairs.twin(state.pairs, command, direction_of(command), day, state.accounts)


def _day(state: UserState, command: RecordTransaction, context: Context) -> date:
    when = command.occurred_at
    if when is None or when.tzinfo is None:
        return state.profile.today(context.at)
    return local_date(when, state.profile.zone_at(context.at))


def noticed(
    state: UserState, command: RecordTransaction, decision: Decision, found: Seen | None, context: Context
) -> Decision:
    """Return a decided recording with what it is noticed to belong to, and the timers that follow it up."""
    event = decision.events[0] if decision.events else None
    if type(event) is TransactionRefunded and found is not None:
        return structs.replace(
            decision, events=[*decision.events, *merging.later(event.transaction_id, found, context)]
        )
    if type(event) is not TransactionRecorded and type(event) is not TransactionChanged:
        return decision
    timers: list[Any] = []
    if command.currency != state.profile.currency and command.kind != "refund":
        timers += rates.asking(event.transaction_id, context.at, 0)
    if type(event) is TransactionRecorded and event.duplicate_of is None:
        if found is not None:
            timers += merging.later(event.transaction_id, found, context)
        elif state.accounts:
            event, more = _suggested(state, event, context)
            timers += more
    return structs.replace(decision, events=[event, *decision.events[1:], *timers])


def _half_told(state: UserState, new: Seen, other_id: str) -> bool:
    """Whether one leg is only the person's word, where that takes no savings back."""
    return state.profile.tenant_mode == "live" and state.pairs.seen[other_id].by_hand != new.by_hand


def _suggested(
    state: UserState, event: TransactionRecorded, context: Context
) -> tuple[TransactionRecorded, list[TimerSet]]:
    """Return the event with what it may belong to; a transfer beyond doubt is matched in a turn of its own."""
    new = pairs.seen_of(event)
    found: list[Suggestion] = pairs.suggestions(state.pairs, new, state.accounts)
    other = pairs.match(state.pairs, new, state.accounts, found)
    if other is not None and not _half_told(state, new, other):
        command = MatchTransfer(transaction_id=event.transaction_id, other_id=other, by="rule")
        return event, [TimerSet(timer_id=f"match:{event.transaction_id}", due=context.at, command=command)]
    if not found:
        return event, []
    flags = [*event.flags, *sorted({f"possible_{one.type}" for one in found})]
    return structs.replace(event, suggestions=found, flags=flags), []
