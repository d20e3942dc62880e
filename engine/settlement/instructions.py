"""Instructions: what the host is asked to move, and what its report does. Rules: docs/domain.md, "Settlement".

A debit takes what accrued from the wallet into jars; a payout takes settled money out of one. Money is scheduled or
reserved when the instruction is issued, and really moves only when the host says so.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from msgspec import structs

from engine import alerts, money
from engine.alerts import AlertBook, Draft
from engine.behaviour import Context, Refused, invalid
from engine.commands import ReportResult, SweepDue, Withdraw
from engine.events import (
    AlertRaised,
    Instruction,
    InstructionClosed,
    InstructionIssued,
    JarShare,
    Posting,
    SavingsNetted,
    SweepPlanned,
    SweepReason,
    TimerCancelled,
    TimerSet,
)
from engine.jars.jars import find
from engine.jars.locks import refuse_locked
from engine.ledger import PROMISED, RETURNED, RETURNING, WALLET, accrued_holder, jar_account, stage_account, transfer
from engine.payments.roundups import default_unit
from engine.settlement import autopay
from engine.settlement.settlement import OPEN_DEBITS_MAX, OPEN_PAYOUTS_MAX
from engine.state import UserState

SWEEP_TIMER, GROUP = "sweep", "group:"
WAITS_AT_MOST = timedelta(days=7)
"""From the first sum that accrues to the sweep that takes it, however little it is."""
FUTURE_MAX = timedelta(hours=24)
_RUPEE_THRESHOLD_MAJOR, _THRESHOLD_UNITS = 100, 5


@lru_cache(maxsize=256)
def default_threshold(currency: str) -> int:
    """Return the accrued sum that is swept at once: 100 rupees, elsewhere five of the usual round-up unit."""
    if currency == "INR":
        return _RUPEE_THRESHOLD_MAJOR * money.minor_per_major(currency)
    return _THRESHOLD_UNITS * default_unit(currency)


def accrued(state: UserState, events: Iterable[Any]) -> list[JarShare]:
    """Return what each jar, then each group, has accrued after the events of a turn, in the order of allocation."""
    currency = state.profile.currency
    book = state.ledger.balances.get(currency, {})
    held = {jar_id: book.get(jar_account(jar_id, "accrued"), 0) for jar_id in state.jar_order}
    for account, amount in book.items():
        if account.startswith("group:") and (group := accrued_holder(account)):
            held[group] = amount
    for event in events:
        for posting in getattr(event, "postings", ()):
            holder = accrued_holder(posting.account)
            if holder is not None and posting.currency == currency:
                held[holder] = held.get(holder, 0) + posting.amount
    return [JarShare(holder, amount) for holder, amount in held.items() if amount > 0]


def sweep(state: UserState, events: Sequence[Any], context: Context, why: SweepReason) -> list[Any]:
    """Return the events that ask the host for everything accrued after `events`; none when there is nothing to ask."""
    parts, mandate = accrued(state, events), state.settlement.mandate
    if not parts or _debits(state, events) >= (OPEN_DEBITS_MAX if mandate is None else 1):
        return []
    netted, parts = _net(state, parts, events, context)
    told = _planned_after(state, [*events, *netted], context)
    if netted and not parts:
        return [*netted, *told]
    if mandate is not None:
        parts = autopay.cut(parts, mandate)
    currency = state.profile.currency
    postings: list[Posting] = []
    for part in parts:
        postings += _staged(part, "scheduled", "accrued", currency)
    instruction = Instruction(
        instruction_id=context.new_id(),
        type="debit",
        amount=sum(part.amount for part in parts),
        currency=currency,
        parts=parts,
        created_at=context.at,
        sandbox=state.profile.tenant_mode == "sandbox",
    )
    if mandate is not None:
        instruction = autopay.planned(instruction, mandate, context)
        notice = alert_of(state, autopay.notice(instruction), context, events)
        told = [autopay.timer(instruction), *notice, *told]
    issued = InstructionIssued(instruction=instruction, at=context.at, postings=postings, why=why)
    return [issued, *netted, *told]


def plan(context: Context, due: datetime | None = None) -> list[Any]:
    """Return the events that bound how long what accrues may wait: a week, unless `due` is known already."""
    due = due or context.at + WAITS_AT_MOST
    return [SweepPlanned(due=due), TimerSet(timer_id=SWEEP_TIMER, due=due, command=SweepDue())]


def _planned_after(state: UserState, events: Iterable[Any], context: Context) -> list[Any]:
    """Return what a sweep does to the plan: it is over, unless something is still owed back."""
    due = state.settlement.planned
    if returned(state, events) > 0:
        return plan(context, due if due is not None and due > context.at else None)
    return [] if due is None else [TimerCancelled(timer_id=SWEEP_TIMER)]


def returned(state: UserState, events: Iterable[Any]) -> int:
    """Return what refunds took from settled savings and the wallet has not got back, after the events of a turn."""
    owed = state.ledger.balance(RETURNED, state.profile.currency)
    for event in events:
        owed += sum(posting.amount for posting in getattr(event, "postings", ()) if posting.account == RETURNED)
    return owed


def _net(
    state: UserState, parts: list[JarShare], events: Sequence[Any], context: Context
) -> tuple[list[Any], list[JarShare]]:
    """Return the event by which what is owed back pays for what has accrued, and the parts that are left to debit."""
    of_jars = sum(part.amount for part in parts if not part.jar_id.startswith(GROUP))
    owed = min(returned(state, events), of_jars)
    if owed <= 0:
        return [], parts
    currency, amount = state.profile.currency, owed
    postings: list[Posting] = []
    paid, left = [], []
    for part in parts:
        taken = 0 if part.jar_id.startswith(GROUP) else min(part.amount, owed)
        owed -= taken
        if taken:
            paid.append(JarShare(part.jar_id, taken))
            postings += _staged(paid[-1], "settled", "accrued", currency)
        if part.amount > taken:
            left.append(JarShare(part.jar_id, part.amount - taken))
    postings += transfer(PROMISED, RETURNED, amount, currency)
    return [SavingsNetted(at=context.at, amount=amount, currency=currency, parts=paid, postings=postings)], left


def give_back(state: UserState, events: Sequence[Any], context: Context) -> list[Any]:
    """Return the event that asks the host to pay out what refunds took from settled savings; none when nothing is."""
    owed, currency = returned(state, events), state.profile.currency
    if owed <= 0 or state.settlement.payouts >= OPEN_PAYOUTS_MAX:
        return []
    instruction = Instruction(
        instruction_id=context.new_id(),
        type="payout",
        amount=owed,
        currency=currency,
        parts=[],
        created_at=context.at,
        sandbox=state.profile.tenant_mode == "sandbox",
    )
    postings = transfer(RETURNING, RETURNED, owed, currency)
    return [InstructionIssued(instruction=instruction, at=context.at, postings=postings)]


def _debits(state: UserState, events: Iterable[Any]) -> int:
    """Return how many debits wait for the host after the events of a turn."""
    waiting = state.settlement.debits
    for event in events:
        if type(event) is InstructionIssued and event.instruction.type == "debit":
            waiting += 1
        elif type(event) is InstructionClosed and event.instruction.type == "debit":
            waiting -= 1
    return waiting


def payout(state: UserState, command: Withdraw, context: Context) -> InstructionIssued:
    """Return the event that reserves a withdrawal and asks the host to pay it out. Raises `Refused`."""
    check_withdrawal(state, command.jar_id, command.amount, context.at)
    currency, part = state.profile.currency, JarShare(command.jar_id, command.amount)
    instruction = Instruction(
        instruction_id=context.new_id(),
        type="payout",
        amount=command.amount,
        currency=currency,
        parts=[part],
        created_at=context.at,
        sandbox=state.profile.tenant_mode == "sandbox",
        destination=command.destination,
    )
    postings = _staged(part, "reserved", "settled", currency)
    return InstructionIssued(instruction=instruction, at=context.at, postings=postings)


def check_withdrawal(state: UserState, jar_id: str, amount: int, at: datetime) -> None:
    """Refuse (409) what a jar cannot pay out now: only settled money that is not reserved is available."""
    refuse_locked(find(state.jars, jar_id), at)
    available = state.ledger.balance(jar_account(jar_id, "settled"), state.profile.currency)
    if amount > available:
        raise Refused("conflict", f"{amount} is more than the {available} available in the jar", available=available)
    if state.settlement.payouts >= OPEN_PAYOUTS_MAX:
        raise Refused("conflict", f"{OPEN_PAYOUTS_MAX} payouts wait for the host; come back when one is done")


def _staged(part: JarShare, to: str, of: str, currency: str) -> list[Posting]:
    return transfer(stage_account(part.jar_id, to), stage_account(part.jar_id, of), part.amount, currency)


def ended(instruction: Instruction) -> list[Posting]:
    """Return the postings of an instruction's end: the money moves, or goes back to where it was scheduled from."""
    postings: list[Posting] = []
    currency, done = instruction.currency, instruction.status == "done"
    if not instruction.parts:
        return transfer(WALLET if done else RETURNED, RETURNING, instruction.amount, currency)
    for part in instruction.parts:
        if instruction.type == "debit":
            postings += _staged(part, "settled" if done else "accrued", "scheduled", currency)
            if done:
                postings += transfer(PROMISED, WALLET, part.amount, currency)
        elif done:
            postings += transfer(WALLET, jar_account(part.jar_id, "reserved"), part.amount, currency)
        else:
            postings += _staged(part, "settled", "reserved", currency)
    return postings


