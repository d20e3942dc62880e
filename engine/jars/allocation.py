"""Allocation: which jars share what is saved. Rules: docs/domain.md, "Jars, allocation"."""

from collections.abc import Iterable
from datetime import date, datetime
from math import lcm

from msgspec import Struct, field

from engine.behaviour import Refused, invalid
from engine.commands import AllocationMode, SetAllocation
from engine.events import AllocationSet, JarShare
from engine.jars.jars import Jar

OVERDUE_DAYS = 30
"""An overdue jar is filled as one that is due in so many days."""
_DEFAULT_IS_LAST = "the default jar is always last and takes whatever no other does"


class Allocation(Struct):
    """The rule in force. `percents` of mode `percent` sum to 100; a jar without one is not in it."""

    mode: AllocationMode = "priority"
    percents: dict[str, int] = field(default_factory=dict)

    def forget(self, jar_id: str, default_jar_id: str) -> None:
        """Give the percents of a jar that is gone to the default jar."""
        freed = self.percents.pop(jar_id, 0)
        if freed:
            self.percents[default_jar_id] = self.percents.get(default_jar_id, 0) + freed


def share(amount: int, jars: dict[str, Jar], ranked: list[str], rule: Allocation, today: date) -> list[JarShare]:
    """Return who receives `amount`; `ranked` are the jars in the order of allocation, the default one last."""
    if rule.mode == "priority":
        return _first_with_room(amount, jars, ranked)
    parts, rest = _by_weight(amount, weights(jars, ranked, rule, today), jars)
    if rest:
        parts[ranked[-1]] = parts.get(ranked[-1], 0) + rest
    return [JarShare(jar_id, parts[jar_id]) for jar_id in ranked if parts.get(jar_id)]


def _first_with_room(amount: int, jars: dict[str, Jar], ranked: list[str]) -> list[JarShare]:
    shares = []
    for jar_id in ranked:
        room = jars[jar_id].room
        part = amount if room is None else min(amount, room)
        if part:
            shares.append(JarShare(jar_id, part))
            amount -= part
        if not amount:
            break
    return shares


def weights(jars: dict[str, Jar], ranked: list[str], rule: Allocation, today: date) -> dict[str, int]:
    """Return the weight of each jar that has one, in the order of allocation, so that odd units go by rank."""
    if rule.mode == "percent":
        return {jar_id: rule.percents[jar_id] for jar_id in ranked if jar_id in rule.percents}
    if rule.mode == "priority":
        return {}
    lacking = {jar_id: _lacks(jars[jar_id], today) for jar_id in ranked if not jars[jar_id].is_default}
    due = {jar_id: pair for jar_id, pair in lacking.items() if pair[0]}
    scale = lcm(*(days for _, days in due.values()))
    return {jar_id: remaining * (scale // days) for jar_id, (remaining, days) in due.items()}


def _lacks(jar: Jar, today: date) -> tuple[int, int]:
    """Return what a jar lacks to its target, and in how many days it is due: its weight is the one by the other."""
    if jar.target_amount is None or jar.deadline is None:
        return 0, 1
    days = (jar.deadline - today).days
    return max(0, jar.target_amount - jar.saved), OVERDUE_DAYS if days < 0 else max(1, days)


def _by_weight(amount: int, weighed: dict[str, int], jars: dict[str, Jar]) -> tuple[dict[str, int], int]:
    """Return parts by weight, and what nobody could take: a jar takes its room at most, the rest is shared anew."""
    taken: dict[str, int] = {}
    while weighed:
        parts = dict(zip(weighed, split(amount, list(weighed.values())), strict=True))
        rooms = {jar_id: jars[jar_id].room for jar_id in weighed}
        full = {jar_id: room for jar_id, room in rooms.items() if room is not None and parts[jar_id] > room}
        if not full:
            return taken | parts, 0
        taken |= full
        amount -= sum(full.values())
        weighed = {jar_id: weight for jar_id, weight in weighed.items() if jar_id not in full}
    return taken, amount


def split(amount: int, weighed: list[int]) -> list[int]:
    """Return `amount` in parts by weight, by largest remainder; the first of equals gets the odd unit.

    At least one weight is above zero.
    """
    total = sum(weighed)
    parts = [amount * weight // total for weight in weighed]
    ranked = sorted(range(len(weighed)), key=lambda i: -(amount * weighed[i] % total))
    for i in ranked[: amount - sum(parts)]:
        parts[i] += 1
    return parts


def decide(jars: dict[str, Jar], command: SetAllocation, at: datetime) -> AllocationSet:
    """Decide a new rule; the shares of the one before are gone, priorities that are not named stay."""
    _check_names(jars, [one.jar_id for one in command.shares])
    percents: dict[str, int] = {}
    priorities: dict[str, int] = {}
    for one in command.shares:
        wanted, other = (one.percent, one.priority) if command.mode == "percent" else (one.priority, one.percent)
        if command.mode == "deadline":
            raise invalid("shares", "must be left out in mode deadline: targets and deadlines say who needs how much")
        if wanted is None or other is not None:
            raise invalid("shares", f"mode {command.mode} takes a jar_id and a {command.mode} for each jar")
        if command.mode == "percent":
            percents[one.jar_id] = wanted
        elif jars[one.jar_id].is_default:
            raise Refused("conflict", _DEFAULT_IS_LAST)
        else:
            priorities[one.jar_id] = wanted
    total = sum(percents.values())
    if command.mode == "percent" and total != 100:
        raise invalid("shares", f"sum to {total} %; name every jar that takes part, 100 % in all")
    return AllocationSet(at=at, mode=command.mode, percents=percents, priorities=priorities)


def _check_names(jars: dict[str, Jar], named: list[str]) -> None:
    for jar_id in named:
        if jar_id not in jars:
            raise invalid("shares", f"{jar_id!r} is none of the user's jars")
    if len(set(named)) < len(named):
        raise invalid("shares", "name a jar twice; give each one share")


def percents_now(jars: dict[str, Jar], ranked: list[str], rule: Allocation, today: date) -> dict[str, int]:
    """Return how the next saving is shared while no cap is in the way, in whole percent; none by priority."""
    if rule.mode == "priority":
        return {}
    weighed = weights(jars, ranked, rule, today) or {ranked[-1]: 1}
    return dict(zip(weighed, split(100, list(weighed.values())), strict=True))


def priorities_set(jars: Iterable[Jar], priorities: dict[str, int]) -> None:
    """Take over the priorities of a rule."""
    for jar in jars:
        jar.priority = priorities.get(jar.jar_id, jar.priority)
