"""What events do to badges: those that earn one, and all that count towards one."""

from typing import Any

from engine import badges
from engine.events import AlertRaised, BadgeEarned, ProfileUpdated
from engine.evolution.handler import Evolve
from engine.state import USER_STREAK, UserState


def _earned(state: UserState, event: BadgeEarned) -> None:
    state.badges.earned.setdefault(event.badge_id, event.at)


EVOLVE: dict[type, Evolve] = {BadgeEarned: _earned}


def _count(state: UserState, event: Any) -> None:
    saving = badges.SAVINGS[type(event)](event)
    book = state.badges
    book.count(saving.day, saving.saved, saving.spent)
    if saving.saved > 0:
        book.round_ups += saving.round_ups
        book.kept(saving.day, state.streaks[USER_STREAK])


def _filled(state: UserState, event: AlertRaised) -> None:
    if event.type == "jar_target_reached":
        state.badges.jars_filled += 1
        state.badges.goals_on_time += badges.is_on_time(state.jars, event)


def _replanned(state: UserState, _: ProfileUpdated) -> None:
    state.badges.kept_until = 0


COUNT: dict[type, Evolve] = {
    **dict.fromkeys(badges.SAVINGS, _count),
    AlertRaised: _filled,
    ProfileUpdated: _replanned,
}
"""What counts, after the event has done its own work."""
