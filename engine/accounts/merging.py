"""One payment reported by two sources: the second report counts nothing, and both ids are known.

Rules: docs/domain.md, "Across sources". This file decides; it changes nothing.
"""

from typing import Any

from msgspec import structs

from engine import receipts
from engine.accounts.pairs import Seen
from engine.behaviour import Context, Decision, Facts, Refused, invalid
from engine.commands import MergeDuplicate, RecordTransaction, RejectDuplicate
from engine.events import AlertRaised, PairJudged, RoundUp, TimerSet
from engine.kinds import UNCATEGORISED
from engine.payments import refund_life, refunds, settling, standing, transactions
from engine.payments.aftermath import Evolve, copied
from engine.payments.life import DUPLICATE, HIDDEN, OPEN
from engine.payments.parked import IS_PARKED
from engine.state import USER_STREAK, UserState
from engine.views import DuplicateView, Edited, Recorded, Shown, TransactionView

REASON = "duplicate_of"
POSSIBLE = "possible_duplicate"
REFUND = "refund"
_COUNTS = frozenset({"settled", *OPEN})
_TEXTS = ("description", "mcc", "reference", "account_id", "method", "counterparty", "location", "balance_after")


def record(state: UserState, command: RecordTransaction, twin: Seen, context: Context) -> Decision:
    """Decide a report of a payment that another source has reported: it is kept, and counts nothing."""
    today = state.profile.today(context.at)
    event = transactions.recorded(state, command, context, today)
    event = structs.replace(
        event,
        status=DUPLICATE,
        postings=[],
        round_up=RoundUp("skipped", reason="duplicate"),
        shares=[],
        counts_as_spend=False,
        hold=None,
        duplicate_of=twin.transaction_id,
        reported_status=command.status,
    )
    result = Recorded(streak=state.streaks[USER_STREAK].at(today), effect="none", reason=REASON)
    richer = MergeDuplicate(transaction_id=event.transaction_id, other_id=twin.transaction_id, by="rule")
    timer = TimerSet(timer_id=f"merge:{event.transaction_id}", due=context.at, command=richer)
    waiting = state.parked.of(receipts.transaction(event)) if state.parked.waiting else []
    links = [refunds.link_later(one.credit.transaction_id, twin.transaction_id, context) for one in waiting]
    return Decision([event, timer, *links], result)


def outranks(command: RecordTransaction, twin: Seen) -> bool:
    """Whether the second report counts: a provider's before a person's own, else a settled before an open one.

    A settled refund says more than the income that another source takes it for.
    """
    if (command.kind == REFUND) != (twin.kind == REFUND):
        is_settled = command.status == "settled" if command.kind == REFUND else not twin.is_open
        if is_settled:
            return command.kind == REFUND
    if twin.is_leg:
        return False
    by_hand = command.origin == "user"
    if twin.by_hand != by_hand:
        return twin.by_hand
    return twin.is_open and command.status == "settled"


def later(transaction_id: str, twin: Seen, context: Context) -> list[TimerSet]:
    """Return the timer that merges a first report into the second, which outranks it."""
    merge = MergeDuplicate(transaction_id=twin.transaction_id, other_id=transaction_id, by="rule")
    return [TimerSet(timer_id=f"merge:{twin.transaction_id}", due=context.at, command=merge)]


