"""What events of the actor and its settings do to the state."""

from engine import profile
from engine.events import ProfileUpdated, UserOpened
from engine.evolution.handler import Evolve
from engine.jars import jars
from engine.rewards.streaks import Streak, replanned
from engine.state import USER_STREAK, UserState


def _opened(state: UserState, event: UserOpened) -> None:
    profile.opened(state.profile, event)
    state.is_open = True
    state.default_jar_id = event.default_jar_id
    default = jars.Jar(jar_id=event.default_jar_id, name=jars.DEFAULT_NAME, created_at=event.at, is_default=True)
    state.jars[default.jar_id] = default
    state.jar_order = jars.order(state.jars.values())
    state.streaks[USER_STREAK] = Streak(plan=state.profile.plan)


def _profile_updated(state: UserState, event: ProfileUpdated) -> None:
    profile.updated(state.profile, event)
    if event.last_day is not None:
        for streak in state.streaks.values():
            streak.skip(event.last_day, event.skipped)
    state.streaks[USER_STREAK] = replanned(state.streaks[USER_STREAK], event.plan)


EVOLVE: dict[type, Evolve] = {UserOpened: _opened, ProfileUpdated: _profile_updated}
