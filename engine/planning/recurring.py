"""Schedules: what comes again and again, reminded before it falls due, matched when it comes, flagged when it does not.

A schedule has one open date at a time. When that is matched or missed the next one opens; dates come from
`Outside.occurrences` and are kept in the events. Rules: docs/domain.md, "Recurring".
"""

from datetime import date, timedelta
from typing import Literal

from msgspec import UNSET, Struct, field, structs

from engine.behaviour import Context, Refused, invalid
from engine.commands import CreateRecurring, EditRecurring, UnlinkRecurring
from engine.events.recurring import (
    Due,
    RecurringCreated,
    RecurringDescription,
    RecurringEdited,
    RecurringMatched,
    RecurringMissed,
    RecurringUnlinked,
)
from engine.planning.spending import OVERALL, Slugs

SCHEDULES_MAX = 50
DATES_KEPT = 12
UNLINKED_KEPT = 20
WINDOW_DAYS_MAX = 7
AHEAD_DAYS = 35
"""How far the dates after the open one are known: every period ends sooner."""
_STARTS_BEFORE_MAX, _STARTS_AFTER_MAX = timedelta(days=366), timedelta(days=5 * 366)


class Occurrence(Struct, kw_only=True):
    """One date of a schedule, and the payment that was taken for it."""

    due_on: date
    window: int = 0
    state: Literal["due", "matched", "missed"] = "due"
    transaction_id: str | None = None
    paid_on: date | None = None
    amount: int | None = None


class Recurring(Struct, kw_only=True):
    """A schedule. `expected` is what it last cost, `amount` until then; `dates` ends with the open one, if any."""

    recurring_id: str
    name: str
    amount: int
    direction: Literal["debit", "credit"]
    category: str
    rrule: str
    starts_on: date
    remind_days_before: int | None = None
    expected: int = 0
    before: int | None = None
    """What it cost before, where its last payment was another amount."""
    dates: list[Occurrence] = field(default_factory=list)
    then: list[date] = field(default_factory=list)
    unlinked: list[str] = field(default_factory=list)

    @property
    def open(self) -> Occurrence | None:
        """The date that is waited for; None when the rule has ended."""
        return self.dates[-1] if self.dates and self.dates[-1].state == "due" else None


def create(
    schedules: dict[str, Recurring], command: CreateRecurring, context: Context, today: date
) -> RecurringCreated:
    """Decide a schedule; its first date is the first of its rule from today on."""
    if len(schedules) >= SCHEDULES_MAX:
        raise Refused("conflict", f"a person has at most {SCHEDULES_MAX} schedules; delete one first")
    event = RecurringCreated(
        recurring_id=context.new_id(),
        at=context.at,
        name=command.name,
        amount=command.amount,
        direction=command.direction,
        category=command.category,
        rrule=command.rrule,
        starts_on=command.starts_on,
        remind_days_before=command.remind_days_before,
        planned=True,
    )
    return structs.replace(event, next=_planned(event, context, today))


def edit(schedules: dict[str, Recurring], command: EditRecurring, context: Context, today: date) -> RecurringEdited:
    """Decide a change; another rule, start or direction plans the schedule anew from today on."""
    was = find(schedules, command.recurring_id)
    fields = {name: getattr(was, name) for name in _DESCRIBED}
    given = {name: getattr(command, name) for name in _DESCRIBED if getattr(command, name) is not UNSET}
    changed = RecurringEdited(recurring_id=was.recurring_id, at=context.at, **{**fields, **given})
    if (was.rrule, was.starts_on) == (changed.rrule, changed.starts_on):
        return changed
    return structs.replace(changed, planned=True, next=_planned(changed, context, today))


_DESCRIBED = ("name", "amount", "direction", "category", "rrule", "starts_on", "remind_days_before")


def _planned(event: RecurringDescription, context: Context, today: date) -> Due | None:
    if event.category == OVERALL:
        raise invalid("category", f"{OVERALL!r} names the total of all categories; give the category itself")
    if not today - _STARTS_BEFORE_MAX <= event.starts_on <= today + _STARTS_AFTER_MAX:
        raise invalid("starts_on", f"{event.starts_on} is more than a year ago or more than five years ahead")
    after = max(event.starts_on, today) - timedelta(days=1)
    try:
        dates = context.outside.occurrences(event.rrule, event.starts_on, after, AHEAD_DAYS)
    except ValueError as error:
        raise invalid("rrule", str(error)) from None
    if not dates:
        raise invalid("rrule", f"has no date from {after + timedelta(days=1)} on, within ten years")
    return _due(None, list(dates))


