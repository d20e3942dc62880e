"""Transactions: what a report of a payment does to budgets, savings, streak and ledger. One turn, one event.

The kinds table (docs/domain.md) decides what counts as spend and as income. This file decides; it changes nothing.
"""

from datetime import date, datetime, timedelta
from typing import Any

from msgspec import UNSET, structs

from engine import alerts, money, receipts
from engine.accounts import accounts
from engine.alerts import Draft
from engine.behaviour import Context, Decision, Facts, FieldError, Refused, invalid
from engine.commands import Direction, EditTransaction, RecordTransaction
from engine.events import JarShare, Posting, RoundUp, TransactionEdited, TransactionRecorded
from engine.jars import allocation, jars
from engine.kinds import CATEGORY_OF_KIND, INCOME_KINDS, MOVE_KINDS, SPEND_KINDS, UNCATEGORISED
from engine.ledger import OWN, PARKED, WALLET, transfer
from engine.money import show
from engine.payments import holds, roundups, standing
from engine.payments.life import HIDDEN
from engine.periods import local_date
from engine.planning import budget_alerts, budgets, spent
from engine.planning.spending import OVERALL
from engine.profile import currency_hint
from engine.rewards import streaks
from engine.rewards.streaks import StreakView
from engine.state import USER_STREAK, UserState
from engine.views import Edited, Recorded, TransactionView

FUTURE_MAX = timedelta(hours=24)
RESERVED = f"{OVERALL!r} names the total of all categories; give the category itself"


def direction_of(command: RecordTransaction) -> Direction:
    """Return the direction a kind implies; refuse one that contradicts it."""
    if command.kind in MOVE_KINDS:
        return command.direction or "debit"
    implied: Direction = "credit" if command.kind in INCOME_KINDS or command.kind == "refund" else "debit"
    if command.direction not in (None, implied):
        raise invalid("direction", f"{command.direction} contradicts kind {command.kind}, which is a {implied}")
    return implied


def check(command: RecordTransaction, context: Context) -> datetime:
    """Refuse what cannot be recorded, naming every bad field; return when the payment happened."""
    errors = []
    if not money.known(command.currency):
        errors.append(FieldError("currency", currency_hint(command.currency)))
    if command.category == OVERALL:
        errors.append(FieldError("category", RESERVED))
    if command.amount == 0 and command.status == "settled" and command.original is None:
        errors.append(FieldError("amount", "must be at least 1 minor unit for a settled event"))
    when = command.occurred_at or context.at
    if when is not context.at:
        errors += time_errors(when, context)
    if errors:
        raise Refused("invalid", "; ".join(f"{e.field}: {e.message}" for e in errors), errors)
    return when


def time_errors(when: datetime, context: Context) -> list[FieldError]:
    """Return what is wrong with the time of a payment."""
    if when.tzinfo is None:
        return [FieldError("occurred_at", "needs an offset, for example 2026-11-20T09:30:00+05:30")]
    if when - context.at > FUTURE_MAX:
        return [FieldError("occurred_at", "lies more than 24 hours in the future")]
    return [FieldError("occurred_at", "lies before 1970")] if when.year < 1970 else []


def categorise(command: RecordTransaction, context: Context) -> tuple[str, float, str]:
    """Return category, confidence and who said it: the sender first, then the kind, then the models."""
    if command.category is not None:
        return command.category, 1.0, "source"
    by_kind = CATEGORY_OF_KIND.get(command.kind)
    if by_kind is not None:
        return by_kind, 1.0, "kind"
    if context.prediction is not None:
        return context.prediction.category, context.prediction.confidence, context.prediction.by
    return UNCATEGORISED, 0.0, "none"


def postings_of(kind: str, direction: str, category: str, amount: int, currency: str) -> list[Posting]:
    """Return the double entry of a payment; a refund's is that of one whose purchase is not known yet."""
    if kind in SPEND_KINDS:
        return transfer(f"expense:{category}", WALLET, amount, currency)
    if kind in INCOME_KINDS:
        return transfer(WALLET, f"income:{category}", amount, currency)
    if kind == "refund":
        return transfer(WALLET, PARKED, amount, currency)
    return transfer(OWN, WALLET, amount, currency) if direction == "debit" else transfer(WALLET, OWN, amount, currency)


