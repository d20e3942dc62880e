"""Another report of a known transaction: settled, amended, voided, reversed. The difference is posted, nothing edited.

Rules: docs/domain.md, "Life of a transaction". This file decides; it changes nothing.
"""

from datetime import date
from typing import Any

from msgspec import Struct, structs

from engine import receipts
from engine.behaviour import Context, Decision, Facts, Refused, invalid
from engine.commands import ExpireAuthorisation, RecordTransaction
from engine.events import RoundUp, TransactionChanged
from engine.kinds import UNCATEGORISED
from engine.payments import aftermath, holds, life, meeting, refunds, resaving, standing, transactions
from engine.payments.aftermath import Evolve
from engine.payments.life import AWAITED, ENDED, OPEN
from engine.state import USER_STREAK, UserState
from engine.views import NO_LIFE, Changed, LifeView, Shown, TransactionView


class Change(Struct, frozen=True):
    """What another report makes of a known transaction: the events, and how it stands after them."""

    events: list[Any]
    view: TransactionView


def report(
    state: UserState, known: TransactionView, command: RecordTransaction, context: Context, evolve: Evolve
) -> Decision:
    """Decide another report of a known transaction; one behind what is known changes nothing. Raises `Refused`."""
    verdict = life.judge(known, command)
    if verdict != "counts":
        transactions.check(command, context)
        return unchanged(state, known, verdict, context)
    change = changed(state, known, _drawn(reported(state, known, command, context)), context, evolve)
    effect = life.effect_of(known.status, command.status)
    if state.parked.waiting and not (standing.is_spend(known) and standing.counted(known)):
        return met(state, change, effect, context, evolve)
    return told(state, change, effect, context, evolve)


def _drawn(now: TransactionView) -> TransactionView:
    """Return an authorisation as `drawn` when other ids have settled all of it."""
    used_up = now.status in OPEN and now.life is not None and now.life.drawn and not standing.counted(now)
    return structs.replace(now, status=life.DRAWN) if used_up else now


def met(
    state: UserState, change: Change, effect: str, context: Context, evolve: Evolve, reason: str | None = None
) -> Decision:
    """Return the turn of a payment that counts for the first time: refunds that waited for it give back in it."""
    events = list(change.events)
    refunded = meeting.give_back(state, events, change.view, context, evolve)
    view = refunded[-1].original if refunded else change.view
    decision = told(state, Change(events, view), effect, context, evolve, reason)
    also = [one.transaction for one in refunded]
    return structs.replace(
        decision,
        events=[*decision.events, *meeting.timers(refunded)],
        result=structs.replace(decision.result, also=also, refunds=refunded),
    )


def unchanged(state: UserState, known: TransactionView, reason: str, context: Context) -> Decision:
    """Return the turn of a report that changes nothing, and says why."""
    today = state.profile.today(context.at)
    return Decision([], Changed(transaction=known, effect="none", reason=reason, streak=_streak(state, today)))


def told(
    state: UserState, change: Change, effect: str, context: Context, evolve: Evolve, reason: str | None = None
) -> Decision:
    """Return the turn of a change, with what it makes worth telling."""
    after = aftermath.follow(state, change.events, context, evolve)
    result = Changed(transaction=change.view, effect=effect, reason=reason, budgets=after.lines, streak=after.streak)
    return Decision([*change.events, *after.alerts], result)


def _streak(state: UserState, today: date) -> Any:
    return state.streaks[USER_STREAK].at(today)