def following(one: Recurring, context: Context, today: date) -> Due | None:
    """Return the date after the open one whose window is not over yet, None when the rule has ended."""
    was = one.dates[-1]
    after = max(was.due_on, today - timedelta(days=WINDOW_DAYS_MAX + 1))
    try:
        dates = list(context.outside.occurrences(one.rrule, one.starts_on, after, AHEAD_DAYS))
    except ValueError:
        return None
    previous = was.due_on
    while dates:
        due = _due(previous, dates)
        if due.on + timedelta(days=due.window) >= today:
            return due
        previous = dates.pop(0)
    return None


def _due(previous: date | None, dates: list[date]) -> Due:
    """Return the first of some dates, with its window: short of half way to its neighbours, at most a week."""
    first, rest = dates[0], dates[1:]
    gaps = [(rest[0] - first).days] if rest else []
    gaps += [(first - previous).days] if previous is not None else []
    window = min([WINDOW_DAYS_MAX, *((gap - 1) // 2 for gap in gaps)])
    return Due(first, window, [day for day in rest if day <= first + timedelta(days=AHEAD_DAYS)])


def unlink(schedules: dict[str, Recurring], command: UnlinkRecurring, context: Context) -> RecurringUnlinked:
    """Decide that a payment was not the schedule's."""
    one = find(schedules, command.recurring_id)
    for date_of in one.dates:
        if date_of.transaction_id == command.transaction_id:
            return RecurringUnlinked(
                recurring_id=one.recurring_id,
                at=context.at,
                due_on=date_of.due_on,
                transaction_id=command.transaction_id,
            )
    raise invalid("transaction_id", f"{command.transaction_id!r} was not taken for a date of {one.name}")


def find(schedules: dict[str, Recurring], recurring_id: str) -> Recurring:
    """Return a schedule. Raises `Refused`."""
    one = schedules.get(recurring_id)
    if one is None:
        raise Refused("not_found", f"there is no schedule {recurring_id!r}")
    return one


def bills(schedules: dict[str, Recurring], slugs: Slugs, today: date, end: date) -> int:
    """Return what schedules of these categories still take from today up to, not including, `end`; minor units.

    A date that is open counts though it has passed: it may still come.
    """
    total = 0
    for one in schedules.values():
        if one.direction == "debit" and (slugs is None or one.category in slugs):
            waiting = one.open
            if waiting is not None and waiting.due_on < end:
                total += one.expected * (1 + sum(today <= day < end for day in one.then))
    return total


def described(schedules: dict[str, Recurring], event: RecurringCreated | RecurringEdited) -> None:
    """Take over a description; a changed amount is what is expected from now on."""
    one = schedules.get(event.recurring_id)
    if one is None:
        one = schedules[event.recurring_id] = Recurring(
            recurring_id=event.recurring_id,
            name=event.name,
            amount=0,
            direction=event.direction,
            category=event.category,
            rrule=event.rrule,
            starts_on=event.starts_on,
        )
    if one.amount != event.amount:
        one.expected, one.before = event.amount, None
    one.name, one.amount, one.direction, one.category = event.name, event.amount, event.direction, event.category
    one.rrule, one.starts_on, one.remind_days_before = event.rrule, event.starts_on, event.remind_days_before
    if event.planned:
        one.dates = [known for known in one.dates if known.state != "due"]
        _open(one, event.next)


def matched(one: Recurring, event: RecurringMatched) -> None:
    """Take over that a date was met, and what it cost."""
    of_state = "due" if event.planned else "missed"
    for known in one.dates:
        if known.due_on == event.due_on and known.state == of_state:
            known.state, known.transaction_id = "matched", event.transaction_id
            known.paid_on, known.amount = event.paid_on, event.amount
            break
    one.before = event.expected if event.amount != event.expected else None
    one.expected = event.amount
    if event.planned:
        _open(one, event.next)


def missed(one: Recurring, event: RecurringMissed) -> None:
    """Take over that a date was not met, and open the next."""
    for known in one.dates:
        if known.due_on == event.due_on and known.state == "due":
            known.state = "missed"
    _open(one, event.next)


def unlinked(one: Recurring, event: RecurringUnlinked) -> None:
    """Take over that a payment was not the schedule's: its date is missed, and what it costs is as described."""
    for known in one.dates:
        if known.transaction_id == event.transaction_id:
            known.state, known.transaction_id, known.paid_on, known.amount = "missed", None, None, None
    one.expected, one.before = one.amount, None
    one.unlinked = [*one.unlinked[-(UNLINKED_KEPT - 1) :], event.transaction_id]


def _open(one: Recurring, due: Due | None) -> None:
    one.then = due.then if due is not None else []
    if due is not None:
        one.dates = [*one.dates[-(DATES_KEPT - 1) :], Occurrence(due_on=due.on, window=due.window)]
