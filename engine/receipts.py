"""Answers built from a turn: the receipt of a transaction, and what the socket shows of each event."""

from typing import Any

from engine import alerts, challenges
from engine.behaviour import Turn
from engine.events import (
    AlertRaised,
    ChallengeIssued,
    ChallengeSpent,
    ChallengeTried,
    DebitPutOff,
    DebitSubmitted,
    IncomeAwaited,
    InstructionClosed,
    InstructionIssued,
    JarShare,
    RoundUp,
    SummaryPlanned,
    SweepPlanned,
    SweepsResumed,
    TimerCancelled,
    TimerSet,
    TransactionRecorded,
    TransactionRefunded,
)
from engine.payments import holds
from engine.settlement import views_settlement
from engine.views import (
    Changed,
    DuplicateView,
    MerchantView,
    OriginalView,
    Receipt,
    Recorded,
    Refunded,
    RoundUpView,
    TransactionView,
)


def original(event: TransactionRecorded) -> OriginalView:
    """Return what was reported of a payment."""
    said = event.original
    if said is None:
        return OriginalView(event.amount, event.currency)
    return OriginalView(said.amount, said.currency, said.rate_date, said.rate)


def duplicate(event: TransactionRecorded) -> DuplicateView:
    """Return of what a report is another report."""
    return DuplicateView(event.duplicate_of or "", event.reported_status or event.status, "rule")


def round_up(saved: RoundUp) -> RoundUpView:
    """Return a round-up as the API shows it."""
    return RoundUpView(saved.state, saved.amount, saved.base, saved.boost, saved.reason, saved.unit, saved.full_unit)


def transaction(event: TransactionRecorded) -> TransactionView:
    """Return a transaction as the wire shows it, as it was recorded."""
    saved = event.round_up
    return TransactionView(
        transaction_id=event.transaction_id,
        external_id=event.external_id,
        origin=event.origin,
        source=event.source,
        method=event.method,
        account_id=event.account_id,
        to_account_id=event.to_account_id,
        status=event.status,
        kind=event.kind,
        direction=event.direction,
        amount=event.amount,
        currency=event.currency,
        original=original(event),
        merchant=MerchantView(event.merchant, event.merchant_name),
        description=event.description,
        category=event.category,
        confidence=event.confidence,
        category_by=event.category_by,
        occurred_at=event.occurred_at,
        local_date=event.local_date,
        recorded_at=event.recorded_at,
        refunded_amount=0,
        round_up=round_up(saved),
        note=None,
        metadata=event.metadata,
        flags=event.flags,
        revision=event.revision,
        provenance=event.provenance,
        mcc=event.mcc,
        reference=event.reference,
        counterparty=event.counterparty,
        location=event.location,
        balance_after=event.balance_after,
        counts_as_spend=event.counts_as_spend,
        jar_postings=event.shares,
        suggestions=event.suggestions,
        duplicate=duplicate(event) if event.duplicate_of is not None else None,
        life=None if event.status == "settled" and event.settles is None else holds.life_of(event),
    )


def receipt(turn: Turn, *, duplicate: bool) -> Receipt:
    """Return the receipt of a turn that recorded a transaction, or refunded one."""
    if type(turn.result) is Refunded:
        return refund(turn, turn.events[0], turn.result, duplicate=duplicate)
    if type(turn.result) is Changed:
        return changed(turn, turn.result, duplicate=duplicate)
    event: TransactionRecorded = turn.events[0]
    result: Recorded = turn.result
    saved = event.round_up
    return Receipt(
        transaction_id=event.transaction_id,
        external_id=event.external_id,
        user_id=user_id(turn.entity_id),
        seq=turn.seq,
        amount=event.amount,
        currency=event.currency,
        category=event.category,
        confidence=event.confidence,
        rounded_to=event.amount + saved.base,
        saved_amount=saved.base + saved.boost,
        base_saved=saved.base,
        boost_saved=saved.boost,
        skipped_reason=saved.reason,
        jar_postings=event.shares if not result.refunds else _moved(turn),
        anomaly=None,
        alerts=[alerts.view(e) for e in turn.events if type(e) is AlertRaised],
        effect=result.effect,
        reason=result.reason,
        budgets=result.budgets,
        streak=result.streak,
        transaction=result.refunds[-1].original if result.refunds else transaction(event),
        duplicate=duplicate,
    )


