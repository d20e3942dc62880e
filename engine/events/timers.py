"""Events of durable timers. They change no state: the rows they make are the timers."""

from datetime import datetime

from msgspec import Struct

from engine.commands import Command


class TimerSet(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="event", tag="timer_set"):
    """At `due` the runtime delivers `command`, exactly once; a timer of the same id is replaced.

    The command must find out by itself whether there is still something to do, and do nothing otherwise.
    """

    timer_id: str
    due: datetime
    command: Command


class TimerCancelled(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="event", tag="timer_cancelled"):
    """The timer is gone, if it was there."""

    timer_id: str
