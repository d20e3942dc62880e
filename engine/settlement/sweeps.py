"""When what has accrued is settled: at a threshold, at a deposit, at the latest after a week. Rules: docs/domain.md.

After a failed debit nothing is swept until the person says so, or two incomes came.
"""

from collections.abc import Sequence
from typing import Any

from engine.accounts.accounts import MONEY_TYPES
from engine.behaviour import Context
from engine.events import (
    IncomeAwaited,
    InstructionClosed,
    ProfileUpdated,
    SweepReason,
    SweepsResumed,
    TransactionChanged,
    TransactionRecorded,
)
from engine.kinds import INCOME_KINDS
from engine.ledger import PROMISED, RETURNED, accrued_holder
from engine.settlement.instructions import accrued, default_threshold, plan, sweep
from engine.settlement.settlement import INCOMES_RESUME
from engine.state import UserState


def threshold(state: UserState) -> int:
    """Return the accrued sum that is swept at once, in minor units of the home currency."""
    return state.profile.sweep_threshold or default_threshold(state.profile.currency)


def after_turn(state: UserState, events: Sequence[Any], context: Context) -> Sequence[Any]:
    """Follow a turn: sweep at the threshold, else see to it that what accrued does not wait for ever."""
    if not events:
        return ()
    settlement, first = state.settlement, events[0]
    if settlement.held:
        return _while_held(state, events, context)
    if settlement.failures and _turns_on(state, first):
        return [SweepsResumed(at=context.at, afresh=True)]
    if type(first) is InstructionClosed:
        return _after_close(state, first, events, context)
    if type(first) is TransactionRecorded and not first.shares:
        return ()
    currency = state.profile.currency
    if len(events) == 1 and type(first) is TransactionRecorded:
        added = first.round_up.amount if first.round_up.state == "accrued" else 0
    else:
        added = _newly_accrued(events, currency)
    if added <= 0:
        return _plan_return(state, events, context)
    promised = added - settlement.scheduled - state.ledger.balance(PROMISED, currency)
    limit = threshold(state)
    if promised >= limit and settlement.takes_debit:
        waiting = sum(part.amount for part in accrued(state, events))
        payment = first if type(first) is TransactionRecorded else None
        if waiting >= limit and not under_floor(state, payment, waiting):
            swept = sweep(state, events, context, "threshold")
            if swept:
                return swept
    return plan(context) if settlement.planned is None else ()


def _plan_return(state: UserState, events: Sequence[Any], context: Context) -> list[Any]:
    """See to it that what a refund took from settled savings does not stay with the host for ever."""
    owed = any(p.account == RETURNED and p.amount > 0 for event in events for p in getattr(event, "postings", ()))
    return plan(context) if owed and state.settlement.planned is None else []


def _after_close(state: UserState, closed: InstructionClosed, events: Sequence[Any], context: Context) -> list[Any]:
    """Follow the end of a debit: what waited for it may go now; what came back never goes at once again."""
    if closed.counts or closed.instruction.type != "debit":
        return _plan_return(state, events, context)
    waiting = sum(part.amount for part in accrued(state, events))
    if closed.instruction.status == "done" and waiting >= threshold(state) and not under_floor(state, None, waiting):
        swept = sweep(state, events, context, "threshold")
        if swept:
            return swept
    return plan(context) if waiting and state.settlement.planned is None else []


def _newly_accrued(events: Sequence[Any], currency: str) -> int:
    total = 0
    for event in events:
        for posting in getattr(event, "postings", ()):
            if posting.currency == currency and accrued_holder(posting.account) is not None:
                total += posting.amount
    return total


def under_floor(state: UserState, payment: TransactionRecorded | None, amount: int) -> bool:
    """Whether taking `amount` would leave less than the floor, as far as a balance is known after `payment`."""
    mandate, floor = state.settlement.mandate, state.profile.rounding.floor
    if mandate is not None and mandate.floor is not None:
        floor = max(mandate.floor, floor or 0)
    if floor is None:
        return False
    balance = _known_balance(state, payment)
    return balance is not None and balance - amount < floor


def _known_balance(state: UserState, payment: TransactionRecorded | None) -> int | None:
    """Return the balance of the account that funds savings, else that of the payment's own."""
    currency = state.profile.currency
    for account in state.accounts.values():
        if account.funds_savings and account.type in MONEY_TYPES and account.currency == currency:
            if payment is not None and payment.account_id == account.account_id:
                return account.balance_with(payment.occurred_at, -payment.amount)
            return account.balance
    return payment.balance_after if payment is not None else None


def of_deposit(state: UserState, events: Sequence[Any], context: Context) -> list[Any]:
    """Return what settles a deposit by hand (`events`) at once, with all that has accrued: it is the user's word."""
    if state.settlement.held:
        return resumed(state, events, context, "deposit")
    return sweep(state, events, context, "deposit")


def _turns_on(state: UserState, event: Any) -> bool:
    """Whether the person turns auto-saving on: failures count anew."""
    return type(event) is ProfileUpdated and event.auto_saving.state == "on" and state.profile.auto_saving.state != "on"


def _while_held(state: UserState, events: Sequence[Any], context: Context) -> Sequence[Any]:
    """Count incomes, and let sweeps go on with the second one, or when the person turns auto-saving on."""
    first = events[0]
    if _turns_on(state, first):
        return resumed(state, events, context, "user", afresh=True)
    if not _came(first):
        return _plan_return(state, events, context)
    incomes = state.settlement.incomes + 1
    if incomes < INCOMES_RESUME:
        return [IncomeAwaited(incomes=incomes)]
    return resumed(state, events, context, "income")


def _came(event: Any) -> bool:
    """Whether an income has come: settled and counted, at once or when announced before; an amended one came before."""
    if type(event) is TransactionRecorded and event.kind not in INCOME_KINDS:
        return False
    if type(event) not in (TransactionRecorded, TransactionChanged) or event.status != "settled":
        return False
    booked = [posting.amount for posting in event.postings if posting.account.startswith("income:")]
    return bool(booked) and max(booked) < 0 and sum(booked) == -(event.amount or 0)


def resumed(
    state: UserState, events: Sequence[Any], context: Context, why: SweepReason, *, afresh: bool = False
) -> list[Any]:
    """Return the events by which sweeps go on, with the one that is due; an income does not go under the floor."""
    waiting = sum(part.amount for part in accrued(state, events))
    stays = why == "income" and under_floor(state, None, waiting)
    follows = [] if stays else sweep(state, events, context, why)
    if waiting and not follows:
        follows = plan(context)
    return [SweepsResumed(at=context.at, afresh=afresh), *follows]
