"""Authorised payments that have not settled: what they hold, for how long, and how many.

An authorised or pending spend counts at once, as provisional; its round-up is provisional in the jars. Where the held
amount says little about the price (fuel, lodging, car rental) the round-up waits for the settlement.
"""

from datetime import datetime, timedelta

from msgspec import structs

from engine.behaviour import Context, Refused
from engine.commands import ExpireAuthorisation
from engine.events import Hold, JarShare, RoundUp, TimerCancelled, TimerSet, TransactionRecorded
from engine.jars import jars
from engine.kinds import SPEND_KINDS
from engine.ledger import HELD, transfer
from engine.payments.life import OPEN
from engine.state import UserState
from engine.views import NO_LIFE, LifeView, TransactionView

HOLDS_MAX = 200
"""Each is kept in the state, which is encoded whole. One more is refused rather than one forgotten."""
KEPT, KEPT_LONG = timedelta(days=14), timedelta(days=31)
FUEL = frozenset({"5541", "5542", "5552", "5983"})
_LONG_SINGLE = frozenset({"7011", "7512", "7513", "7519"})


def is_long(mcc: str | None) -> bool:
    """Whether a merchant holds for long: lodging (3501-3999, 7011) and car rental (3351-3500, 7512, 7513, 7519)."""
    return mcc is not None and (mcc in _LONG_SINGLE or "3351" <= mcc <= "3999")


def is_estimate(mcc: str | None) -> bool:
    """Whether the held amount says little about what will be paid."""
    return mcc is not None and (mcc in FUEL or is_long(mcc))


def expiry(mcc: str | None, authorised_at: datetime) -> datetime:
    """Return when an authorisation ends by itself."""
    return authorised_at + (KEPT_LONG if is_long(mcc) else KEPT)


def timer_id(transaction_id: str) -> str:
    """Return the id of the timer that ends an authorisation."""
    return f"hold:{transaction_id}"


def check_room(state: UserState) -> None:
    """Refuse one open authorisation more than `HOLDS_MAX`."""
    if len(state.holds) >= HOLDS_MAX:
        raise Refused("conflict", f"{HOLDS_MAX} authorisations are open; settle, void or decline one of them first")


def unsettled(event: TransactionRecorded) -> TransactionRecorded:
    """Return a report that is not settled: what is authorised is held, anything else moves nothing."""
    if event.status not in OPEN or event.kind not in SPEND_KINDS or not event.amount:
        return structs.replace(event, postings=[], round_up=_waiting("not_settled"), shares=[], counts_as_spend=False)
    round_up, shares = event.round_up, event.shares
    if is_estimate(event.mcc) and round_up.reason in (None, "exact_multiple", "cap", "floor"):
        round_up, shares = _waiting("at_settlement"), []
    elif round_up.amount:
        round_up = structs.replace(round_up, state="provisional")
    postings = transfer(f"expense:{event.category}", HELD, event.amount, event.currency)
    postings += jars.save_postings(shares, event.currency, "provisional")
    return structs.replace(event, postings=postings, round_up=round_up, shares=shares, hold=Hold(event.amount, shares))


def _waiting(reason: str) -> RoundUp:
    return RoundUp("skipped", reason=reason)  # type: ignore[arg-type]


def life_of(event: TransactionRecorded) -> LifeView | None:
    """Return what the view of a new transaction tells of its authorisation."""
    if event.hold is not None:
        ends = expiry(event.mcc, event.occurred_at)
        return LifeView(held=event.amount, authorised_at=event.occurred_at, expires_at=ends)
    return LifeView(settles=event.settles) if event.settles else None


def moved(hold: Hold, jar_id: str, move_to: str) -> Hold:
    """Return a hold whose savings in one jar went to another."""
    if all(part.jar_id != jar_id for part in hold.saved):
        return hold
    saved: dict[str, int] = {}
    for part in hold.saved:
        name = move_to if part.jar_id == jar_id else part.jar_id
        saved[name] = saved.get(name, 0) + part.amount
    return Hold(hold.amount, [JarShare(name, amount) for name, amount in saved.items()])


def ends(view: TransactionView) -> datetime:
    """Return when what an authorisation holds is released by itself."""
    return (view.life or NO_LIFE).expires_at or expiry(view.mcc, view.occurred_at)


def timers(
    before: datetime | None, now: TransactionView, holds: bool, context: Context
) -> list[TimerSet | TimerCancelled]:
    """Return what happens to an authorisation's timer; `before` is when what it held would have ended, if it did."""
    name = timer_id(now.transaction_id)
    if not holds:
        return [TimerCancelled(timer_id=name)] if before is not None else []
    due = ends(now)
    if due == before:
        return []
    command = ExpireAuthorisation(transaction_id=now.transaction_id)
    return [TimerSet(timer_id=name, due=max(due, context.at), command=command)]
