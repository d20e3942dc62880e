"""UPI AutoPay: when a debit under a mandate may happen, and how large it is. Rules: docs/domain.md, "UPI AutoPay".

Sources: RBI Digital Payments - E-mandate Framework 2026 (a notice 24 h before, up to 15,000 rupees without a PIN, a
notice after, opting out of one debit); NPCI from 2025-08-01 (off-peak only, one attempt and three retries); the
providers' 25th hour (`integrations.md` 1.3 and 7.1, `peers.md` 40).
"""

from datetime import UTC, datetime, timedelta, timezone
from zlib import crc32

from msgspec import structs

from engine import money
from engine.alerts import Draft
from engine.behaviour import Context, Refused, invalid
from engine.commands import ApplyMandate, ExecuteDebit, SetMandate
from engine.events import Instruction, JarShare, Mandate, TimerSet
from engine.state import UserState

CURRENCY = "INR"
WITHOUT_PIN_MAX = 15_000_00
"""Paise one debit may take without the person's PIN."""
NOTICE = timedelta(hours=25)
"""From the notice to the earliest execution: 24 hours are the rule, providers execute in the 25th."""
ATTEMPTS_MAX = 4
FINAL_REASONS = frozenset({"mandate_revoked", "mandate_paused", "mandate_expired", "account_closed", "opted_out"})
"""Reasons of a host after which no further attempt can succeed."""
_IST = timezone(timedelta(hours=5, minutes=30))
_OFF_PEAK = ((0, 9 * 60 + 45), (13 * 60 + 5, 16 * 60 + 55), (21 * 60 + 35, 23 * 60 + 55))
"""Minutes of the Indian day in which debits are executed, with a margin of five to fifteen minutes to the peaks."""
_JITTER_S = 900


def off_peak(earliest: datetime, seed: str) -> datetime:
    """Return the first off-peak time from `earliest` on, up to 15 minutes later by a jitter that `seed` decides."""
    jitter = timedelta(seconds=crc32(seed.encode()) % _JITTER_S)
    at = earliest + jitter
    if _window_end(at) is not None:
        return at
    return _next_start(at) + jitter


def after_window(at: datetime, seed: str) -> datetime:
    """Return an off-peak time in the window after the one that holds `at`."""
    return off_peak(_window_end(at) or at, seed)


def _midnight(at: datetime) -> datetime:
    return at.astimezone(_IST).replace(hour=0, minute=0, second=0, microsecond=0)


def _window_end(at: datetime) -> datetime | None:
    """Return when the window that holds `at` ends; None at a peak."""
    midnight = _midnight(at)
    for begin, end in _OFF_PEAK:
        if midnight + timedelta(minutes=begin) <= at < midnight + timedelta(minutes=end):
            return (midnight + timedelta(minutes=end)).astimezone(UTC)
    return None


def _next_start(at: datetime) -> datetime:
    midnight = _midnight(at)
    starts = [midnight + timedelta(minutes=begin) for begin, _ in (*_OFF_PEAK, (24 * 60, 0))]
    return next(start for start in starts if start > at).astimezone(UTC)


def cut(parts: list[JarShare], mandate: Mandate) -> list[JarShare]:
    """Return what of the parts one debit may take: jars in order, the last one partly; the rest goes on waiting."""
    room = min(mandate.cap, WITHOUT_PIN_MAX)
    taken = []
    for part in parts:
        amount = min(part.amount, room)
        if amount:
            taken.append(JarShare(part.jar_id, amount))
        room -= amount
    return taken


def planned(instruction: Instruction, mandate: Mandate, context: Context) -> Instruction:
    """Return a new debit as it is announced: not to be executed before its notice is old enough, and off-peak."""
    due = off_peak(context.at + NOTICE, instruction.instruction_id)
    return structs.replace(instruction, mandate_id=mandate.mandate_id, due=due)


def timer_id(instruction: Instruction) -> str:
    """Return the timer of a debit's next step."""
    return f"debit:{instruction.instruction_id}"


def timer(instruction: Instruction) -> TimerSet:
    """Return the timer of a debit's next execution."""
    assert instruction.due is not None
    command = ExecuteDebit(instruction_id=instruction.instruction_id, attempt=instruction.attempt + 1)
    return TimerSet(timer_id=timer_id(instruction), due=instruction.due, command=command)


def may_retry(state: UserState, instruction: Instruction, reason: str | None) -> bool:
    """Whether a failed execution is followed by another one."""
    mandate = state.settlement.mandate
    return (
        0 < instruction.attempt < ATTEMPTS_MAX
        and reason not in FINAL_REASONS
        and mandate is not None
        and mandate.mandate_id == instruction.mandate_id
    )


def needs_code(present: Mandate | None, wanted: SetMandate) -> bool:
    """Whether a mandate allows more than the present one: another one, or a higher cap."""
    return present is None or _another(present, wanted) or wanted.cap > present.cap


def _another(present: Mandate, wanted: SetMandate | ApplyMandate) -> bool:
    return (present.provider, present.reference) != (wanted.provider, wanted.reference)


def mandate(state: UserState, wanted: SetMandate | ApplyMandate, context: Context) -> Mandate:
    """Return a mandate as it will be. Raises `Refused`."""
    present = state.settlement.mandate
    if state.profile.currency != CURRENCY:
        raise invalid("provider", f"UPI AutoPay debits {CURRENCY}; the home currency is {state.profile.currency}")
    another = present is None or _another(present, wanted)
    if another and any(one.mandate_id for one in state.settlement.open.values()):
        raise Refused("conflict", "a debit under the present mandate waits; set another one when it has ended")
    keep = present if not another else None
    return Mandate(
        mandate_id=keep.mandate_id if keep else context.new_id(),
        provider=wanted.provider,
        cap=wanted.cap,
        created_at=keep.created_at if keep else context.at,
        reference=wanted.reference,
        floor=wanted.floor,
    )


def notice(instruction: Instruction) -> Draft:
    """Return what the person is told before a debit."""
    assert instruction.due is not None
    amount = money.show(instruction.amount, instruction.currency)
    when = instruction.due.astimezone(_IST)
    return Draft(
        type="debit_notice",
        severity="info",
        message=f"{amount} goes into your jars by UPI AutoPay on {when:%d %B, %H:%M} (IST). You can skip this one.",
        data={
            "instruction_id": instruction.instruction_id,
            "amount": instruction.amount,
            "currency": instruction.currency,
            "due": instruction.due.isoformat(),
        },
    )


def done_notice(instruction: Instruction) -> Draft:
    """Return what the person is told after a debit."""
    amount = money.show(instruction.amount, instruction.currency)
    return Draft(
        type="debit_notice",
        severity="info",
        message=f"{amount} went into your jars by UPI AutoPay (reference {instruction.reference or 'not given'}).",
        data={
            "instruction_id": instruction.instruction_id,
            "amount": instruction.amount,
            "currency": instruction.currency,
            "reference": instruction.reference,
        },
    )


_SKIPPED = {
    "floor": "your balance would have fallen below your floor",
    "over_cap": "it is more than the cap of your mandate is now",
}


def skipped(instruction: Instruction, reason: str) -> Draft:
    """Return what the person is told of a debit that is not executed as announced."""
    amount = money.show(instruction.amount, instruction.currency)
    return Draft(
        type="debit_notice",
        severity="info",
        message=f"{amount} was not taken: {_SKIPPED[reason]}. It is tried again later.",
        data={"instruction_id": instruction.instruction_id, "amount": instruction.amount, "reason": reason},
    )
