"""What events do to badges: those that earn one, and all that count towards one."""

from typing import Any

from engine.events import AlertRaised, BadgeEarned, ProfileUpdated, TransactionRecorded
from engine.evolution.handler import Evolve
from engine.periods import DAYS_A_WEEK
from engine.rewards import badges
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
        if book.saved >= book.next_saved or book.round_ups >= book.next_round_ups:
            badges.look_ahead(book, state.profile.currency)


def _recorded(state: UserState, event: TransactionRecorded) -> None:
    """Count a payment; one in the newest week, and in a period that is kept, only adds up."""
    book = state.badges
    day = event.local_date.toordinal()
    if day >= book.kept_until or (day - 1) // DAYS_A_WEEK != book.week or not book.week_spent:
        _count(state, event)
        return
    saved = event.round_up.base + event.round_up.boost
    if saved:
        book.saved += saved
        book.round_ups += 1
        book.week_saved = True
        if book.saved >= book.next_saved or book.round_ups >= book.next_round_ups:
            badges.look_ahead(book, state.profile.currency)


def _filled(state: UserState, event: AlertRaised) -> None:
    if event.type == "jar_target_reached":
        state.badges.jars_filled += 1
        state.badges.goals_on_time += badges.is_on_time(state.jars, event)


def _replanned(state: UserState, _: ProfileUpdated) -> None:
    state.badges.kept_until = 0


COUNT: dict[type, Evolve] = {
    **dict.fromkeys(badges.SAVINGS, _count),
    TransactionRecorded: _recorded,
    AlertRaised: _filled,
    ProfileUpdated: _replanned,
}
"""What counts, after the event has done its own work."""