def record(state: UserState, command: RecordTransaction, context: Context) -> Decision:
    """Decide everything about a payment on its arrival: category, round-up, jars, postings, alerts."""
    today = state.profile.today(context.at)
    event = recorded(state, command, context, today)
    after: list[budgets.Standing] = []
    timers: list[Any] = []
    if event.hold is not None:
        holds.check_room(state)
        timers = holds.timers(None, receipts.transaction(event), True, context)
    if event.counts_as_spend:
        after = spent.standings(state, event.category, event.local_date, event.amount)
    streak, drafts = _consequences(state, event, today, after)
    raised = alerts.raise_all(state.alerts, drafts, context, today) if drafts else []
    return Decision(events=[event, *raised, *timers], result=Recorded(budgets=budgets.lines(after), streak=streak))


def recorded(state: UserState, command: RecordTransaction, context: Context, today: date) -> TransactionRecorded:
    """Return the event of a payment, checked and complete."""
    when, direction = check(command, context), direction_of(command)
    profile = state.profile
    category, confidence, by = categorise(command, context)
    day = today if when is context.at else local_date(when, profile.zone_at(context.at))
    at_home = command.currency == profile.currency
    spend = command.kind in SPEND_KINDS and at_home
    round_up = _round_up(state, command, direction, when, today, context) if at_home else _pending_rate()
    shares = _shares(state, round_up.amount, today) if round_up.amount else []
    postings = postings_of(command.kind, direction, category, command.amount, command.currency)
    prediction = context.prediction
    event = TransactionRecorded(
        transaction_id=context.new_id(),
        origin=command.origin,
        source=command.source,
        external_id=command.external_id,
        status=command.status,
        kind=command.kind,
        direction=direction,
        amount=command.amount,
        currency=command.currency,
        occurred_at=when,
        recorded_at=context.at,
        recorded_on=today,
        local_date=day,
        category=category,
        confidence=confidence,
        category_by=by,
        provenance=command.provenance,
        postings=postings + jars.save_postings(shares, command.currency) if shares else postings,
        round_up=round_up,
        shares=shares,
        counts_as_spend=spend,
        revision=command.revision,
        merchant=command.merchant,
        merchant_name=(prediction.merchant_name if prediction else None) or command.merchant,
        description=command.description,
        mcc=command.mcc,
        reference=command.reference,
        account_id=command.account_id,
        to_account_id=command.to_account_id,
        balance_after=command.balance_after,
        method=command.method,
        counterparty=command.counterparty,
        location=command.location,
        metadata=command.metadata,
        flags=[] if at_home else ["rate_pending"],
        pending_external_id=command.pending_external_id,
        original_external_id=command.original_external_id,
        original=command.original,
    )
    return event if command.status == "settled" else holds.unsettled(event)


def _shares(state: UserState, amount: int, today: date) -> list[JarShare]:
    return allocation.share(amount, state.jars, state.jar_order, state.allocation, today)


def _pending_rate() -> RoundUp:
    return RoundUp("skipped", reason="rate_pending")


def _round_up(
    state: UserState, command: RecordTransaction, direction: str, when: datetime, today: date, context: Context
) -> RoundUp:
    profile = state.profile
    left = command.balance_after
    if state.accounts:
        left = accounts.spendable(state.accounts, command, when, command.amount, profile.currency)
    return roundups.decide(
        roundups.Spend(command.amount, command.kind, direction, when, left, command.provenance),
        roundups.Saver(
            profile.rounding,
            profile.currency,
            profile.saving_state(today),
            profile.saving_since,
            state.saved_today.on(today),
            context.at,
            profile.tenant_mode,
        ),
    )


def could_save(round_up: RoundUp) -> bool:
    """Whether a streak may blame the person for saving nothing here: nothing stood in the way but an exact amount."""
    return round_up.state != "skipped" or round_up.reason == "exact_multiple"


