"""What a settlement, an amendment or an end does to a round-up: decided once on arrival, it follows its transaction.

What was saved is rounded anew by the unit and the multiplier it was decided with. What was skipped for the amount alone
(or waited for settlement) is decided anew; what was skipped for the person's switches stays skipped.
"""

from datetime import date

from msgspec import Struct, structs

from engine.accounts import accounts
from engine.behaviour import Context
from engine.events import JarShare, Posting, RoundUp
from engine.jars import allocation
from engine.jars.allocation import split
from engine.kinds import ROUND_UP_KINDS
from engine.ledger import PROMISED, RETURNED, jar_account, transfer
from engine.payments import holds, roundups
from engine.payments.life import ENDED, OPEN
from engine.state import UserState
from engine.views import NO_LIFE, RoundUpView, TransactionView

_AMOUNT_REASONS = frozenset({"exact_multiple", "cap", "floor", "at_settlement", "not_settled", "released"})
_TAKEN_FROM = (("accrued", PROMISED), ("settled", RETURNED))
"""Stages a round-up is taken back from, and what gets it: a promise is dropped, settled money is owed to the wallet."""
RELEASED = RoundUp("skipped", reason="released")


class Saving(Struct, frozen=True):
    """A round-up after a change: what is saved now, by jar (net of what refunds took), and how it got there."""

    round_up: RoundUp
    shares: list[JarShare]
    """As the transaction shows them: before refunds took any back."""
    net: list[JarShare]
    postings: list[Posting]
    moved: list[JarShare]
    """What jars received, or gave back (negative)."""


def net_of(view: TransactionView) -> dict[str, int]:
    """Return what a transaction's round-up has in jars, by jar: what it put there less what refunds took back."""
    taken = {part.jar_id: part.amount for part in view.taken_back}
    return {part.jar_id: part.amount - taken.get(part.jar_id, 0) for part in view.jar_postings}


def event_of(view: RoundUpView) -> RoundUp:
    """Return a round-up as an event holds it."""
    return RoundUp(view.state, view.base, view.boost, view.reason, view.unit, view.full_unit)  # type: ignore[arg-type]


def decided(state: UserState, known: TransactionView, now: TransactionView, today: date, context: Context) -> RoundUp:
    """Return the round-up of a changed transaction that counts. `now` has the new amount, status and category."""
    before = event_of(known.round_up)
    if now.direction != "debit" or now.kind not in ROUND_UP_KINDS or _to_a_person(state, known, now):
        saved = before.amount or before.reason in _AMOUNT_REASONS
        return RoundUp("skipped", reason="not_eligible") if saved else before
    if now.status in OPEN and (holds.is_estimate(now.mcc) or (now.life or NO_LIFE).drawn):
        return RoundUp("skipped", reason="at_settlement")
    if (known.amount, known.currency, known.status, known.kind) == (now.amount, now.currency, now.status, now.kind):
        return before
    if before.amount and known.status not in ENDED:
        if known.amount == now.amount and known.currency == now.currency:
            return _staged(before, now)
        return _rounded(state, known, now, before, today)
    same = (known.amount, known.currency) == (now.amount, now.currency)
    if before.reason not in _AMOUNT_REASONS or (before.reason == "exact_multiple" and same):
        return before
    return _staged(_afresh(state, known, now, today, context), now)


def _to_a_person(state: UserState, known: TransactionView, now: TransactionView) -> bool:
    """Whether a payment turns out to be to a person, and those are not saved on."""
    return now.kind == "p2p" and known.kind != "p2p" and not state.profile.rounding.round_up_p2p


def _staged(round_up: RoundUp, now: TransactionView) -> RoundUp:
    if not round_up.amount:
        return round_up
    return structs.replace(round_up, state="provisional" if now.status in OPEN else "accrued")