def reported(state: UserState, known: TransactionView, command: RecordTransaction, context: Context) -> TransactionView:
    """Return a transaction as another report leaves it, its round-up and refunds not followed yet. Raises `Refused`.

    What the report says counts; what it leaves out stays, and so does the user's own category. The end of a payment
    says nothing of its amount.
    """
    fresh = receipts.transaction(transactions.recorded(state, command, context, state.profile.today(context.at)))
    if known.status == AWAITED:
        _check_same(known, fresh)
        return structs.replace(
            fresh, transaction_id=known.transaction_id, life=_life(known, fresh, fresh.amount), round_up=known.round_up
        )
    if known.transfer is not None:
        fresh = structs.replace(fresh, kind=known.kind, category=known.category)
    _check_same(known, fresh)
    ended = command.status in ENDED or command.status == "reversed"
    amount = known.amount if ended else fresh.amount
    redated = not ended and command.occurred_at is not None and fresh.occurred_at != known.occurred_at
    label, confidence, by = category(known, fresh, command)
    return structs.replace(
        known,
        status=command.status,
        revision=command.revision,
        kind=known.kind if ended else fresh.kind,
        direction=known.direction if ended else fresh.direction,
        amount=amount,
        currency=known.currency if ended else fresh.currency,
        original=known.original if ended else fresh.original,
        counts_as_spend=known.counts_as_spend if ended else _counts(state, fresh),
        occurred_at=fresh.occurred_at if redated else known.occurred_at,
        local_date=fresh.local_date if redated else known.local_date,
        category=label,
        confidence=confidence,
        category_by=by,
        merchant=known.merchant if command.merchant is None else fresh.merchant,
        life=_life(known, fresh, amount),
        **{name: getattr(command, name) or getattr(known, name) for name in _KEPT_UNLESS_SAID},
        balance_after=known.balance_after if command.balance_after is None else command.balance_after,
        flags=list(dict.fromkeys([*(f for f in known.flags if f != "rate_pending"), *fresh.flags])),
    )


_KEPT_UNLESS_SAID = ("description", "mcc", "reference", "account_id", "method", "counterparty", "location", "metadata")


def _counts(state: UserState, fresh: TransactionView) -> bool:
    """Whether it is a spend in home currency, whatever its status."""
    return standing.is_spend(fresh) and fresh.currency == state.profile.currency


def _check_same(known: TransactionView, fresh: TransactionView) -> None:
    if (known.kind == "refund") != (fresh.kind == "refund") and known.refund_of is None:
        raise invalid("kind", f"the transaction is a {known.kind}; a {fresh.kind} needs an external_id of its own")
    if known.currency != fresh.currency and (known.refunded_amount or (known.life or NO_LIFE).refund_excess):
        raise Refused("conflict", f"it was refunded in {known.currency}; its currency cannot change any more")


def category(known: TransactionView, fresh: TransactionView, command: RecordTransaction) -> tuple[str, float, str]:
    """Return the category: the user's word, then the sender's, then what the models make of new words."""
    says_more = command.category is not None or fresh.kind != known.kind
    says_more = says_more or bool(command.merchant or command.description or command.mcc)
    if known.category_by == "user" or not says_more or known.category_by == "original":
        return known.category, known.confidence, known.category_by
    if command.category is None and known.category_by == "source":
        return known.category, known.confidence, known.category_by
    if fresh.category == UNCATEGORISED and command.category is None:
        return known.category, known.confidence, known.category_by
    return fresh.category, fresh.confidence, fresh.category_by


def _life(known: TransactionView, fresh: TransactionView, amount: int) -> LifeView | None:
    before = known.life or NO_LIFE
    if fresh.status in OPEN and standing.is_spend(fresh) and amount:
        at = fresh.occurred_at if known.status not in OPEN else before.authorised_at or known.occurred_at
        ends = holds.expiry(fresh.mcc or known.mcc, at)
        return structs.replace(before, held=amount, authorised_at=at, expires_at=ends)
    return known.life


