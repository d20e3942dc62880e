"""What events of jars do to the state."""

from engine.events import (
    AllocationSet,
    JarCreated,
    JarDeleted,
    JarDeposited,
    JarEdited,
    JarLocked,
    JarOpened,
    JarTransferred,
    JarUnlockCancelled,
    JarUnlockStarted,
)
from engine.evolution.handler import Evolve
from engine.evolution.saving import jar_saved
from engine.jars import allocation, jars, locks
from engine.jars.allocation import Allocation
from engine.payments import holds
from engine.rewards.streaks import Streak, replanned
from engine.state import USER_STREAK, UserState


def _jar_created(state: UserState, event: JarCreated) -> None:
    state.jars[event.jar_id] = jars.created(event)
    _jar_described(state, event)


def _jar_edited(state: UserState, event: JarEdited) -> None:
    jars.edited(state.jars[event.jar_id], event)
    _jar_described(state, event)


def _jar_described(state: UserState, event: JarCreated | JarEdited) -> None:
    state.jar_order = jars.order(state.jars.values())
    if event.plan is None:
        state.streaks.pop(event.jar_id, None)
    else:
        known = state.streaks.get(event.jar_id) or Streak(
            plan=event.plan, skipped=list(state.streaks[USER_STREAK].skipped)
        )
        state.streaks[event.jar_id] = replanned(known, event.plan)


def _jar_deleted(state: UserState, event: JarDeleted) -> None:
    state.ledger.post(event.postings)
    gone = state.jars.pop(event.jar_id)
    if event.move_to is not None:
        state.jars[event.move_to].saved += gone.saved
        state.settlement.moved(gone.jar_id, event.move_to)
        if state.holds:
            state.holds = {key: holds.moved(one, event.jar_id, event.move_to) for key, one in state.holds.items()}
    state.streaks.pop(event.jar_id, None)
    state.allocation.forget(event.jar_id, state.default_jar_id)
    state.jar_order = jars.order(state.jars.values())


def _jar_deposited(state: UserState, event: JarDeposited) -> None:
    state.ledger.post(event.postings)
    jar_saved(state, event.jar_id, event.amount, event.local_date)
    state.summaries.add(event.local_date, event.jar_id, event.amount)
    state.streaks[USER_STREAK].add(event.local_date, event.amount)


def _allocation_set(state: UserState, event: AllocationSet) -> None:
    state.allocation = Allocation(event.mode, dict(event.percents))
    allocation.priorities_set(state.jars.values(), event.priorities)
    state.jar_order = jars.order(state.jars.values())


def _jar_transferred(state: UserState, event: JarTransferred) -> None:
    """What arrives counts for the plan of its jar; the person has saved nothing more."""
    state.ledger.post(event.postings)
    state.jars[event.jar_id].saved -= event.amount
    jar_saved(state, event.to_jar, event.amount, event.local_date)


def _jar_locked(state: UserState, event: JarLocked) -> None:
    locks.locked(state.jars[event.jar_id], event)


def _jar_unlock_started(state: UserState, event: JarUnlockStarted) -> None:
    locks.unlock_started(state.jars[event.jar_id], event)


def _jar_unlock_cancelled(state: UserState, event: JarUnlockCancelled) -> None:
    locks.unlock_cancelled(state.jars[event.jar_id])


def _jar_opened(state: UserState, event: JarOpened) -> None:
    locks.opened(state.jars[event.jar_id])


EVOLVE: dict[type, Evolve] = {
    JarCreated: _jar_created,
    JarEdited: _jar_edited,
    JarDeleted: _jar_deleted,
    JarDeposited: _jar_deposited,
    AllocationSet: _allocation_set,
    JarTransferred: _jar_transferred,
    JarLocked: _jar_locked,
    JarUnlockStarted: _jar_unlock_started,
    JarUnlockCancelled: _jar_unlock_cancelled,
    JarOpened: _jar_opened,
}
