"""What events of payments do to the state. Order: ledger, savings, spending, budgets, streaks, jars."""

from datetime import date

from engine.accounts import accounts, pairs
from engine.events import TransactionChanged, TransactionEdited, TransactionRecorded, TransactionRefunded
from engine.evolution.handler import Evolve
from engine.evolution.saving import jar_saved
from engine.payments import refunds, transactions
from engine.planning import spent
from engine.state import USER_STREAK, UserState


def _recorded(state: UserState, event: TransactionRecorded) -> None:
    state.ledger.post(event.postings)
    state.transactions += 1
    saved = event.round_up.base + event.round_up.boost
    if saved:
        state.saved_today.add(event.recorded_on, saved)
    if event.counts_as_spend:
        held = event.hold.amount if event.hold is not None else 0
        spent.count(state, event.local_date, event.category, event.amount, held)
    if transactions.could_save(event.round_up):
        state.streaks[USER_STREAK].add(event.local_date, saved)
    for part in event.shares:
        jar_saved(state, part.jar_id, part.amount, event.local_date)
        state.summaries.add(event.local_date, part.jar_id, part.amount)
    if event.hold is not None:
        state.holds[event.transaction_id] = event.hold
    if event.kind == "refund" and event.status == "settled":
        refunds.parked(state, event)
    if state.accounts:
        accounts.moved(state.accounts, event)
    if event.reference is not None or state.accounts:
        pairs.recorded(state.pairs, event)


def _changed(state: UserState, event: TransactionChanged) -> None:
    state.ledger.post(event.postings)
    if event.saved:
        state.saved_today.add(event.on, event.saved)
    for one in event.spent:
        spent.count(state, one.local_date, one.category, one.amount, one.provisional)
    if event.kept is not None:
        state.streaks[USER_STREAK].add(event.local_date, event.kept)
    for part in event.shares:
        state.summaries.add(event.local_date, part.jar_id, part.amount)
        if part.amount > 0:
            jar_saved(state, part.jar_id, part.amount, event.local_date)
        else:
            state.jars[part.jar_id].saved += part.amount
    if event.hold is not None:
        state.holds[event.transaction_id] = event.hold
    else:
        state.holds.pop(event.transaction_id, None)
    state.parked.release(event.transaction_id)
    state.alerts.rearm(event.rearmed, event.on)
    if state.accounts and event.account_id is not None:
        accounts.changed(state.accounts, event)
    if state.pairs.seen:
        pairs.changed(state.pairs, event)


def _refunded(state: UserState, event: TransactionRefunded) -> None:
    """Give back what was spent; streaks stay as they are."""
    state.ledger.post(event.postings)
    if event.credit is not None:
        state.transactions += 1
        accounts.moved(state.accounts, event.credit)
        pairs.recorded(state.pairs, event.credit)
    state.parked.release(event.transaction_id)
    if event.counts_as_spend and event.amount:
        spent.count(state, event.local_date, event.category, -event.amount)
    for part in event.shares:
        state.summaries.add(event.local_date, part.jar_id, part.amount)
        state.jars[part.jar_id].saved += part.amount
    if event.hold is not None:
        state.holds[event.original_id] = event.hold
    if event.saved and event.on is not None:
        state.saved_today.add(event.on, event.saved)
    state.alerts.rearm(event.rearmed, state.profile.today(event.at))


def _edited(state: UserState, event: TransactionEdited) -> None:
    state.ledger.post(event.postings)
    waiting = state.parked.waiting.get(event.transaction_id)
    if waiting is not None:
        state.parked.replace(transactions.edited_view(waiting.credit, event))
    if not event.counts_as_spend or event.category == event.old_category:
        return
    _recategorised(state, event, event.local_date, event.amount, event.provisional)
    for part in event.refunds:
        _recategorised(state, event, part.local_date, -part.amount)


def _recategorised(state: UserState, event: TransactionEdited, day: date, amount: int, held: int = 0) -> None:
    spent.count(state, day, event.old_category, -amount, -held)
    spent.count(state, day, event.category, amount, held)


EVOLVE: dict[type, Evolve] = {
    TransactionRecorded: _recorded,
    TransactionChanged: _changed,
    TransactionRefunded: _refunded,
    TransactionEdited: _edited,
}
