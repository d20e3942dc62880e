"""Badges as they follow a turn and as they are read."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from engine.behaviour import Context
from engine.events import TransactionRecorded
from engine.rewards import badges
from engine.rewards.badge_catalogue import Badge, catalogue
from engine.rewards.views_badges import BadgeProgress, BadgeView
from engine.state import USER_STREAK, UserState


def after_turn(state: UserState, events: Sequence[Any], context: Context) -> Sequence[Any]:
    """Follow a turn with the badges it earns."""
    if not events or not state.is_open:
        return ()
    first = events[0]
    is_payment = type(first) is TransactionRecorded and len(events) == 1
    if is_payment and badges.is_quiet(state.badges, first):
        return ()
    return badges.follow(_person(state), events, context)


def _person(state: UserState) -> badges.Person:
    return badges.Person(
        state.badges,
        state.alerts,
        state.streaks[USER_STREAK],
        state.jars,
        state.profile.currency,
        state.profile.today,
    )


def view(state: UserState, today: date) -> list[BadgeView]:
    """Return the badges with their progress."""
    person = _person(state)
    reached = badges.values(person, today)
    plan = person.streak.plan.every
    shown = [
        badge
        for badge in catalogue(person.currency)
        if badge.unit in (None, plan) or badge.badge_id in person.book.earned
    ]
    return [_badge(badge, person, reached[badge.counter]) for badge in shown]


def _badge(badge: Badge, person: badges.Person, reached: int) -> BadgeView:
    earned_at = person.book.earned.get(badge.badge_id)
    current = badge.mark if earned_at is not None else max(0, min(reached, badge.mark))
    return BadgeView(
        badge_id=badge.badge_id,
        name=badge.name,
        description=badge.description,
        earned_at=earned_at,
        progress=BadgeProgress(current, badge.mark),
    )