def _consequences(
    state: UserState, event: TransactionRecorded, today: date, after: list[budgets.Standing]
) -> tuple[StreakView | None, list[Draft]]:
    """Return the streak after the event, and what is worth telling, in a fixed order: budgets, pace, jars, streak."""
    drafts: list[Draft] = []
    if after:
        drafts += budget_alerts.of_spend(state, after, today)
        drafts += budget_alerts.of_pace(state, after, today, (event.local_date, event.amount))
    for part in event.shares:
        drafts += jar_alerts(state.jars[part.jar_id], part, event.currency)
    view, told = streak_after(state, event, today)
    return view, drafts + told


def streak_after(state: UserState, event: TransactionRecorded, today: date) -> tuple[StreakView, list[Draft]]:
    """Return the person's streak after a payment, and what of it is worth telling."""
    streak = state.streaks[USER_STREAK]
    if not could_save(event.round_up):
        return streak.at(today), []
    return streaks.after(streak, today, event.local_date, event.round_up.amount)


def jar_alerts(jar: jars.Jar, part: JarShare, currency: str) -> list[Draft]:
    """Return what a jar's new balance makes worth telling: a milestone, or its target reached."""
    marks = jars.passed_marks(jar, part.amount)
    if not marks:
        return []
    reached = marks[-1] == 100
    balance = show(jar.saved + part.amount, currency)
    return [
        Draft(
            type="jar_target_reached" if reached else "milestone",
            severity="info",
            message=f"{jar.name} has reached its target: {balance}."
            if reached
            else f"{jar.name} is {marks[-1]} % of the way to its target: {balance}.",
            data={"jar_id": jar.jar_id, "percent": marks[-1], "balance": jar.saved + part.amount},
        )
    ]


def edit(state: UserState, command: EditTransaction, facts: Facts, context: Context) -> Decision:
    """Decide the user's word on a transaction; a new category moves the spend by postings, late ones included."""
    was: TransactionView | None = facts.transactions.get(command.transaction_id)
    if was is None or was.status in HIDDEN:
        raise Refused("not_found", f"there is no transaction {command.transaction_id!r}")
    category = was.category if command.category is UNSET else command.category
    if category == OVERALL:
        raise invalid("category", RESERVED)
    if was.refund_of is not None and category != was.category:
        raise Refused("conflict", "a refund has the category of its purchase; change that of the purchase")
    description = was.description if command.description is UNSET else command.description
    note = was.note if command.note is UNSET else command.note
    postings = _moved(was, category) if category != was.category else []
    event = TransactionEdited(
        transaction_id=was.transaction_id,
        at=context.at,
        local_date=was.local_date,
        amount=standing.counted(was),
        provisional=standing.held(was),
        currency=was.currency,
        old_category=was.category,
        category=category,
        counts_as_spend=was.counts_as_spend,
        description=description,
        note=note,
        postings=postings,
        refunds=was.refunds,
        by_user=command.category is not UNSET,
    )
    today = state.profile.today(context.at)
    drafts: list[Draft] = []
    if postings and was.counts_as_spend:
        drafts = _moved_alerts(state, event, today)
    view = edited_view(was, event)
    raised = alerts.raise_all(state.alerts, drafts, context, today)
    return Decision(events=[event, *raised], result=Edited(transaction=view))


def _moved(was: TransactionView, category: str) -> list[Posting]:
    """Return the postings that a new category asks for: only spends and incomes have an account a category."""
    if was.kind in SPEND_KINDS:
        left = standing.counted(was) - was.refunded_amount
        return transfer(f"expense:{category}", f"expense:{was.category}", left, was.currency)
    if was.kind in INCOME_KINDS:
        return transfer(f"income:{was.category}", f"income:{category}", standing.counted(was), was.currency)
    return []


def _moved_alerts(state: UserState, event: TransactionEdited, today: date) -> list[Draft]:
    return budget_alerts.of_spend(state, spent.entered(state, event), today)


def edited_view(was: TransactionView, event: TransactionEdited) -> TransactionView:
    """Return a transaction as it stands after the user's edit."""
    changes: dict[str, Any] = {"category": event.category, "description": event.description, "note": event.note}
    if event.by_user:
        changes |= {"confidence": 1.0, "category_by": "user"}
    return structs.replace(was, **changes)
