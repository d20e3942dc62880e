"""Alerts: what a person is told, once, and no more than three times a day unless it is critical."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

from msgspec import Struct, field

from engine.behaviour import Context
from engine.events import AlertRaised, AlertType, Severity

NOTIFIED_A_DAY_MAX = 3
RECENT_KEPT = 10
_NOW: dict[str, Any] = {"delivery": "now"}
_DIGEST: dict[str, Any] = {"delivery": "digest", "digest": True}
_TOLD_KEPT_DAYS = 70
"""Marks name a budget's period, the longest is a month, and only the running one alerts."""


class Draft(Struct, frozen=True):
    """An alert a feature wants to raise. `marks` are what it must not tell again, e.g. a threshold of a period."""

    type: AlertType
    severity: Severity
    message: str
    category: str | None = None
    data: dict[str, Any] = {}
    marks: tuple[str, ...] = ()


class AlertView(Struct, frozen=True, kw_only=True):
    """An alert on the wire. `data.delivery` is `now` or `digest`; then `data.digest` is true."""

    alert_id: str
    type: str
    severity: str
    category: str | None = None
    message: str
    data: dict[str, Any]
    at: datetime
    seq: int


class AlertBook(Struct):
    """The last alerts, what was told already, and how many notifications today had."""

    recent: list[AlertView] = field(default_factory=list)
    told: dict[str, int] = field(default_factory=dict)
    day: int = 0
    notified: int = 0

    def has_told(self, mark: str) -> bool:
        """Whether an alert with this mark was raised already."""
        return mark in self.told

    def tell(self, marks: Iterable[str], day: date) -> None:
        """Remember marks; those of more than 70 days ago are forgotten."""
        ordinal = day.toordinal()
        for mark in marks:
            self.told[mark] = ordinal
        if len(self.told) > 500:
            self.told = {m: d for m, d in self.told.items() if d > ordinal - _TOLD_KEPT_DAYS}

    def rearm(self, marks: Iterable[str], day: date) -> None:
        """Let marks tell once more; that this was done is remembered like a mark."""
        for mark in marks:
            self.told.pop(mark, None)
            self.tell((rearmed(mark),), day)

    def forget(self, beginning: str) -> None:
        """Forget the marks of what is gone."""
        self.told = {mark: day for mark, day in self.told.items() if not mark.startswith(beginning)}

    def raised(self, event: AlertRaised) -> None:
        """Take over an alert."""
        self.recent = [*self.recent[-(RECENT_KEPT - 1) :], view(event)]
        self.tell(event.marks, event.local_date)
        if _counts(event):
            ordinal = event.local_date.toordinal()
            self.notified = self.notified + 1 if self.day == ordinal else 1
            self.day = ordinal


def _counts(event: AlertRaised) -> bool:
    """Whether an alert is one of the day's notifications."""
    return event.data.get("delivery") == "now" and event.severity != "critical"


def rearmed(mark: str) -> str:
    """Return what is remembered of a mark that was re-armed: it happens once."""
    return f"{mark}:rearmed"


def raise_all(
    book: AlertBook, drafts: Iterable[Draft], context: Context, today: date, before: Iterable[Any] = ()
) -> list[AlertRaised]:
    """Turn drafts into events: an id each, and whether the person is notified now or by the digest.

    `before` are earlier events of the same turn: their alerts count towards the day's.
    """
    notified = book.notified if book.day == today.toordinal() else 0
    notified += sum(type(event) is AlertRaised and _counts(event) for event in before)
    events = []
    for draft in drafts:
        critical = draft.severity == "critical"
        now = critical or notified < NOTIFIED_A_DAY_MAX
        notified += now and not critical
        events.append(
            AlertRaised(
                alert_id=context.new_id(),
                type=draft.type,
                severity=draft.severity,
                message=draft.message,
                at=context.at,
                local_date=today,
                seq=context.seq,
                category=draft.category,
                data={**draft.data, **(_NOW if now else _DIGEST)},
                marks=list(draft.marks),
            )
        )
    return events


def view(event: AlertRaised) -> AlertView:
    """Return an alert as the wire shows it."""
    return AlertView(
        alert_id=event.alert_id,
        type=event.type,
        severity=event.severity,
        category=event.category,
        message=event.message,
        data=event.data,
        at=event.at,
        seq=event.seq,
    )
