"""A payment that waited for its exchange rate: once there is one, it counts as if it had been there on arrival.

What was saved stays as it was decided: nothing. Rules: docs/domain.md, "Foreign money".
"""

from msgspec import structs

from engine.accounts import foreign, rates
from engine.behaviour import Context, Decision, Facts
from engine.commands import ApplyRate
from engine.events import DatedAmount
from engine.outside import Rate
from engine.payments import settling, standing
from engine.payments.aftermath import Evolve
from engine.payments.life import OPEN
from engine.state import UserState
from engine.views import NO_LIFE, OriginalView, Shown, TransactionView


def apply(state: UserState, command: ApplyRate, facts: Facts, context: Context, evolve: Evolve) -> Decision:
    """Decide the conversion of a payment that waits; ask again later while there is no rate for its day."""
    known: TransactionView | None = facts.transactions.get(command.transaction_id)
    if known is None or foreign.PENDING not in known.flags or not (known.status == "settled" or known.status in OPEN):
        return Decision([], Shown())
    rate = rates.rate_of(known.currency, state.profile.currency, known.local_date, context.outside)
    if rate is None:
        return Decision([*rates.asking(known.transaction_id, context.at, command.tries)], Shown())
    change = settling.changed(state, known, _at_home(state, known, rate), context, evolve)
    if state.parked.waiting:
        return settling.met(state, change, "amended", context, evolve, reason="rate_applied")
    return settling.told(state, change, "amended", context, evolve, reason="rate_applied")


def _at_home(state: UserState, known: TransactionView, rate: Rate) -> TransactionView:
    """Return a payment and what was given back of it at home: parts by its own rate, cumulatively."""
    home, paid = state.profile.currency, known.amount
    amount = rates.converted(paid, known.currency, home, rate)
    said = OriginalView(paid, known.currency, rate.day, rates.shown(rate))
    now = structs.replace(
        known,
        amount=amount,
        currency=home,
        original=said,
        flags=[flag for flag in known.flags if flag != foreign.PENDING],
        refunded_original=known.refunded_amount,
        refunded_amount=0,
        refunds=[],
    )
    before = 0
    for part in known.refunds:
        given = foreign.part(now, before + part.amount) - foreign.part(now, before)
        before += part.amount
        now.refunds.append(DatedAmount(part.local_date, given))
    life = known.life
    if life is not None:
        life = structs.replace(
            life,
            held=None if life.held is None else rates.converted(life.held, known.currency, home, rate),
            drawn=rates.converted(life.drawn, known.currency, home, rate),
            refund_excess=rates.converted((known.life or NO_LIFE).refund_excess, known.currency, home, rate),
        )
    given_back = sum(part.amount for part in now.refunds)
    now = structs.replace(now, refunded_amount=given_back, life=life)
    return structs.replace(now, counts_as_spend=standing.is_spend(now))