def merge(state: UserState, command: MergeDuplicate, facts: Facts, context: Context, evolve: Evolve) -> Decision:
    """Decide that a transaction is another report of one that stays; its text is kept where it says more.

    Raises `Refused`; what the rule cannot do any more it leaves.
    """
    known, other = facts.transactions.get(command.transaction_id), facts.transactions.get(command.other_id)
    if command.by == "rule" and (known is None or other is None or not _may(known, other)):
        return Decision([], Shown())
    if known is None or (known.status in HIDDEN and known.status != DUPLICATE):
        raise Refused("not_found", f"there is no transaction {command.transaction_id!r}")
    if other is None or command.other_id == command.transaction_id or other.status in HIDDEN:
        raise invalid("other_id", f"there is no other transaction {command.other_id!r}")
    if command.by == "user":
        _check(state, known, other)
    judged = PairJudged(
        type="duplicate",
        transaction_id=known.transaction_id,
        other_id=other.transaction_id,
        at=context.at,
        accepted=True,
        by=command.by,
    )
    # A refund that waits is told from the state once its purchase comes: the state must know its reports too.
    events: list[Any] = [judged] if IS_PARKED in other.flags else []
    view = known
    if known.status != DUPLICATE:
        gone = structs.replace(
            known,
            status=DUPLICATE,
            duplicate=DuplicateView(other.transaction_id, known.status, command.by),
            counts_as_spend=False,
            suggestions=[],
            flags=[flag for flag in known.flags if not flag.startswith("possible_")],
        )
        change = _gone(state, known, gone, other, context, evolve)
        events, view = [judged, *change.events], change.view
    kept = _kept(state, events, other, _enriched(other, known), context, evolve)
    told = settling.told(state, settling.Change([*events[1:], *kept.events], view), "amended", context, evolve)
    return Decision([*events[:1], *told.events], Edited(view, told.result.budgets, [kept.view]))


def _gone(
    state: UserState,
    known: TransactionView,
    gone: TransactionView,
    other: TransactionView,
    context: Context,
    evolve: Evolve,
) -> settling.Change:
    """Return what takes a merged report out of the books; a refund is undone as if it were void."""
    if known.kind != REFUND or known.status != "settled":
        return settling.changed(state, known, gone, context, evolve, cause=other)
    undone = refund_life.undo(state, gone, None, context, evolve)
    return settling.Change([one for one in undone.events if type(one) is not AlertRaised], undone.result.transaction)


def _kept(
    state: UserState,
    events: list[Any],
    other: TransactionView,
    richer: TransactionView,
    context: Context,
    evolve: Evolve,
) -> settling.Change:
    """Return what the payment gains, decided after what the other report gave back.

    A refund only changes its text; one that waits for its purchase gains the link alone.
    """
    if other.kind == REFUND:
        waits = IS_PARKED in other.flags
        return settling.Change([], structs.replace(other, reports=richer.reports) if waits else richer)
    after = copied(state) if events else state
    for event in events:
        evolve(after, event)
    return settling.changed(after, other, richer, context, evolve)


def _may(known: TransactionView, other: TransactionView) -> bool:
    """Whether what the rule saw when it set its timer still holds."""
    if known.status == DUPLICATE:
        same = known.duplicate is not None and known.duplicate.of == other.transaction_id
        return same and other.status not in HIDDEN
    if known.refunded_amount or known.reports or known.transfer is not None or other.status not in _COUNTS:
        return False
    by_hand = known.origin == "user" and other.origin != "user"
    refund = other.kind == REFUND and known.kind != REFUND and other.status == "settled"
    return ((by_hand or refund) and known.status in _COUNTS) or (known.status in OPEN and other.status == "settled")


def _check(state: UserState, known: TransactionView, other: TransactionView) -> None:
    if known.status == DUPLICATE:
        raise Refused("conflict", "the transaction is a duplicate already; DELETE its duplicate-of first")
    seen = state.pairs.seen.get(known.transaction_id)
    if known.reports or (seen is not None and seen.is_reported):
        raise Refused("conflict", "other reports are merged into the transaction; merge the other one into it instead")
    if known.direction != other.direction:
        raise invalid("other_id", f"is a {other.direction}, the transaction a {known.direction}")
    if known.refunded_amount or known.refund_of is not None or known.kind == "refund":
        raise Refused("conflict", "the transaction has to do with a refund; void it where it was reported")
    if known.transfer is not None:
        raise Refused("conflict", "the transaction is a leg of a transfer; DELETE its transfer-match first")


