"""Locks: a locked jar receives, and pays nothing out until its end, or until an emergency unlock has waited 24 hours.

Whatever takes money out of a jar asks `refuse_locked` first: a transfer, a withdrawal, a contribution to a group. A
lock ends by itself at its time; the timer only tells. Rules: docs/domain.md, "Locks".
"""

from datetime import UTC, date, datetime, timedelta

import msgspec

from engine import periods, wording
from engine.alerts import Draft
from engine.behaviour import Refused, invalid
from engine.commands import EndLock, LockJar, UnlockJar
from engine.events import JarLocked, JarOpened, JarUnlockStarted, TimerSet
from engine.jars.jars import Jar
from engine.profile import Profile

YEARS_MAX = 5
UNLOCK_AFTER = timedelta(hours=24)


def refuse_locked(jar: Jar, at: datetime) -> None:
    """Refuse (409) to take money out of a locked jar."""
    opens = jar.locked_at(at)
    if opens is not None:
        raise Refused(
            "conflict",
            f"{jar.name} is locked until {opens.isoformat()} and pays nothing out; wait, or ask for an unlock",
            locked_until=opens.isoformat(),
        )


def lock(jar: Jar, command: LockJar, profile: Profile, at: datetime) -> JarLocked:
    """Decide a lock, or its extension; an unlock that is under way is over. Raises `Refused`."""
    until = _until(command.until, profile.zone_at(at))
    if until <= at:
        raise invalid("until", f"{command.until} is not in the future")
    if until > _years_later(at):
        raise invalid("until", f"{command.until} is more than {YEARS_MAX} years away; a lock can be extended later")
    present = jar.locked_at(at)
    if present is not None and until < present:
        raise Refused(
            "conflict",
            f"the jar is locked until {present.isoformat()}; a lock is extended, never shortened",
            locked_until=present.isoformat(),
        )
    return JarLocked(jar_id=jar.jar_id, at=at, until=until)


def _until(text: str, zone_name: str) -> datetime:
    """Return the instant of a time with an offset, or the first of a local date."""
    try:
        return periods.local_midnight(msgspec.convert(text, date), zone_name)
    except msgspec.ValidationError:
        pass
    try:
        until = msgspec.convert(text, datetime)
    except msgspec.ValidationError:
        until = None
    if until is None or until.tzinfo is None:
        raise invalid("until", "must be a date, or a time with an offset, such as 2027-03-01T00:00:00+05:30")
    return until.astimezone(UTC)


def _years_later(at: datetime) -> datetime:
    try:
        return at.replace(year=at.year + YEARS_MAX)
    except ValueError:
        return at.replace(year=at.year + YEARS_MAX, month=3, day=1)


def timer(jar_id: str, due: datetime) -> TimerSet:
    """Return the timer that tells that a jar is open; a jar has one."""
    return TimerSet(timer_id=f"lock:{jar_id}", due=due, command=EndLock(jar_id=jar_id))


def unlock_wanted(jar: Jar, at: datetime) -> UnlockJar:
    """Return the action that an unlock asks a code for. Raises `Refused` when it would open nothing sooner."""
    until = jar.locked_at(at)
    if until is None:
        raise Refused("conflict", f"{jar.name} is not locked")
    if jar.unlocks_at is not None:
        raise Refused("conflict", f"an unlock is under way: {jar.name} opens at {jar.unlocks_at.isoformat()}")
    if until <= at + UNLOCK_AFTER:
        raise Refused("conflict", f"the lock ends by itself at {until.isoformat()}, before an unlock would open it")
    return UnlockJar(jar_id=jar.jar_id, lock_round=jar.lock_round)


def start_unlock(jar: Jar, command: UnlockJar, at: datetime) -> JarUnlockStarted:
    """Decide that the 24 hours begin. A code from before the last lock or cancellation is worth nothing."""
    unlock_wanted(jar, at)
    if command.lock_round != jar.lock_round:
        raise Refused("conflict", "the unlock was cancelled after this code was sent; ask for another")
    return JarUnlockStarted(jar_id=jar.jar_id, at=at, opens_at=at.astimezone(UTC) + UNLOCK_AFTER)


def unlocking(jar: Jar, event: JarUnlockStarted, zone_name: str) -> Draft:
    """Return the alert of an unlock that has begun; it may not be the person's own."""
    when = wording.moment(event.opens_at, zone_name)
    return Draft(
        type="lock",
        severity="critical",
        message=f"{jar.name} will open at {when}. If that was not you, cancel the unlock.",
        data={"jar_id": jar.jar_id, "state": "unlocking", "opens_at": event.opens_at.isoformat()},
    )


def end(jar: Jar | None, at: datetime) -> JarOpened | None:
    """Return the end of a lock, when it is time; None for a jar that is gone, open or locked anew."""
    if jar is None or jar.locked_until is None or jar.locked_at(at) is not None:
        return None
    return JarOpened(jar_id=jar.jar_id, at=at, early=at < jar.locked_until)


def opened_alert(jar: Jar, event: JarOpened) -> Draft:
    """Return the alert that a jar is open."""
    why = "The unlock you asked for has come through" if event.early else "Its lock has ended"
    return Draft(
        type="lock",
        severity="info",
        message=f"{jar.name} is open. {why}: you can move its money again.",
        data={"jar_id": jar.jar_id, "state": "open"},
    )


def locked(jar: Jar, event: JarLocked) -> None:
    """Take over a lock."""
    jar.locked_until, jar.unlocks_at = event.until, None
    jar.lock_round += 1


def unlock_started(jar: Jar, event: JarUnlockStarted) -> None:
    """Take over an unlock that has begun."""
    jar.unlocks_at = event.opens_at


def unlock_cancelled(jar: Jar) -> None:
    """Take over that an unlock is off."""
    jar.unlocks_at = None
    jar.lock_round += 1


def opened(jar: Jar) -> None:
    """Take over that a lock is over."""
    jar.locked_until = jar.unlocks_at = None