def changed(turn: Turn, result: Changed, *, duplicate: bool) -> Receipt:
    """Return the receipt of another report of a known transaction: amounts as they stand, jars as they moved."""
    return _known(
        turn,
        result,
        result.transaction.round_up,
        jar_postings=_moved(turn),
        told=[alerts.view(e) for e in turn.events if type(e) is AlertRaised],
        effect=result.effect,
        reason=result.reason,
        duplicate=duplicate,
    )


def _moved(turn: Turn) -> list[JarShare]:
    """Return what a purchase put into jars, and what the refunds that had waited for it took back again."""
    return [part for event in turn.events for part in getattr(event, "shares", ())]


def refund(turn: Turn, event: TransactionRefunded, result: Refunded, *, duplicate: bool = False) -> Receipt:
    """Return the receipt of a refund: it saves nothing, `jar_postings` are what was taken back."""
    return _known(
        turn,
        result,
        _SAVES_NOTHING,
        jar_postings=event.shares,
        told=[],
        effect="refunded",
        reason=None,
        duplicate=duplicate,
    )


_SAVES_NOTHING = RoundUpView("skipped", 0, 0, 0, None)


def _known(
    turn: Turn,
    result: Changed | Refunded,
    saved: RoundUpView,
    *,
    jar_postings: list[JarShare],
    told: list[alerts.AlertView],
    effect: str,
    reason: str | None,
    duplicate: bool,
) -> Receipt:
    """Return a receipt that shows a transaction as it stands after the turn."""
    view = result.transaction
    return Receipt(
        transaction_id=view.transaction_id,
        external_id=view.external_id,
        user_id=user_id(turn.entity_id),
        seq=turn.seq,
        amount=view.amount,
        currency=view.currency,
        category=view.category,
        confidence=view.confidence,
        rounded_to=view.amount + saved.base,
        saved_amount=saved.amount,
        base_saved=saved.base,
        boost_saved=saved.boost,
        skipped_reason=saved.reason,
        jar_postings=jar_postings,
        anomaly=None,
        alerts=told,
        effect=effect,
        reason=reason,
        budgets=result.budgets,
        streak=result.streak,
        transaction=view,
        duplicate=duplicate,
    )


_INSTRUCTIONS = (InstructionIssued, InstructionClosed, DebitSubmitted, DebitPutOff)
_INTERNAL = (
    TimerSet,
    TimerCancelled,
    ChallengeTried,
    ChallengeSpent,
    SweepPlanned,
    SweepsResumed,
    IncomeAwaited,
    SummaryPlanned,
)
"""Events that mean nothing to the user."""


def user_id(entity_id: str) -> str:
    """Return the user's part of an entity id `tenant/user`."""
    return entity_id.partition("/")[2] or entity_id


def pushed(turn: Turn, shown: Any) -> list[dict[str, Any]]:
    """Return a turn's events on the socket: the first with the answer (`shown`) as data, others with themselves.

    A refund that had waited for the purchase of the turn comes with its own receipt, an amended one with the turn's.
    """
    frames: list[dict[str, Any]] = []
    waited = iter(turn.result.refunds if type(turn.result) in (Recorded, Changed) else ())
    for number, event in enumerate(turn.events):
        if type(event) in _INTERNAL:
            continue
        if type(event) is AlertRaised:
            frames.append({"type": event.type, "data": alerts.view(event)})
        elif type(event) is ChallengeIssued:
            frames.append({"type": "challenge_issued", "data": challenges.view(event)})
        elif type(event) in _INSTRUCTIONS:
            view = views_settlement.instruction(event.instruction, user_id(turn.entity_id))
            frames.append({"type": type(event).__struct_config__.tag, "data": view})
        elif number and type(event) is TransactionRefunded:
            one = next(waited, None)
            frames.append({"type": "transaction_refunded", "data": shown if one is None else refund(turn, event, one)})
        else:
            frames.append({"type": type(event).__struct_config__.tag, "data": event if number else shown})
    return frames