def _enriched(view: TransactionView, other: TransactionView) -> TransactionView:
    """Return a transaction with what the other report of it says and it does not; the better category counts."""
    gained = {name: getattr(other, name) for name in _TEXTS if getattr(view, name) is None}
    if view.merchant.raw is None:
        gained["merchant"] = other.merchant
    if _is_better(other, view):
        gained |= {"category": other.category, "confidence": other.confidence, "category_by": other.category_by}
    others = [*view.reports, other.transaction_id] if other.transaction_id not in view.reports else view.reports
    return structs.replace(view, reports=others, **gained)


def _is_better(other: TransactionView, view: TransactionView) -> bool:
    """Whether another report knows better what was bought: the user's word, then the source's, then what models say."""
    if other.kind != view.kind or other.category == UNCATEGORISED:
        return False
    return _rank(other) > _rank(view)


def _rank(view: TransactionView) -> tuple[int, float, str]:
    """Return how much a category is worth; of equal ones the later in the alphabet, so that no order counts."""
    order = ("none", "rule", "mcc", "model", "kind", "source", "original", "user")
    by = view.category_by
    return (order.index(by) if by in order else 1, view.confidence, view.category)


def reject(state: UserState, command: RejectDuplicate, facts: Facts, context: Context, evolve: Evolve) -> Decision:
    """Decide that a transaction is a payment of its own; one that was merged counts again. Raises `Refused`."""
    known = facts.transactions.get(command.transaction_id)
    if command.of is not None:
        return _without(known, facts.transactions.get(command.of), command.of, context)
    if known is None:
        raise Refused("not_found", f"there is no transaction {command.transaction_id!r}")
    if known.status != DUPLICATE or known.duplicate is None:
        return _drop(known, context)
    if known.kind == "refund":
        raise Refused("conflict", "a refund that was merged cannot count again; report it under a new external_id")
    own = structs.replace(known, status=known.duplicate.status, duplicate=None)
    spend = standing.is_spend(own) and own.currency == state.profile.currency
    change = settling.changed(state, known, structs.replace(own, counts_as_spend=spend), context, evolve)
    told = settling.told(state, change, "amended", context, evolve)
    judged = _rejected(known, known.duplicate.of, context)
    leave = RejectDuplicate(transaction_id=known.duplicate.of, of=known.transaction_id)
    timer_id = f"unmerge:{known.transaction_id}:{known.duplicate.of}"
    timer = TimerSet(timer_id=timer_id, due=context.at, command=leave)
    return Decision([judged, *told.events, timer], Edited(change.view, told.result.budgets))


def _without(payment: TransactionView | None, was: TransactionView | None, report: str, context: Context) -> Decision:
    """Take a report that is a payment of its own off the list of the one it was merged into; unless it is again."""
    if payment is None or report not in payment.reports:
        return Decision([], Shown())
    if was is not None and was.duplicate is not None and was.duplicate.of == payment.transaction_id:
        return Decision([], Shown())
    view = structs.replace(payment, reports=[one for one in payment.reports if one != report])
    return Decision([_rejected(payment, report, context)], Edited(view))


def _drop(known: TransactionView, context: Context) -> Decision:
    """Drop what was only suggested."""
    dropped = [one.other_id for one in known.suggestions if one.type == "duplicate"]
    if not dropped:
        raise Refused("not_found", "the transaction is no duplicate, and none was suggested")
    view = structs.replace(
        known,
        suggestions=[one for one in known.suggestions if one.type != "duplicate"],
        flags=[flag for flag in known.flags if flag != POSSIBLE],
    )
    return Decision([_rejected(known, other, context) for other in dropped], Edited(view))


def _rejected(known: TransactionView, other_id: str, context: Context) -> PairJudged:
    return PairJudged(
        type="duplicate",
        transaction_id=known.transaction_id,
        other_id=other_id,
        at=context.at,
        accepted=False,
        by="user",
    )