def _rounded(state: UserState, known: TransactionView, now: TransactionView, before: RoundUp, today: date) -> RoundUp:
    rounding, currency = state.profile.rounding, state.profile.currency
    if now.currency != currency:
        return RoundUp("skipped", reason="rate_pending")
    unit = before.unit or rounding.unit or roundups.default_unit(currency)
    base = roundups.base_of(now.amount, unit, "full_unit" if before.full_unit else "none")
    if base == 0:
        return RoundUp("skipped", reason="exact_multiple")
    total = base * (before.amount // before.base)
    event_cap, daily_cap = roundups.default_caps(currency)
    today_saved = state.saved_today.on(today)
    if state.profile.today(known.recorded_at) == today:
        today_saved -= min(today_saved, before.amount)
    if total > (rounding.event_cap or event_cap) or today_saved + total > (rounding.daily_cap or daily_cap):
        return RoundUp("skipped", reason="cap")
    if rounding.floor is not None:
        more = total - before.amount if known.status == "settled" else total
        left = _left(state, known, now)
        if more > 0 and left is not None and left - more < rounding.floor:
            return RoundUp("skipped", reason="floor")
    return _staged(RoundUp("accrued", base, total - base, None, unit, before.full_unit), now)


def _left(state: UserState, known: TransactionView, now: TransactionView) -> int | None:
    """Return what is known to be left where a round-up is taken from, after the payment as it stands now."""
    if not state.accounts:
        return now.balance_after
    moved = known.amount if known.status == "settled" and known.currency == now.currency else 0
    return accounts.spendable(state.accounts, now, now.occurred_at, now.amount - moved, state.profile.currency)


def _afresh(state: UserState, known: TransactionView, now: TransactionView, today: date, context: Context) -> RoundUp:
    """Decide as on arrival. A payment that was recorded in time is not historical when it settles days later."""
    profile = state.profile
    if not now.counts_as_spend:
        return RoundUp("skipped", reason="rate_pending" if now.currency != profile.currency else "not_eligible")
    left = _left(state, known, now)
    in_time = known.recorded_at if known.status in OPEN else context.at
    return roundups.decide(
        roundups.Spend(now.amount, now.kind, now.direction, now.occurred_at, left, now.provenance),
        roundups.Saver(
            profile.rounding,
            profile.currency,
            profile.saving_state(today),
            profile.saving_since,
            state.saved_today.on(today),
            in_time,
            profile.tenant_mode,
        ),
    )


def settle(
    state: UserState,
    known: TransactionView,
    now: TransactionView,
    round_up: RoundUp,
    context: Context,
    cause: TransactionView | None,
) -> Saving:
    """Return the postings by which a round-up follows its transaction, stage by stage, as far as a jar has it."""
    before, today = held_now(state, known), state.profile.today(context.at)
    taken = {part.jar_id: part.amount for part in now.taken_back}
    gone = {} if known.transaction_id in state.holds else gone_with(state, known)
    staying = round_up.amount - sum(taken.values()) - sum(gone.values())
    if round_up.amount == known.round_up.amount:
        staying = max(staying, sum(before.values()))
    wanted_by_jar = goal(state, before, max(0, staying), today)
    was = "provisional" if known.status in OPEN else "accrued"
    stage = "provisional" if now.status in OPEN else "accrued"
    currency = state.profile.currency
    postings: list[Posting] = []
    net: dict[str, int] = {}
    for jar_id in {**before, **wanted_by_jar}:
        had, wanted = before.get(jar_id, 0), wanted_by_jar.get(jar_id, 0)
        if wanted < had:
            out = take(state, jar_id, had - wanted, was, context, cause)
            wanted = had - sum(posting.amount for posting in out if posting.account in (PROMISED, RETURNED))
            postings += out
        else:
            postings += transfer(jar_account(jar_id, stage), PROMISED, wanted - had, currency)
        if was != stage:
            postings += transfer(jar_account(jar_id, stage), jar_account(jar_id, was), min(had, wanted), currency)
        net[jar_id] = wanted
    return Saving(
        round_up,
        shares({jar_id: {**gone, **net}.get(jar_id, 0) + taken.get(jar_id, 0) for jar_id in {**gone, **net, **taken}}),
        shares(net),
        postings,
        shares({jar_id: net[jar_id] - before.get(jar_id, 0) for jar_id in net}),
    )


def held_now(state: UserState, known: TransactionView) -> dict[str, int]:
    """Return what a transaction has in jars; of an authorisation the state knows it, jars that moved included."""
    hold = state.holds.get(known.transaction_id)
    if hold is not None:
        return {part.jar_id: part.amount for part in hold.saved}
    return {jar_id: amount for jar_id, amount in net_of(known).items() if jar_id in state.jars}


def gone_with(state: UserState, known: TransactionView) -> dict[str, int]:
    """Return what a transaction saved in jars that are deleted: it moved on with them, and is not saved again."""
    return {jar_id: amount for jar_id, amount in net_of(known).items() if amount and jar_id not in state.jars}


def goal(state: UserState, before: dict[str, int], total: int, today: date) -> dict[str, int]:
    """Return who has what of a new total: what is more goes where savings go now, what is less comes from each."""
    had = sum(before.values())
    if total < had:
        return dict(zip(before, split(total, list(before.values())), strict=True))
    after = dict(before)
    for part in shared(state, total - had, today) if total > had else ():
        after[part.jar_id] = after.get(part.jar_id, 0) + part.amount
    return after


def shared(state: UserState, amount: int, today: date) -> list[JarShare]:
    """Return who receives what is saved."""
    return allocation.share(amount, state.jars, state.jar_order, state.allocation, today) if amount else []


def may_return(state: UserState, cause: TransactionView | None) -> bool:
    """Whether `cause` may take settled money out of a jar: in a live tenant nothing that a person reports does."""
    return cause is None or state.profile.tenant_mode != "live" or cause.provenance != "self_reported"


def take(
    state: UserState, jar_id: str, amount: int, stage: str, context: Context, cause: TransactionView | None = None
) -> list[Posting]:
    """Return the postings that take back from a jar what was saved in it, as far as it is open and has it there.

    `cause` is the other transaction that takes it back: its twin, or the other leg of a transfer.
    """
    postings: list[Posting] = []
    currency = state.profile.currency
    if stage != "provisional" and state.jars[jar_id].locked_at(context.at) is not None:
        return postings
    taken_from = _TAKEN_FROM if may_return(state, cause) else _TAKEN_FROM[:1]
    for source, to in taken_from if stage != "provisional" else ((stage, PROMISED),):
        account = jar_account(jar_id, source)
        part = min(amount, state.ledger.balance(account, currency))
        postings += transfer(to, account, part, currency)
        amount -= part
    return postings


def shares(amounts: dict[str, int]) -> list[JarShare]:
    """Return amounts by jar as an event holds them."""
    return [JarShare(jar_id, amount) for jar_id, amount in amounts.items() if amount]
