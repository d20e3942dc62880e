"""Decides commands on the actor itself and its settings."""

from typing import Any

from msgspec import UNSET

from engine import profile, queries
from engine.behaviour import Context, Decision, Facts, Refused
from engine.commands import DeleteBudget, OpenUser, RaiseCaps, Rounding, SetBudget, UpdateProfile
from engine.decisions.answers import shown, today_of
from engine.decisions.challenges import asked
from engine.decisions.handler import Decide
from engine.payments import roundups
from engine.planning import budgets
from engine.planning.spending import OVERALL
from engine.state import UserState
from engine.views import Shown


def _open(state: UserState, command: OpenUser, _: Facts, context: Context) -> Decision:
    if state.is_open:
        raise Refused("conflict", "the user is open already")
    return Decision([profile.open_user(command, context)], Shown())


def _update_profile(state: UserState, command: UpdateProfile, _: Facts, context: Context) -> Decision:
    """Decide a change of settings; one that raises a cap changes nothing before its code has come."""
    decision = _changes(state, command, context)
    before, after = state.profile, decision.events[0]
    present = before.rounding if after.currency == before.currency else Rounding()
    if roundups.raises_caps(present, after.rounding, after.currency):
        return asked(state, RaiseCaps(changes=command, currency=before.currency), context)
    return decision


def _raise_caps(state: UserState, command: RaiseCaps, _: Facts, context: Context) -> Decision:
    if command.currency != state.profile.currency:
        raise Refused("conflict", f"the home currency is {state.profile.currency} now; send the change again")
    return _changes(state, command.changes, context)


def _has_limits(state: UserState) -> bool:
    """Whether an amount beside the ledger is in the home currency, or a group counts on it."""
    return (
        bool(state.budgets or state.recurring or state.settlement.mandate or state.groups.memberships)
        or any(jar.target_amount or (jar.plan and jar.plan.amount) for jar in state.jars.values())
        or any(one.kind != "no_spend_days" for one in state.saving.running.values())
    )


def _changes(state: UserState, command: UpdateProfile, context: Context) -> Decision:
    events: list[Any] = [
        profile.update(
            state.profile, command, context, has_postings=not state.ledger.is_empty, has_limits=_has_limits(state)
        )
    ]
    if command.monthly_budget is not UNSET:
        existing = state.budgets.get(budgets.key(OVERALL, "monthly"))
        if command.monthly_budget is not None:
            limit = SetBudget(
                category=OVERALL,
                limit=command.monthly_budget,
                starts_on=existing.starts_on if existing else None,
                rollover=existing.rollover if existing else "none",
            )
            events.append(
                budgets.set_limit(state.budgets, state.spending, None, limit, context, today_of(state, context))
            )
        elif existing is not None:
            events += budgets.delete(state.budgets, DeleteBudget(category=OVERALL, period="monthly"), context)
    return shown(state, events, lambda after: queries.profile(after, today_of(after, context)))


DECIDE: dict[type, Decide] = {OpenUser: _open, UpdateProfile: _update_profile, RaiseCaps: _raise_caps}
