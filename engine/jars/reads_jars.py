"""Jars as they are read: views built from the state alone."""

from datetime import date, datetime

from engine.commands import Plan
from engine.jars import allocation, goals
from engine.jars.jars import STAGES, Jar
from engine.jars.views_jars import AllocationShare, AllocationView, JarView, PlanView
from engine.ledger import jar_account
from engine.state import UserState


def jar(state: UserState, one: Jar, at: datetime) -> JarView:
    """Return a jar with its balance by stage, as of `at`."""
    currency = state.profile.currency
    held = {s: state.ledger.balance(jar_account(one.jar_id, s), currency) for s in STAGES}
    balance = sum(held.values())
    locked_until, today = one.locked_at(at), state.profile.today(at)
    return JarView(
        jar_id=one.jar_id,
        name=one.name,
        target_amount=one.target_amount,
        deadline=one.deadline,
        image_url=one.image_url,
        priority=one.priority,
        cap_at_target=one.cap_at_target,
        plan=plan(one.plan) if one.plan else None,
        is_default=one.is_default,
        currency=currency,
        balance=balance,
        provisional=held["provisional"],
        accrued=held["accrued"],
        scheduled=held["scheduled"],
        settled=held["settled"] + held["reserved"],
        reserved=held["reserved"],
        available=held["settled"],
        progress=min(100, balance * 100 // one.target_amount) if one.target_amount else None,
        locked_until=locked_until,
        unlocks_at=one.unlocks_at if locked_until else None,
        created_at=one.created_at,
        needed=goals.needed(one, today),
        goal=goals.standing(one, state.profile, today),
        forecast=goals.forecast(one, today),
    )


def plan(one: Plan) -> PlanView:
    """Return a plan with its defaults filled in."""
    return PlanView(one.every, one.amount)


def shares(state: UserState, today: date) -> AllocationView:
    """Return how savings are shared."""
    percents = allocation.percents_now(state.jars, state.jar_order, state.allocation, today)
    return AllocationView(
        mode=state.allocation.mode,
        shares=[_share(state.jars[jar_id], percents) for jar_id in state.jar_order],
    )


def _share(one: Jar, percents: dict[str, int]) -> AllocationShare:
    return AllocationShare(
        jar_id=one.jar_id,
        name=one.name,
        percent=percents.get(one.jar_id, 0) if percents else None,
        priority=None if one.is_default else one.priority,
    )
