"""Settlements under another id than their authorisation (`pending_external_id`): they draw on it until it is used up.

Each part is a payment of its own, with an id and a round-up of its own. The authorisation holds what is not drawn yet,
until a part is `final`, everything is drawn, or its time is over; then its status is `drawn` and lists leave it out. A
part that comes before its authorisation leaves a note under its id (status `awaited`), so the order does not matter.
"""

from typing import Any

from msgspec import Struct, structs

from engine import receipts
from engine.behaviour import Context, Facts, invalid
from engine.commands import RecordTransaction
from engine.events import TransactionRecorded
from engine.jars.jars import save_postings
from engine.payments import resaving, settling, standing, transactions
from engine.payments.aftermath import Evolve
from engine.payments.life import AWAITED, DRAWN, ENDED, OPEN
from engine.state import UserState
from engine.views import NO_LIFE, LifeView, OriginalView, RoundUpView, TransactionView


class Draw(Struct, frozen=True):
    """A part, what it changes of its authorisation, and how that stands after it; nothing when it was over before."""

    part: TransactionRecorded
    events: list[Any]
    authorisation: TransactionView | None


def identity(command: RecordTransaction) -> tuple[str, str, str] | None:
    """Return the identity of the authorisation that a settlement names, if it names another than itself."""
    name = command.pending_external_id
    if name is None or command.status != "settled" or name == command.external_id:
        return None
    return command.origin, command.source, name


def draw(state: UserState, command: RecordTransaction, facts: Facts, context: Context, evolve: Evolve) -> Draw | None:
    """Decide a settlement that draws on an authorisation; None when it names none. Raises `Refused`."""
    named = identity(command)
    if named is None or not standing.is_spend_kind(command.kind):
        return None
    part = transactions.recorded(state, command, context, state.profile.today(context.at))
    known: TransactionView | None = facts.by_identity.get(named)
    if known is None:
        note = _awaited(part, named[2], command, context)
        return Draw(structs.replace(part, settles=note.transaction_id), [], note)
    if known.kind == "refund" or not standing.is_spend(known):
        raise invalid("pending_external_id", f"names a {known.kind}; only an authorised spend can settle")
    part = structs.replace(part, settles=known.transaction_id)
    if known.status in (AWAITED, DRAWN) or known.status in ENDED:
        return Draw(part, [], structs.replace(known, life=_drawn(known, command)))
    if known.status not in OPEN:
        return Draw(part, [], None)
    part = _saved(state, known, _like(known, part, command), context)
    after = _drawn(known, command)
    used_up = after.closed or after.drawn >= known.amount
    now = structs.replace(known, status=DRAWN if used_up else known.status, life=after)
    change = settling.changed(state, known, now, context, evolve)
    return Draw(part, change.events, change.view)


def _drawn(known: TransactionView, command: RecordTransaction) -> LifeView:
    before = known.life or NO_LIFE
    return structs.replace(before, drawn=before.drawn + command.amount, closed=before.closed or bool(command.final))


def _awaited(
    part: TransactionRecorded, external_id: str, command: RecordTransaction, context: Context
) -> TransactionView:
    """Return the note under the id of an authorisation that is not known yet."""
    return structs.replace(
        receipts.transaction(part),
        transaction_id=context.new_id(),
        external_id=external_id,
        status=AWAITED,
        amount=0,
        original=OriginalView(0, part.currency),
        round_up=RoundUpView("skipped", 0, 0, 0, "at_settlement"),
        counts_as_spend=False,
        jar_postings=[],
        metadata={},
        revision=0,
        life=LifeView(drawn=command.amount, closed=bool(command.final)),
    )


def _like(known: TransactionView, part: TransactionRecorded, command: RecordTransaction) -> TransactionRecorded:
    """Return the part with what its report leaves out and the authorisation says: date, merchant, category."""
    category, confidence, by = settling.category(known, receipts.transaction(part), command)
    if command.occurred_at is None:
        part = structs.replace(part, occurred_at=known.occurred_at, local_date=known.local_date)
    if command.merchant is None:
        part = structs.replace(part, merchant=known.merchant.raw, merchant_name=known.merchant.name)
    return structs.replace(part, category=category, confidence=confidence, category_by=by, mcc=part.mcc or known.mcc)


def _saved(
    state: UserState, known: TransactionView, part: TransactionRecorded, context: Context
) -> TransactionRecorded:
    """Return the part with the round-up of its authorisation, rounded for its own amount."""
    today = state.profile.today(context.at)
    view = receipts.transaction(part)
    round_up = resaving.decided(state, known, view, today, context)
    goal = resaving.goal(state, resaving.held_now(state, known), round_up.amount, today)
    shares = resaving.shares(goal)
    paid = transactions.postings_of(part.kind, part.direction, part.category, part.amount, part.currency)
    return structs.replace(part, round_up=round_up, shares=shares, postings=paid + save_postings(shares, part.currency))
