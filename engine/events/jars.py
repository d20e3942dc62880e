"""Events of jars."""

from datetime import date, datetime

from msgspec import Struct

from engine.commands import AllocationMode, Plan
from engine.events.types import Posting


class JarDescription(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The whole description of a jar."""

    jar_id: str
    at: datetime
    name: str
    target_amount: int | None = None
    deadline: date | None = None
    image_url: str | None = None
    priority: int = 100
    cap_at_target: bool = False
    plan: Plan | None = None
    goal_since: date | None = None
    """The local date on which the target or the deadline was set, and what the jar held then."""
    goal_from: int = 0


class JarCreated(JarDescription, frozen=True, kw_only=True, omit_defaults=True, tag_field="event", tag="jar_created"):
    """A jar exists; it is empty."""


class JarEdited(JarDescription, frozen=True, kw_only=True, omit_defaults=True, tag_field="event", tag="jar_edited"):
    """A jar is described anew."""


class JarDeleted(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="event", tag="jar_deleted"):
    """A jar is gone; what it held went to `move_to` by `postings`."""

    jar_id: str
    at: datetime
    move_to: str | None = None
    postings: list[Posting] = []


class JarDeposited(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="event", tag="jar_deposited"):
    """Money was promised to a jar by hand."""

    deposit_id: str
    jar_id: str
    at: datetime
    local_date: date
    amount: int
    postings: list[Posting]


class AllocationSet(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="event", tag="allocation_set"):
    """Savings are shared by another rule; jars not named in `priorities` keep theirs."""

    at: datetime
    mode: AllocationMode
    percents: dict[str, int] = {}
    priorities: dict[str, int] = {}


class JarTransferred(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="event", tag="jar_transferred"):
    """Money went from a jar to another of the same person, each stage into the same stage."""

    transfer_id: str
    jar_id: str
    """The jar that gave."""
    to_jar: str
    at: datetime
    local_date: date
    amount: int
    postings: list[Posting]


class JarLocked(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="event", tag="jar_locked"):
    """A jar pays nothing out until `until`; an unlock that was under way is over."""

    jar_id: str
    at: datetime
    until: datetime


class JarUnlockStarted(
    Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="event", tag="jar_unlock_started"
):
    """An emergency unlock was confirmed: the jar opens at `opens_at` unless it is cancelled."""

    jar_id: str
    at: datetime
    opens_at: datetime


class JarUnlockCancelled(
    Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="event", tag="jar_unlock_cancelled"
):
    """The jar stays locked; codes sent before are worth nothing."""

    jar_id: str
    at: datetime


class JarOpened(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="event", tag="jar_opened"):
    """A lock is over: at its end, or `early` by an unlock. The jar had been open since then; this tells."""

    jar_id: str
    at: datetime
    early: bool = False
