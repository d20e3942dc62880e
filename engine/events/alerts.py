"""Events of alerts."""

from datetime import date, datetime
from typing import Any, Literal

from msgspec import Struct

AlertType = Literal[
    "budget_threshold",
    "budget_exceeded",
    "burn_rate",
    "anomaly",
    "jar_target_reached",
    "milestone",
    "goal_behind",
    "goal_missed",
    "streak",
    "badge",
    "recurring_due",
    "recurring_missed",
    "summary",
    "deal",
    "correction",
    "savings_paused",
    "debit_notice",
    "group",
    "lock",
]
Severity = Literal["info", "warning", "critical"]


class AlertRaised(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="event", tag="alert_raised"):
    """Something the person should know; `marks` says what must not be told again (see `engine.alerts`)."""

    alert_id: str
    type: AlertType
    severity: Severity
    message: str
    at: datetime
    local_date: date
    seq: int
    category: str | None = None
    data: dict[str, Any] = {}
    marks: list[str] = []