def close(instruction: Instruction, context: Context, *, counts: bool = False) -> InstructionClosed:
    """Return the event of an instruction that ended as its `status` says."""
    postings = ended(instruction)
    return InstructionClosed(instruction=instruction, at=context.at, postings=postings, counts=counts)


def reported(instruction: Instruction, command: ReportResult, context: Context) -> Instruction:
    """Return an instruction as the host's report leaves it. Raises `Refused`."""
    if command.at is not None and command.at.tzinfo is None:
        raise invalid("at", "needs an offset, for example 2026-11-20T09:30:00+05:30")
    if command.at is not None and command.at - context.at > FUTURE_MAX:
        raise invalid("at", "lies more than 24 hours in the future")
    return structs.replace(
        instruction,
        status=command.status,
        reference=command.reference,
        reason=command.reason if command.status == "failed" else None,
        reported_at=command.at or context.at,
    )


def same_report(instruction: Instruction, command: ReportResult) -> bool:
    """Whether a report of an ended instruction says what is known already."""
    return instruction.status == command.status and command.reference in (None, instruction.reference)


def failure_alert(state: UserState, instruction: Instruction, failures: int, *, paused: bool) -> Draft:
    """Return what the person is told of a failed instruction, in words that say what happens next."""
    amount = money.show(instruction.amount, instruction.currency)
    reason = instruction.reason or "no reason given"
    data = {
        "instruction_id": instruction.instruction_id,
        "amount": instruction.amount,
        "currency": instruction.currency,
        "reason": instruction.reason,
        "failures": failures,
    }
    if instruction.type == "payout":
        if instruction.parts:
            jar = state.jars[instruction.parts[0].jar_id].name
            words = f"Paying out {amount} from {jar} failed ({reason}). The money is back in the jar."
        else:
            words = (
                f"Paying {amount} back after a refund failed ({reason}). It is tried again, or taken off what you save."
            )
        return Draft(type="correction", severity="warning", message=words, data=data)
    if paused:
        words = f"Saving {amount} failed again ({reason}), so auto-saving is paused. Turn it on when you are ready."
    else:
        words = f"Saving {amount} failed ({reason}). It is tried again when you say so, or after two incomes."
    return Draft(type="savings_paused", severity="warning", message=words, data={**data, "auto_saving_paused": paused})


def alert_of(state: UserState, draft: Draft, context: Context, before: Iterable[Any] = ()) -> list[Any]:
    """Return the event of one alert; those of the turn `before` it count among what a day may notify."""
    book, raised = state.alerts, [event for event in before if type(event) is AlertRaised]
    if raised:
        book = AlertBook(list(book.recent), dict(book.told), book.day, book.notified)
        for event in raised:
            book.raised(event)
    return list(alerts.raise_all(book, [draft], context, state.profile.today(context.at)))