def changed(
    state: UserState,
    known: TransactionView,
    now: TransactionView,
    context: Context,
    evolve: Evolve,
    *,
    again: bool = False,
    cause: TransactionView | None = None,
) -> Change:
    """Return the events that make `now` of what is known: books, spending, round-up, hold and timer follow.

    `now` need not know what refunds and round-up become; the view of the change does. `again`: it knows its refunds,
    and what is saved more was saved before: neither the daily cap nor a streak counts it twice.
    `cause`: another transaction, that takes the round-up back.
    """
    today = state.profile.today(context.at)
    now = now if again else standing.with_refunds(known, now, refunds.date_of(state, now, today))
    round_up = resaving.RELEASED if known.round_up.amount else resaving.event_of(known.round_up)
    if standing.counted(now) and now.status != "reversed":
        round_up = resaving.decided(state, known, now, today, context)
    saving = resaving.settle(state, known, now, round_up, context, cause)
    hold = standing.hold(now, saving.net)
    held_before = known.transaction_id in state.holds
    ends = holds.ends(known) if held_before else None
    if hold is not None and not held_before:
        holds.check_room(state)
    now = structs.replace(now, round_up=receipts.round_up(saving.round_up), jar_postings=saving.shares)
    now = structs.replace(now, life=_most_saved(known, now))
    event = TransactionChanged(
        transaction_id=now.transaction_id,
        at=context.at,
        on=today,
        status=now.status,
        currency=now.currency,
        postings=standing.postings(standing.books(known), standing.books(now)) + saving.postings,
        spent=standing.moved(standing.spent(known), standing.spent(now)),
        shares=saving.moved,
        saved=0 if again else _saved_today(state, known, saving, today),
        local_date=now.local_date,
        kept=None if again else _kept(known, saving.round_up),
        hold=hold,
        merchant=now.merchant.name,
        account_id=now.account_id,
        occurred_at=now.occurred_at,
        amount=now.amount,
        moved=_moved(known, now),
        paid_currency=now.original.currency if now.original.currency != now.currency else None,
        moved_paid=_moved_paid(known, now),
        balance_after=now.balance_after if now.balance_after != known.balance_after else None,
    )
    event = aftermath.rearmed(state, event, evolve, today)
    return Change([event, *holds.timers(ends, now, hold is not None, context)], now)


def _moved(known: TransactionView, now: TransactionView) -> int:
    """Return what the account gains; what moved in another currency is no part of it."""
    before = _paid(known) if known.currency == now.currency else 0
    return _paid(now) - before


def _moved_paid(known: TransactionView, now: TransactionView) -> int:
    """Return what an account gains in the currency that a converted payment was paid in."""
    paid = now.original.currency
    if paid == now.currency:
        return 0
    before = known.original.amount if known.status == "settled" and known.original.currency == paid else 0
    after = now.original.amount if now.status == "settled" else 0
    return before - after if now.direction == "debit" else after - before


def _paid(view: TransactionView) -> int:
    """Return what moved, as the account sees it: an authorisation has moved nothing yet."""
    if view.status != "settled":
        return 0
    return view.amount if view.direction == "credit" else -view.amount


def _saved_today(state: UserState, known: TransactionView, saving: resaving.Saving, today: date) -> int:
    """Return what the daily cap counts: what is saved more, or less of what was saved on this very date."""
    moved = sum(part.amount for part in saving.moved)
    if moved < 0 and state.profile.today(known.recorded_at) != today:
        return 0
    return moved


def _kept(known: TransactionView, round_up: RoundUp) -> int | None:
    """Return what the streak gets: what is saved beyond the most it knew of. What is taken back never breaks it."""
    before = max(known.round_up.amount, (known.life or NO_LIFE).saved_most)
    could = transactions.could_save(round_up) and not transactions.could_save(resaving.event_of(known.round_up))
    more = max(0, round_up.amount - before)
    return more if more or could else None


def _most_saved(known: TransactionView, now: TransactionView) -> LifeView | None:
    """Return the life of a transaction that saves less than it did: the streak has counted the most it saved."""
    before = max(known.round_up.amount, (known.life or NO_LIFE).saved_most)
    if now.round_up.amount >= before:
        return now.life
    return structs.replace(now.life or NO_LIFE, saved_most=before)


def expire(state: UserState, command: ExpireAuthorisation, facts: Facts, context: Context, evolve: Evolve) -> Decision:
    """Decide the end of an authorisation whose time is over; nothing happens when it has ended before."""
    known: TransactionView | None = facts.transactions.get(command.transaction_id)
    if known is None or known.status not in OPEN or known.transaction_id not in state.holds:
        return Decision([], Shown())
    status = life.DRAWN if (known.life or NO_LIFE).drawn else "expired"
    change = changed(state, known, structs.replace(known, status=status), context, evolve)
    change = structs.replace(change, events=[one for one in change.events if type(one) is TransactionChanged])
    return told(state, change, "voided", context, evolve, reason="expired")
