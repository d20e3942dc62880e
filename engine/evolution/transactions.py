"""What events of payments do to the state. Order: ledger, savings, spending, budgets, streaks, jars."""

from datetime import date

from engine import accounts, refunds, spent, transactions
from engine.events import TransactionEdited, TransactionRecorded, TransactionRefunded
from engine.evolution.handler import Evolve
from engine.evolution.saving import jar_saved
from engine.state import USER_STREAK, UserState


def _recorded(state: UserState, event: TransactionRecorded) -> None:
    state.ledger.post(event.postings)
    state.transactions += 1
    saved = event.round_up.base + event.round_up.boost
    if saved:
        state.saved_today.add(event.recorded_on, saved)
    if event.counts_as_spend:
        spent.count(state, event.local_date, event.category, event.amount)
    if transactions.could_save(event.round_up):
        state.streaks[USER_STREAK].add(event.local_date, saved)
    for part in event.shares:
        jar_saved(state, part.jar_id, part.amount, event.local_date)
    if event.kind == "refund":
        refunds.parked(state, event)
    if state.accounts:
        accounts.moved(state.accounts, event)


def _refunded(state: UserState, event: TransactionRefunded) -> None:
    """Give back what was spent; streaks and the daily cap stay as they are."""
    state.ledger.post(event.postings)
    if event.credit is not None:
        state.transactions += 1
        accounts.moved(state.accounts, event.credit)
    state.parked.release(event.transaction_id)
    if event.counts_as_spend and event.amount:
        spent.count(state, event.local_date, event.category, -event.amount)
    for part in event.shares:
        state.jars[part.jar_id].saved += part.amount
    state.alerts.rearm(event.rearmed, state.profile.today(event.at))


def _edited(state: UserState, event: TransactionEdited) -> None:
    state.ledger.post(event.postings)
    waiting = state.parked.waiting.get(event.transaction_id)
    if waiting is not None:
        state.parked.replace(transactions.edited_view(waiting.credit, event))
    if not event.counts_as_spend or event.category == event.old_category:
        return
    _recategorised(state, event, event.local_date, event.amount)
    for part in event.refunds:
        _recategorised(state, event, part.local_date, -part.amount)


def _recategorised(state: UserState, event: TransactionEdited, day: date, amount: int) -> None:
    spent.count(state, day, event.old_category, -amount)
    spent.count(state, day, event.category, amount)


EVOLVE: dict[type, Evolve] = {
    TransactionRecorded: _recorded,
    TransactionRefunded: _refunded,
    TransactionEdited: _edited,
}
